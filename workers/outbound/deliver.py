"""One letter: claim → write → send → record."""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parseaddr
from functools import cache

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from service import links, queue, suppressions
from service.addresses import domain
from service.config import settings
from service.db import transaction
from service.models import Attempt, Enclosure, Letter, Message
from workers.outbound import dkim, journal, ledger, mime
from workers.outbound.exchange import Answer, Copy, Outcome
from workers.outbound.transport import Letter as MailLetter
from workers.outbound.transport import VerifiedConnection, VerifiedMail

log = logging.getLogger(__name__)

IDLE_SECONDS = 20
"""A connection that waited longer is closed before use: servers hang up, and a hang-up costs an attempt."""


def deliver(message_id: int) -> None:
    """Sends one claimed letter, and records every reply; with nothing to claim it does nothing."""
    with transaction() as session:
        copy = _claim(session, message_id)
    if copy is None:
        return
    outcome = connection(copy.recipient).deliver(copy, ledger.held)
    now = datetime.now(UTC)
    try:
        journal.own().write([Answer(message_id, outcome.verdict, outcome.code, outcome.text)])
    except OSError as error:  # the disk is full: the ledger comes next in any case
        log.warning("the journal cannot be written: %s", error.strerror)
    with transaction() as session:
        if ledger.record(session, message_id, outcome, now):
            _close_attempt(session, message_id)
            ledger.note_attempt(session, message_id, outcome, now)
        else:  # somebody else has it, with a mark of its own that stays
            log.warning("message %d: its lease was lost, the answer %s is not recorded", message_id, outcome.code)
    journal.own().empty()


def _claim(session: Session, message_id: int) -> Copy | None:
    now = datetime.now(UTC)
    if not ledger.claim(session, [message_id], now):
        return None
    message = session.get_one(Message, message_id)
    letter = session.get(Letter, message_id)
    if letter is None or message.email is None or message.mailbox is None:
        ledger.settle(session, [message_id], "cancelled", "its letter was forgotten", now)
        return None
    if message.queue != queue.NOTICES and suppressions.is_suppressed(session, message.mailbox):
        ledger.settle(session, [message_id], "suppressed", "must not be written to", now)
        return None
    try:
        content = write(session, message, letter)
    except mime.BadHeader as error:
        ledger.settle(session, [message_id], "refused", str(error), now)
        return None
    if message.queue == queue.NOTICES:
        ledger.note_attempt(session, message_id, Outcome("began"), now)
    return Copy(message_id, links.bounce_address(message_id), message.email, content, message.queue == queue.NOTICES)


def _close_attempt(session: Session, message_id: int) -> None:
    for began in session.scalars(select(Attempt).where(Attempt.message_id == message_id, Attempt.outcome == "began")):
        session.delete(began)


def write(session: Session, message: Message, letter: Letter) -> bytes:
    """The bytes of a letter: the same headers on every attempt, but for the time in Date."""
    assert message.email is not None
    name, address = parseaddr(settings().mail_default_sender)
    head = [
        mime.address_header("From", name, address),
        mime.address_header("To", letter.to_name, message.email),
        mime.header("Subject", letter.subject),
        mime.header("Date", format_datetime(message.created_at)),
        mime.header("Message-ID", links.message_id(message.id)),
        *(_header(key, value) for key, value in letter.headers.items()),
    ]
    files = session.execute(
        select(Enclosure.filename, Enclosure.content_type, Enclosure.content)
        .where(Enclosure.serving_id == letter.serving_id, Enclosure.cohort == letter.cohort)
        .order_by(Enclosure.id)
    )
    enclosed = [mime.File(*row) for row in files] if letter.serving_id else []
    letter_bytes = MailLetter(
        head, enclosed, subject=letter.subject, recipients=[message.email], body=letter.text, html=letter.html,
        sender=settings().mail_default_sender,
    ).as_bytes()  # fmt: skip
    return signed(letter_bytes)


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


def connection(recipient: str) -> VerifiedConnection:
    """The connection that this process keeps open between letters: to the relay, or to where MAIL_ROUTES sends this domain."""
    now, route = datetime.now(UTC), settings().mail_routes.get(domain(recipient))
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
