"""The door: LMTP for a mail server in front of us (RFC 2033), or SMTP. A 250 after DATA means that the message is committed.

Messages that arrive while one commit is under way share the next: a disk that syncs in 10 ms still takes in thousands a second.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy.exc import SQLAlchemyError

from service.core import disk_reserve, queues
from service.core.db import reading, transaction
from service.inbound import recipient_addresses, spool
from service.inbound.parsing.mime.mime_parser import LARGEST
from service.inbound.spool import Mail
from workers.inbound import message_text, report_sources

log = logging.getLogger(__name__)

MOST_RECIPIENTS = 100
"""Of one transaction, the least that RFC 5321 §4.5.3.1.8 allows; the rest is asked to come back."""
MOST_CONNECTIONS = 200
"""At each door."""
THIS_MACHINE = {"127.0.0.1", "::1"}
MOST_OF_A_PEER = 20
"""At the SMTP door; at the other one there is a mail server of ours."""
TOGETHER, MOST_BYTES = 200, 32 * 1024 * 1024
"""Messages of one commit."""
BELL_SECONDS = 0.1
IDLE_SECONDS = 60
"""Who says nothing, or sends less than 64 kB, for so long is let go; RFC 5321 §4.5.3.2.7
asks for five minutes, which strangers used up."""


class Spool:
    """Commits what several connections bring in one transaction, and tells each of them when it is done."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[Mail, asyncio.Future[bool]]] = asyncio.Queue()
        self.stored = asyncio.Event()

    async def store(self, mail: Mail) -> bool:
        """Whether it is committed; False where the database would not have it, and its sender should come back."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.queue.put_nowait((mail, done))
        return await done

    async def run(self) -> None:
        while True:
            taken = [await self.queue.get()]
            size = len(taken[0][0].content)
            while not self.queue.empty() and len(taken) < TOGETHER and size < MOST_BYTES:
                taken.append(self.queue.get_nowait())
                size += len(taken[-1][0].content)
            stored = await asyncio.to_thread(commit, [mail for mail, _ in taken])
            for _, done in taken:
                if not done.done():  # its connection may be gone
                    done.set_result(stored)
            if stored:
                self.stored.set()

    async def ring(self) -> None:
        """Wakes the worker, for many messages once, and nobody waits for it: the clock's sweep finds what no bell told of."""
        while True:
            await self.stored.wait()
            self.stored.clear()
            await asyncio.to_thread(queues.ring, [queues.Bell("take_in", 0, queues.INBOUND)])
            await asyncio.sleep(BELL_SECONDS)


def commit(mails: list[Mail]) -> bool:
    try:
        with transaction() as session:
            spool.store(session, mails, datetime.now(UTC))
    except SQLAlchemyError as error:
        log.warning("%d messages not stored: %s", len(mails), type(error).__name__)
        return False
    return True


class Handler:
    """What to answer to RCPT and DATA; `per_recipient`: LMTP has one reply for each (RFC 2033 §4.2)."""

    def __init__(self, spool: Spool, source: str) -> None:
        self.spool, self.source, self.per_recipient = spool, source, source == "lmtp"

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients at once; send the rest in another transaction"
        try:
            recipients_known = (
                await asyncio.to_thread(answers_to, address)
                if recipient_addresses.names_a_list(address)
                else answers_to(address)
            )
        except SQLAlchemyError:
            return "451 4.3.0 Try again later"
        if not recipients_known:
            return "550 5.1.1 Nobody here has this address"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        if not (
            disk_reserve.has_room_for_mail()
            or all(recipient_addresses.role_of(to) == "unsubscribe" for to in envelope.rcpt_tos)
        ):
            return self._reply(envelope, message_text.NO_ROOM)
        content = envelope.original_content or b""
        if b"\0" in content or bare_line_ends(content):
            return self._reply(envelope, "554 5.6.0 A bare CR or LF, or a NUL, stands in this message")
        sender = "" if envelope.mail_from in {None, "<>"} else clean(envelope.mail_from or "")
        recipients = [clean(to) for to in envelope.rcpt_tos]
        stored = await self.spool.store(Mail(self.source, sender, recipients, content, peer=self._peer(session)))
        return self._reply(envelope, "250 2.0.0 Stored" if stored else "451 4.3.0 It could not be stored; try again later")

    def _peer(self, session: Session) -> str | None:
        """Behind LMTP, and on this machine, there is a mail server of ours, whose headers tell whence a message came."""
        address = str(session.peer[0]) if session.peer else ""
        return address if not self.per_recipient and report_sources.is_outside(address) else None

    def _reply(self, envelope: Envelope, reply: str) -> str:
        return "\r\n".join([reply] * (len(envelope.rcpt_tos) if self.per_recipient else 1))


def clean(address: str) -> str:
    """What every database can store: one bad byte must not keep the messages that share its commit from theirs."""
    return address.encode("utf-8", "replace").decode().replace("\0", "")[:1_000]


def answers_to(address: str) -> bool:
    with reading() as session:
        return recipient_addresses.find(session, address) is not None


def bare_line_ends(content: bytes) -> bool:
    """A CR or LF by itself, which two servers may take for two different line ends (SMTP smuggling, CVE-2023-51764)."""
    pairs = content.count(b"\r\n")
    return content.count(b"\r") != pairs or content.count(b"\n") != pairs


PLAIN_PATH = re.compile(
    r"\s*<([A-Za-z0-9=_+-]{1,64}(?:\.[A-Za-z0-9=_+-]{1,64}){0,10}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8})>(.*)"
)
"""Nearly every path there is; the standard library's parser, which aiosmtpd asks for the rest, takes a quarter of our time."""


class Bounded:
    """What both protocols share: long lines are taken, too many connections are not; no text waits in memory."""

    line_length_limit = message_text.SOME
    most_of_a_peer = MOST_CONNECTIONS
    open_from: Counter[str]
    """How many connections each peer has at this door."""

    def connection_made(self, transport: Any) -> None:
        self.came_from = str((transport.get_extra_info("peername") or [""])[0])
        self.open_from[self.came_from] += 1
        too_many = self.open_from[self.came_from] > self.most_of_a_peer and self.came_from not in THIS_MACHINE
        if too_many or self.open_from.total() > MOST_CONNECTIONS:
            transport.write(b"421 4.7.0 Too many connections; come back later\r\n")
            transport.close()
        super().connection_made(transport)  # type: ignore[misc]

    async def smtp_DATA(self, arg: str) -> None:
        door: Any = self
        if await door.check_helo_needed():
            return
        if arg or not door.envelope.rcpt_tos:
            await door.push("501 5.5.4 Syntax: DATA" if arg else "503 5.5.1 Error: need RCPT command")
            return
        await door.push("354 End data with <CR><LF>.<CR><LF>")
        with message_text.place() as text:
            refusal = await message_text.take_in(door._reader, text, LARGEST, door._reset_timeout)
            if not refusal:
                text.seek(0)
                door.envelope.content = door.envelope.original_content = text.read()
        await door.push(refusal or await door.event_handler.handle_DATA(door, door.session, door.envelope))
        door._set_post_data_state()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        match = PLAIN_PATH.fullmatch(arg)
        if match is not None and len(match[1].rpartition("@")[0]) <= 64:
            return match[1], match[2]
        parsed: tuple[str | None, str | None] = super()._getaddr(arg)  # type: ignore[misc]
        return parsed

    def connection_lost(self, error: Exception | None) -> None:
        self.open_from[self.came_from] -= 1
        if not self.open_from[self.came_from]:
            del self.open_from[self.came_from]
        super().connection_lost(error)  # type: ignore[misc]


class LmtpDoor(Bounded, LMTP):
    open_from = Counter()


class SmtpDoor(Bounded, SMTP):
    open_from = Counter()
    most_of_a_peer = MOST_OF_A_PEER


def door(spool: Spool, source: str, name: str) -> Callable[[], SMTP]:
    """Makes the protocol of one connection. `name` spares aiosmtpd a look into DNS."""
    kind = LmtpDoor if source == "lmtp" else SmtpDoor
    options: dict[str, Any] = {
        "hostname": name,
        "ident": "Undersigned",
        "data_size_limit": LARGEST,
        "enable_SMTPUTF8": True,
        "timeout": IDLE_SECONDS,
    }
    return lambda: kind(Handler(spool, source), **options)
