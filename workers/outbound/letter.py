"""One letter: claim → write → send → record."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core import queues
from service.core.config import settings
from service.core.db import transaction
from service.emails import links, suppressions
from service.models import Attempt, Delivery, Letter, Message
from service.rate_limits import windows
from service.servings import outcomes
from service.text import mail_troubles
from service.text.email_addresses import domain
from workers.outbound import journal, leases
from workers.outbound.message import mime
from workers.outbound.message.letter_bytes import write
from workers.outbound.smtp import mx, smtp_replies
from workers.outbound.smtp.mx import Route
from workers.outbound.smtp.outcome import Answer, Copy, Encryption, Outcome
from workers.outbound.smtp.transport import VerifiedConnection, VerifiedMail

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
        if leases.record(session, message_id, outcome, now):
            _close_attempt(session, message_id)
            for attempt in tried:
                leases.note_attempt(session, message_id, attempt, now)
                if copy.official:
                    outcomes.attempted(session, message_id, attempt.verdict, _evidence(attempt), direct=direct, now=now)
            if copy.official:
                outcomes.given_up(session, message_id, now)
        else:  # somebody else has it, with a mark of its own that stays
            log.warning("message %d: its lease was lost, the answer %s is not recorded", message_id, outcome.code)
    journal.own().empty()
    return True


def _outcomes(copy: Copy, *, direct: bool) -> Iterator[Outcome]:
    """One attempt at each of the servers that take this letter, until one of them has spoken."""
    try:
        routes: list[Route | None] = [*mx.routes(domain(copy.recipient), direct=direct)] or [None]
    except mx.TakesNoMail as error:
        yield Outcome("refused", None, str(error))
        return
    except mx.NotKnownNow as error:
        yield Outcome("unreachable", None, str(error), concern="server")
        return
    for route in routes:
        outcome = connection(route).deliver(copy, leases.held)
        yield outcome
        if outcome.verdict != "unreachable" and outcome.code not in smtp_replies.NO_MAIL_HERE:
            return


def _deciding(tried: list[Outcome]) -> Outcome:
    """The last word; but where a server would have been there, had it spoken TLS, that is what organisers are told."""
    without_tls, last = [outcome for outcome in tried if outcome.concern == "encryption"], tried[-1]
    nobody_took_it = last.verdict == "unreachable" or last.code in smtp_replies.NO_MAIL_HERE
    return without_tls[0] if without_tls and nobody_took_it else last


def _evidence(outcome: Outcome) -> dict[str, Any]:
    facts = {"host": outcome.host, "code": outcome.code, "text": outcome.text, "replies": outcome.replies}
    return facts | outcome.facts | {"worker": VERSION}


def _claim(session: Session, message_id: int) -> Copy | None:
    now = datetime.now(UTC)
    if not leases.claim(session, [message_id], now):
        return None
    message = session.get_one(Message, message_id)
    letter = session.get(Letter, message_id)
    if letter is None or message.email is None or message.mailbox is None:
        leases.settle(session, [message_id], "cancelled", "its letter was forgotten", now)
        return None
    delivery = outcomes.of_message(session, message_id)
    if _must_not_go(session, message, delivery, now):
        return None
    try:
        content = write(session, message, letter)
    except mime.BadHeader as error:
        leases.settle(session, [message_id], "refused", str(error), now)
        return None
    if message.queue == queues.NOTICES:
        leases.note_attempt(session, message_id, Outcome("began"), now)
    needs = _encryption(delivery)
    return Copy(message_id, links.bounce_address(message_id), message.email, content, delivery is not None, needs)


def _encryption(delivery: Delivery | None) -> Encryption:
    """A list of names never leaves in the clear; a correction holds numbers alone, and counts are public."""
    if delivery is None:
        return "where offered"
    return "needed" if delivery.names_given and not delivery.correction else "where it works"


def _must_not_go(session: Session, message: Message, delivery: Delivery | None, now: datetime) -> bool:
    """Ends the claim of a letter that its reader wants no more, and puts off one whose reader waits for an organiser."""
    if delivery is not None and outcomes.objected(session, delivery):
        leases.settle(session, [message.id], "suppressed", mail_troubles.OBJECTED, now)
        return True
    held = delivery is not None and outcomes.is_held_back(session, delivery)
    if held or windows.waits_still(session, message, now):
        leases.release(session, leases.token(), [message.id], due_at=now + suppressions.LOOK_AGAIN)
        return True
    barrier = suppressions.barrier_of(session, message.mailbox or "") if message.queue != queues.NOTICES else None
    if barrier is None or not barrier.bars(message.kind, message.created_at):
        return False
    if barrier.held:
        leases.release(session, leases.token(), [message.id], due_at=now + suppressions.LOOK_AGAIN)
    else:
        leases.settle(session, [message.id], "suppressed", "must not be written to", now)
    return True


def _close_attempt(session: Session, message_id: int) -> None:
    for began in session.scalars(select(Attempt).where(Attempt.message_id == message_id, Attempt.outcome == "began")):
        session.delete(began)


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
    kept = next((candidate for candidate in _kept() if candidate.connection.route == route), None)
    if kept is None:
        mail = current_app.extensions["undersigned.mail"]
        assert isinstance(mail, VerifiedMail)
        kept = _Kept(mail.connect(route), now)
        _kept().append(kept)
    if (now - kept.used_at).total_seconds() > IDLE_SECONDS:
        kept.connection.close()
    kept.used_at = now
    return kept.connection
