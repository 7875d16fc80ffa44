"""One letter: claim → write → send → record."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parseaddr
from functools import cache
from typing import Any

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from service import answers, limits, links, providers, queue, suppressions
from service.addresses import domain
from service.config import settings
from service.db import transaction
from service.models import Attempt, Delivery, Enclosure, Letter, Mailing, MailingList, Manifest, Message
from service.models.mail import TO_OFFICIALS, TO_ORGANISERS
from service.text import mail_troubles
from workers.outbound import dkim, exchangers, journal, ledger, mime, replies
from workers.outbound.exchange import Answer, Copy, Encryption, Outcome
from workers.outbound.exchangers import Route
from workers.outbound.stencil import Stencil, readers
from workers.outbound.transport import Letter as MailLetter
from workers.outbound.transport import VerifiedConnection, VerifiedMail

log = logging.getLogger(__name__)

VERSION = "undersigned 0.1.0"
"""Which program wrote the evidence."""
IDLE_SECONDS = 20
"""A connection that waited longer is closed before use: servers hang up, and a hang-up costs an attempt."""


def deliver(message_id: int) -> bool:
    """Sends one claimed letter, and records every reply. False where there was nothing to send."""
    with transaction() as session:
        copy = _claim(session, message_id)
    if copy is None:
        return False
    direct = copy.official and settings().officials_direct
    tried = list(_outcomes(copy, direct=direct))
    outcome, now = _deciding(tried), datetime.now(UTC)
    try:
        journal.own().write([Answer(message_id, outcome.verdict, outcome.code, outcome.text, outcome.concern)])
    except OSError as error:  # the disk is full: the ledger comes next in any case
        log.warning("the journal cannot be written: %s", error.strerror)
    with transaction() as session:
        if ledger.record(session, message_id, outcome, now):
            _close_attempt(session, message_id)
            for one in tried:
                ledger.note_attempt(session, message_id, one, now)
                if copy.official:
                    answers.attempted(session, message_id, one.verdict, _evidence(one), direct=direct, now=now)
            if copy.official:
                answers.given_up(session, message_id, now)
        else:  # somebody else has it, with a mark of its own that stays
            log.warning("message %d: its lease was lost, the answer %s is not recorded", message_id, outcome.code)
    journal.own().empty()
    return True


def _outcomes(copy: Copy, *, direct: bool) -> Iterator[Outcome]:
    """One attempt at each of the servers that take this letter, until one of them has spoken."""
    try:
        routes: list[Route | None] = [*exchangers.routes(domain(copy.recipient), direct=direct)] or [None]
    except exchangers.TakesNoMail as error:
        yield Outcome("refused", None, str(error))
        return
    except exchangers.NotKnownNow as error:
        yield Outcome("unreachable", None, str(error), concern="server")
        return
    for route in routes:
        outcome = connection(route).deliver(copy, ledger.held)
        yield outcome
        if outcome.verdict != "unreachable" and outcome.code not in replies.NO_MAIL_HERE:
            return


def _deciding(tried: list[Outcome]) -> Outcome:
    """The last word; but where a server would have been there, had it spoken TLS, that is what organisers are told."""
    without_tls, last = [outcome for outcome in tried if outcome.concern == "encryption"], tried[-1]
    nobody_took_it = last.verdict == "unreachable" or last.code in replies.NO_MAIL_HERE
    return without_tls[0] if without_tls and nobody_took_it else last


def _evidence(outcome: Outcome) -> dict[str, Any]:
    said = {"host": outcome.host, "code": outcome.code, "text": outcome.text, "replies": outcome.replies}
    return said | outcome.facts | {"worker": VERSION}


def _claim(session: Session, message_id: int) -> Copy | None:
    now = datetime.now(UTC)
    if not ledger.claim(session, [message_id], now):
        return None
    message = session.get_one(Message, message_id)
    letter = session.get(Letter, message_id)
    if letter is None or message.email is None or message.mailbox is None:
        ledger.settle(session, [message_id], "cancelled", "its letter was forgotten", now)
        return None
    delivery = answers.of_message(session, message_id)
    if _must_not_go(session, message, delivery, now):
        return None
    try:
        content = write(session, message, letter)
    except mime.BadHeader as error:
        ledger.settle(session, [message_id], "refused", str(error), now)
        return None
    if message.queue == queue.NOTICES:
        ledger.note_attempt(session, message_id, Outcome("began"), now)
    needs = _encryption(delivery)
    return Copy(message_id, links.bounce_address(message_id), message.email, content, delivery is not None, needs)


def _encryption(delivery: Delivery | None) -> Encryption:
    """A list of names never leaves in the clear; a correction holds numbers alone, and counts are public."""
    if delivery is None:
        return "where offered"
    return "needed" if delivery.names_given and not delivery.correction else "where it works"


def _must_not_go(session: Session, message: Message, delivery: Delivery | None, now: datetime) -> bool:
    """Ends the claim of a letter that its reader wants no more, and puts off one whose reader waits for an organiser."""
    if delivery is not None and answers.objected(session, delivery):
        ledger.settle(session, [message.id], "suppressed", mail_troubles.OBJECTED, now)
        return True
    held = delivery is not None and answers.is_held_back(session, delivery)
    if held or limits.waits_still(session, message, now):
        ledger.release(session, ledger.token(), [message.id], due_at=now + suppressions.LOOK_AGAIN)
        return True
    barrier = suppressions.barrier_of(session, message.mailbox or "") if message.queue != queue.NOTICES else None
    if barrier is None or not barrier.bars(message.kind, message.created_at):
        return False
    if barrier.held:
        ledger.release(session, ledger.token(), [message.id], due_at=now + suppressions.LOOK_AGAIN)
    else:
        ledger.settle(session, [message.id], "suppressed", "must not be written to", now)
    return True


def _close_attempt(session: Session, message_id: int) -> None:
    for began in session.scalars(select(Attempt).where(Attempt.message_id == message_id, Attempt.outcome == "began")):
        session.delete(began)


def write(session: Session, message: Message, letter: Letter) -> bytes:
    """The bytes of a letter: the same headers on every attempt, but for the time in Date."""
    assert message.email is not None
    if message.kind == "test_copy":
        return _as_members_get_it(session, message, letter)
    first = session.get(Message, letter.original_id) if letter.original_id else None
    original = first or message
    headers = letter.headers | providers.headers()
    name, address = parseaddr(headers.pop("From", settings().mail_default_sender))
    head = [
        mime.address_header("From", name, address),
        mime.address_header("To", letter.to_name, original.email or message.email),
        mime.header("Subject", letter.subject),
        mime.header("Date", format_datetime(original.created_at)),
        mime.header("Message-ID", links.message_id(original.id)),
        *(_header(key, value) for key, value in (headers | _feedback(original)).items()),
    ]
    files = session.execute(
        select(Enclosure.filename, Enclosure.content_type, Enclosure.content)
        .where(Enclosure.serving_id == letter.serving_id, Enclosure.cohort == letter.cohort, Enclosure.linked.is_(False))
        .order_by(Enclosure.id)
    )
    enclosed = [mime.File(*row) for row in files] if letter.serving_id else []
    if manifest := session.scalar(select(Manifest.content).where(Manifest.serving_id == letter.serving_id)):
        enclosed.append(mime.File("manifest.json", "application/json", manifest))
    if own := letter.attached:
        enclosed.append(mime.File(own["filename"], own["content_type"], own["content"].encode()))
    letter_bytes = MailLetter(
        head, enclosed, subject=letter.subject, recipients=[message.email], body=letter.text, html=letter.html,
        sender=settings().mail_default_sender,
    ).as_bytes()  # fmt: skip
    return signed(letter_bytes)


def _feedback(message: Message) -> dict[str, str]:
    """How complaints come back (RFC 9477): not from officials and organisers, whom no complaint would silence."""
    if message.kind in (*TO_OFFICIALS, *TO_ORGANISERS):
        return {}
    return {"CFBL-Address": links.complaint_address(), "CFBL-Feedback-ID": links.complaint_token(message.id)}


def _as_members_get_it(session: Session, message: Message, letter: Letter) -> bytes:
    """A test of an update, filled for somebody of whom we know nothing; leaving by its link does nothing."""
    to = select(MailingList).where(MailingList.slug == letter.headers["List-Id"])
    mailing = Mailing(subject=letter.subject, mailing_list=session.scalars(to).one(), approved_at=message.created_at)
    reader = readers([(message.id, 0, message.mailbox or "", message.email or "", "", "", "")])[0]
    return Stencil(mailing, _signers(), (letter.text, letter.html)).copy(reader).content


@cache
def _signers() -> list[dkim.Signer]:
    return dkim.load(settings())


def signed(content: bytes) -> bytes:
    """The letter behind its DKIM signatures, where there is a key."""
    head, _, body = content.partition(b"\r\n\r\n")
    return b"".join(signer.header(head + b"\r\n", body) for signer in _signers()) + content


def _header(name: str, value: str) -> bytes:
    """Encoded words never stand inside an address."""
    return mime.address_header(name, "", value) if name == "Reply-To" else mime.header(name, value)


@dataclass
class _Kept:
    connection: VerifiedConnection
    used_at: datetime


@cache
def _kept() -> list[_Kept]:
    return []


def hang_up() -> None:
    """Cuts the kept connection off, in whatever it is: who waits for its answer gets none."""
    for kept in _kept():
        host, kept.connection.host = kept.connection.host, None
        if host is not None and host.sock is not None:
            with suppress(OSError):
                host.sock.shutdown(socket.SHUT_RDWR)


def connection(route: Route | None) -> VerifiedConnection:
    """The connection that this process keeps open between letters: to the relay, or to a server that bypasses it."""
    now = datetime.now(UTC)
    kept = next((one for one in _kept() if one.connection.route == route), None)
    if kept is None:
        mail = current_app.extensions["undersigned.mail"]
        assert isinstance(mail, VerifiedMail)
        kept = _Kept(mail.connect(route), now)
        _kept().append(kept)
    if (now - kept.used_at).total_seconds() > IDLE_SECONDS:
        kept.connection.close()
    kept.used_at = now
    return kept.connection
