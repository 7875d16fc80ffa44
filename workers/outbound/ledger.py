"""The ledger: who works on which message, and what came of it. A claim is a lease; acting twice is harmless.

Leases are renewed every 10 s by a thread, also while a slow server keeps us waiting; they lapse after 45 s, and the clock's
sweep takes them back. Recording checks the token, so a worker that lost its lease changes nothing.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service import queue, states
from service.db import transaction
from service.models import Attempt, Message
from workers.outbound.replies import Outcome

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=45)
RENEW_SECONDS = 10
GIVE_UP = timedelta(days=5)
UNREACHABLE = timedelta(seconds=20)
DELAYS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720))
"""How long a message waits after each "come back later" (RFC 5321 §4.5.4.1), for up to five days."""


@cache
def token() -> str:
    """This process, as the holder of leases."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"


def let_go() -> None:
    """After a job that failed half-way: what it held is renewed no more, and the sweep takes it back once it lapsed."""
    token.cache_clear()


@cache
def _renewing() -> threading.Thread:
    """One thread for each process, started by its first claim."""
    thread = threading.Thread(target=_renew_for_ever, name="leases", daemon=True)
    thread.start()
    return thread


def _renew_for_ever() -> None:
    pause = threading.Event()
    while not pause.wait(RENEW_SECONDS):
        try:
            with transaction() as session:
                renew(session, datetime.now(UTC))
        except SQLAlchemyError as error:  # the database is away: leases lapse, which is what they are for
            log.warning("leases not renewed: %s", type(error).__name__)


def renew(session: Session, now: datetime) -> None:
    mine = (Message.state == "sending", Message.leased_until > now, Message.lease == token())
    session.execute(update(Message).where(*mine).values(leased_until=now + LEASE).execution_options(synchronize_session=False))


def claim(session: Session, message_ids: Any, now: datetime, columns: Sequence[Any] = (Message.id,)) -> list[Any]:
    """Leases those of these messages that are due and nobody else has; returns the columns asked for."""
    _renewing()
    due = select(Message.id).where(Message.id.in_(message_ids), Message.state == "queued", Message.due_at <= now)
    locked = due.with_for_update(skip_locked=True)
    values = {"lease": token(), "leased_until": now + LEASE, "attempts": Message.attempts + 1}
    return states.claim_returning(session, Message, "queued", "sending", locked, columns, **values)


def note_attempt(session: Session, message_id: int, outcome: Outcome, now: datetime) -> None:
    session.add(Attempt(message_id=message_id, at=now, host=outcome.host, replies=outcome.replies, outcome=outcome.verdict))


def record(session: Session, message_id: int, outcome: Outcome, now: datetime) -> bool:
    """Writes down what came of a claim; False where the lease was lost meanwhile."""
    mine = (Message.id == message_id, Message.lease == token())
    message = session.scalar(select(Message).where(*mine, Message.state == "sending"))
    if message is None:
        return False
    after = _next_state(message, outcome, now)
    values: dict[str, Any] = {"lease": None, "leased_until": None}
    if outcome.code or outcome.text:
        values |= {"reply_code": outcome.code, "reply_text": outcome.text[:500]}
    if after == "queued":
        values["due_at"] = now + delay(message.attempts, outcome)
        if outcome.verdict == "unreachable":  # else hours without a server would be days for a greylisted recipient
            values["attempts"] = Message.attempts - 1
    else:
        values["settled_at"] = now
    return bool(states.claim(session, Message, "sending", after, *mine, **values))


def _next_state(message: Message, outcome: Outcome, now: datetime) -> str:
    if outcome.verdict in {"accepted", "refused"}:
        return outcome.verdict
    if outcome.verdict == "lost" and message.queue == queue.NOTICES:
        return "unsure"
    return "refused" if now - message.created_at > GIVE_UP else "queued"


def delay(attempts: int, outcome: Outcome) -> timedelta:
    if outcome.verdict in {
        "unreachable",
        "lost",
    }:  # nothing is wrong with this recipient: as soon as the server is back
        return UNREACHABLE
    return DELAYS[min(attempts, len(DELAYS)) - 1]


def settle(session: Session, message_id: int, after: str, why: str, now: datetime) -> None:
    """Ends a claim without an attempt: suppressed, cancelled."""
    mine = (Message.id == message_id, Message.lease == token())
    values = {"lease": None, "leased_until": None, "settled_at": now, "reply_text": why}
    states.claim(session, Message, "sending", after, *mine, **values)


def release(session: Session, message_ids: Sequence[int]) -> None:
    """Gives back what this process claimed and did not try."""
    mine = (Message.id.in_(message_ids), Message.lease == token())
    values = {"lease": None, "leased_until": None, "attempts": Message.attempts - 1}
    states.claim(session, Message, "sending", "queued", *mine, **values)


def take_back(session: Session, now: datetime) -> int:
    """Frees the claims of workers that are gone. An official's letter whose text may have left becomes unsure."""
    lapsed = (Message.leased_until < now,)
    began = exists().where(Attempt.message_id == Message.id, Attempt.outcome == "began")
    values = {"lease": None, "leased_until": None}
    unsure = states.claim(
        session, Message, "sending", "unsure", *lapsed, Message.queue == queue.NOTICES, began,
        settled_at=now, reply_text="the worker stopped after the text may have left", **values,
    )  # fmt: skip
    return unsure + states.claim(session, Message, "sending", "queued", *lapsed, **values)
