"""What is said on one connection, one letter after the other: smtplib, with each reply kept, and an Outcome for each letter."""

from __future__ import annotations

import hashlib
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

from service.emails import links
from service.text import mail_troubles
from workers.outbound.smtp import pipelined, public_hosts, smtp_replies, trouble
from workers.outbound.smtp.outcome import Copy, Outcome
from workers.outbound.smtp.smtp_replies import Command, readable
from workers.outbound.smtp.trouble import OutOfStep, words

MOST_LINES, LONGEST_LINE = 100, 4_096
"""Of one reply; RFC 5321 §4.5.3.1.5 allows 512 octets for a line."""


class Conversation(smtplib.SMTP):
    """smtplib, keeping each reply; commands are noted without the addresses in them."""

    def __init__(self, *args: Any, replies: list[dict[str, Any]], public_only: bool = False, **options: Any) -> None:
        self.replies, self.public_only = replies, public_only
        self.unverified = self.published = ""
        """Why its certificate does not verify; by what its domain says how it is to be spoken to."""
        self.tls_broken = False
        """TLS is offered, and could not be made: this is another connection, in the clear."""
        self.asked = "connect"
        super().__init__(*args, **options)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """smtplib's seam for how a connection is made."""
        if self.public_only:
            return public_hosts.connect(host, port, timeout)
        return super()._get_socket(host, port, timeout)  # type: ignore[misc,no-any-return]

    def putcmd(self, cmd: str, args: str = "") -> None:
        password_follows = bool(self.replies) and self.replies[-1]["code"] == 334
        self.asked = "AUTH" if password_follows else cmd.split(maxsplit=1)[0].upper()
        if self.spoke_ahead():
            raise OutOfStep
        super().putcmd(cmd, args)

    def getreply(self) -> tuple[int, bytes]:
        """One whole reply, in whatever pieces it comes; a server that goes on for ever holds nobody up for ever."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected
        patience = self.sock.gettimeout() or self.timeout
        until = time.monotonic() + patience
        lines = [self._line(until)]
        while lines[-1][3:4] == b"-" and len(lines) < MOST_LINES:
            lines.append(self._line(until))
        self.sock.settimeout(patience)
        if not lines[-1][:3].isdigit() or lines[-1][3:4] == b"-":
            raise OutOfStep
        code, texts = int(lines[-1][:3]), [line[4:].strip() for line in lines]
        self.replies.append({"command": self.asked, "code": code, "text": readable(b" ".join(texts).strip())})
        return code, b"\n".join(texts)

    def _line(self, until: float) -> bytes:
        assert self.sock is not None
        if self.file is None:
            self.file = self.sock.makefile("rb")
        line = b""
        while not line.endswith(b"\n"):
            self.sock.settimeout(max(until - time.monotonic(), 0.001))
            waiting = self.file.peek(1)  # receives once, where nothing waits
            if not waiting:
                raise smtplib.SMTPServerDisconnected
            line += self.file.read(waiting.find(b"\n") + 1 or len(waiting))
            if len(line) > LONGEST_LINE:
                raise OutOfStep
        return line

    def spoke_ahead(self) -> bool:
        """Whether a reply is there that nobody asked for: read later, it would be taken for the answer to something else."""
        if self.sock is None or self.file is None:
            return False
        patience = self.sock.gettimeout()
        self.sock.setblocking(False)
        try:
            return bool(self.file.peek(1))
        except pipelined.BUSY:
            return False
        finally:
            self.sock.settimeout(patience)

    @property
    def encrypted(self) -> bool:
        return isinstance(self.sock, ssl.SSLSocket)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Address, TLS version and certificate, and what the server offers; asked first as soon as it is ready."""
        tls: dict[str, Any] | None = None
        if isinstance(self.sock, ssl.SSLSocket):
            certificate = hashlib.sha256(self.sock.getpeercert(binary_form=True) or b"").hexdigest()
            tls = {"version": self.sock.version(), "certificate_sha256": certificate, "unverified": self.unverified}
        offered = (f"{name} {value}".strip() for name, value in self.esmtp_features.items())
        return {
            "address": self.sock.getpeername()[0] if self.sock is not None else "",
            "tls": tls,
            "capabilities": sorted(readable(capability.encode("latin-1", "replace")) for capability in offered),
            "tls_broken": self.tls_broken,
            "published": self.published,
        }


class TlsConversation(Conversation, smtplib.SMTP_SSL):
    """The same, TLS from the first byte (RFC 8314)."""


def exchange(host: Conversation, copy: Copy, held: Callable[[], bool]) -> Outcome:
    """MAIL, RCPT, DATA, text, one after the other (RFC 5321 §3.3)."""
    text_left = False
    try:
        if (refusal := _envelope(host, copy)) is not None:
            return refusal
        if not held():
            return Outcome("unreachable", None, mail_troubles.LEASE_LAPSED, concern="server")
        host.asked = "DATA"
        code, text = host.docmd("DATA")
        if code != 354:
            _reset(host)
            return _outcome(copy, "DATA", code, text)
        if host.spoke_ahead():
            raise OutOfStep
        text_left, host.asked = True, "."
        return _outcome(copy, "end of DATA", *_text(host, copy))
    except trouble.ANY as error:
        return Outcome("lost" if text_left else "unreachable", None, words(error), concern="server")
    finally:
        host.command_encoding = "ascii"


def _envelope(host: Conversation, copy: Copy) -> Outcome | None:
    """Names the sender and the recipient; what came of it where the server takes one of them not."""
    options = ["SMTPUTF8", "BODY=8BITMIME"] if not copy.recipient.isascii() else []
    if options and not host.has_extn("smtputf8"):
        return Outcome("refused", None, mail_troubles.NOT_OUTSIDE_ASCII)
    if options:
        host.command_encoding = "utf-8"
    asked: tuple[str, ...] = ()
    if copy.official and host.has_extn("dsn"):
        options += ["RET=HDRS", f"ENVID={links.message_token(copy.message_id)}"]
        asked = ("NOTIFY=SUCCESS,FAILURE,DELAY", f"ORCPT=rfc822;{_xtext(copy.recipient)}")
    steps: tuple[tuple[Command, Callable[[], tuple[int, bytes]]], ...] = (
        ("MAIL FROM", lambda: host.mail(copy.sender, options)),
        ("RCPT TO", lambda: host.rcpt(copy.recipient, asked)),
    )
    for command, ask in steps:
        code, text = ask()
        if not 200 <= code < 300:  # RFC 5321 §4.2.1; a server that forwards says 251, one that does not know yet 252
            _reset(host)
            return _outcome(copy, command, code, text)
    return None


def _outcome(copy: Copy, command: Command, code: int, raw: bytes) -> Outcome:
    """A letter has no others beside it that would show whether all are turned away: it waits where the sender is refused."""
    text = readable(b" ".join(raw.split(b"\n")).strip())
    verdict, concern = smtp_replies.understand(command, code, text, extended=not copy.recipient.isascii())
    if verdict == "refused" and concern == "sender" and smtp_replies.refuses_us(command, code, text):
        verdict = "turned_away"
    if verdict in {"unreachable", "lost"} and code < 400:
        return Outcome(verdict, None, trouble.OUT_OF_STEP, concern=concern)
    return Outcome(verdict, code, smtp_replies.with_command(command, code, text), concern=concern)


def _text(host: Conversation, copy: Copy) -> tuple[int, bytes]:
    """The text and its answer, which for an official's letter is awaited as long as RFC 5321 §4.5.3.2.6 asks, and longer."""
    assert host.sock is not None
    if copy.official:
        host.sock.settimeout(max(pipelined.TEXT_SECONDS, host.timeout))
    host.send(re.sub(rb"(?m)^\.", b"..", copy.content) + b".\r\n")
    answer = host.getreply()
    host.sock.settimeout(host.timeout)
    return answer


def _xtext(text: str) -> str:
    """RFC 3461 §4: what is not printable ASCII, + and = as +XX."""
    return "".join(
        character if "!" <= character <= "~" and character not in "+=" else f"+{ord(character):02X}" for character in text
    )


def _reset(host: Conversation) -> None:
    try:
        host.rset()
    except trouble.ANY:
        host.close()
