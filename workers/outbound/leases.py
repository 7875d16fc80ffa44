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
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, exists, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service import states
from service.core import queues
from service.core.db import among, transaction
from service.inbound import bounces, outcome_counts
from service.mailings import sender_refusals, tallies
from service.models import Attempt, Message
from service.models.mail import IS_QUEUED
from service.text import mail_troubles
from workers.outbound.smtp.outcome import Answer, Outcome, Verdict

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=45)
RENEW_SECONDS = 10
GIVE_UP = timedelta(days=5)
UNREACHABLE = timedelta(seconds=20)
LONGEST_WAIT = timedelta(minutes=30)
SETTLES: dict[str, str] = {"accepted": "accepted", "refused": "refused", "gone": "suppressed"}
UNTRIED = frozenset({"unreachable", "turned_away"})
"""Verdicts that say nothing of the recipient: they count as no attempt."""
DELAYS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720))
"""How long a message waits after each "come back later" (RFC 5321 §4.5.4.1), for up to five days."""
FREE: dict[str, Any] = {"lease": None, "leased_until": None}


@cache
def token() -> str:
    """This process, as the holder of leases."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"


def let_go() -> None:
    """After a job that failed half-way: what it held is renewed no more, and the sweep takes it back once it lapsed."""
    _renewed.pop(token(), None)
    token.cache_clear()


_renewed: dict[str, float] = {}
"""When all leases under a token were renewed last; at first, when it first claimed."""


def held() -> bool:
    """Whether no claim of ours can have lapsed. Once one may have, nothing more is sent under this token, nor is it renewed."""
    since = _renewed.get(token())
    return since is None or time.time() < since + LEASE.total_seconds() - RENEW_SECONDS / 2


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
            own_token, now = token(), datetime.now(UTC)
            if own_token not in _renewed or not held():
                continue
            with transaction() as session:
                renew(session, now)
            if own_token in _renewed:
                _renewed[own_token] = now.timestamp()
        except SQLAlchemyError as error:  # the database is away: leases lapse, which is what they are for
            log.warning("leases not renewed: %s", type(error).__name__)


def renew(session: Session, now: datetime) -> None:
    conditions = (Message.state == "sending", Message.leased_until > now, Message.lease == token())
    session.execute(
        update(Message).where(*conditions).values(leased_until=now + LEASE).execution_options(synchronize_session=False)
    )


def claim(session: Session, message_ids: Any, now: datetime, columns: Sequence[Any] = (Message.id,)) -> list[Any]:
    """Leases those of these messages that are due and nobody else has; returns the columns asked for.

    A statement that chooses them locks what it chooses, and runs once: joined to the table that it reads, PostgreSQL may run it
    again for each row.
    """
    _renewing()
    _renewed.setdefault(token(), now.timestamp())
    given = isinstance(message_ids, Select)
    chosen = message_ids if given else select(Message.id).where(among(session, Message.id, message_ids))
    due = chosen.where(IS_QUEUED, Message.due_at <= now).with_for_update(skip_locked=True)
    locked = select(due.cte("due").c.id)
    values = {"lease": token(), "leased_until": now + LEASE, "attempts": Message.attempts + 1}
    return states.claim_returning(session, Message, "queued", "sending", locked, columns, **values)


def note_attempt(session: Session, message_id: int, outcome: Outcome, now: datetime) -> None:
    session.add(Attempt(message_id=message_id, at=now, host=outcome.host, replies=outcome.replies, outcome=outcome.verdict))


def record(session: Session, message_id: int, outcome: Outcome, now: datetime) -> bool:
    """Writes down what came of one claim; False where the lease was lost meanwhile."""
    answer = Answer(message_id, outcome.verdict, outcome.code, outcome.text, outcome.concern)
    return bool(record_many(session, token(), [answer], now))


def record_many(session: Session, lease: str, answers: Sequence[Answer], now: datetime) -> Counter[str]:
    """Writes down what came of many claims that are still held under this lease; how many went to which state."""
    accepted = [(answer.message_id, answer.code, answer.text[:500]) for answer in answers if answer.verdict == "accepted"]
    done: Counter[str] = Counter()
    if accepted:
        done["accepted"] = states.settle_many(session, "sending", "accepted", lease, accepted, now)
    refused: dict[int, str] = {}
    for answer in answers:
        if answer.verdict != "accepted" and (after := _record_other(session, lease, answer, now)):
            done[after] += 1
            if after == "refused" and answer.code and answer.concern is None:
                refused[answer.message_id] = f"{answer.code} {answer.text}"
    if refused:
        outcome_counts.lock(session)
    outcome_counts.add_settled(session, [*(number for number, _, _ in accepted), *refused], now)
    if refused:
        bounces.refused(session, refused, now)
    return +done


def record_and_tally(session: Session, lease: str, answers: Sequence[Answer], now: datetime) -> None:
    """The same for answers of any mailing, with the tallies that this changes."""
    numbers = [answer.message_id for answer in answers]
    statement = select(Message.id, Message.mailing_id).where(among(session, Message.id, numbers))
    mailing_of = dict(row._tuple() for row in session.execute(statement))
    for mailing_id in sorted(set(mailing_of.values()), key=lambda number: number or 0):
        of_mailing = [answer for answer in answers if mailing_of.get(answer.message_id) == mailing_id]
        done = record_many(session, lease, of_mailing, now)
        if mailing_id is not None:
            tallies.add(session, mailing_id, {state: done[state] for state in tallies.SETTLED if done[state]})


def _record_other(session: Session, lease: str, answer: Answer, now: datetime) -> str:
    conditions = (Message.id == answer.message_id, Message.lease == lease)
    message = session.scalar(select(Message).where(*conditions, Message.state == "sending"))
    if message is None:
        return ""
    after = _next_state(message, answer, now)
    values: dict[str, Any] = FREE | {"concern": answer.concern}
    if answer.code or answer.text:
        values |= {"reply_code": answer.code, "reply_text": answer.text[:500]}
    if answer.verdict in UNTRIED:  # else hours without a server would be days for a greylisted recipient
        values["attempts"] = Message.attempts - 1
    values |= {"settled_at": now} if after != "queued" else {"due_at": now + delay(message, answer.verdict, now)}
    return after if states.claim(session, Message, "sending", after, *conditions, **values) else ""


def _next_state(message: Message, answer: Answer, now: datetime) -> str:
    held = answer.verdict == "refused" and answer.concern is not None and message.mailing_id is not None
    if answer.verdict in SETTLES and not held:  # what may be about us is held until it is known how many servers say so
        return SETTLES[answer.verdict]
    if answer.verdict == "lost" and message.queue == queues.NOTICES:
        return "unsure"
    if held or now - message.created_at <= GIVE_UP:
        return "queued"
    return "refused" if answer.concern is None else _after_days(message, answer.verdict)


def _after_days(message: Message, verdict: Verdict) -> str:
    """What five days of trouble that is not the recipient's make of a message: nobody is refused for what we lack.

    A copy that was never really tried waits with its mailing, an official's letter for an organiser; another letter is late.
    """
    if message.mailing_id is not None:
        return "queued" if verdict in UNTRIED else "refused"
    return "queued" if message.queue == queues.NOTICES else "expired"


def delay(message: Message, verdict: Verdict, now: datetime) -> timedelta:
    """How long a message waits for its next attempt; longer, the longer a letter has waited for the same server in vain."""
    if verdict == "refused":
        return sender_refusals.HELD
    if verdict == "lost" and message.attempts <= 1:
        return UNREACHABLE
    if verdict not in UNTRIED:
        return DELAYS[max(min(message.attempts, len(DELAYS)), 1) - 1]
    if message.mailing_id is not None or (verdict == "unreachable" and message.queue != queues.NOTICES):
        return UNREACHABLE  # as soon as the server is back: somebody looks into a mailbox
    return min(max(UNREACHABLE, (now - message.created_at) / 8), LONGEST_WAIT)


def settle(session: Session, message_ids: Sequence[int], after: str, why: str, now: datetime) -> int:
    """Ends claims without an attempt: suppressed, cancelled."""
    conditions = (among(session, Message.id, message_ids), Message.lease == token())
    return states.claim(
        session, Message, "sending", after, *conditions, settled_at=now, reply_code=None, reply_text=why, **FREE
    )


def release(session: Session, lease: str, message_ids: Sequence[int] | None = None, **values: Any) -> int:
    """Gives back claims that were not tried: these, or all under a lease."""
    conditions = (Message.lease == lease, *((among(session, Message.id, message_ids),) if message_ids is not None else ()))
    return states.claim(session, Message, "sending", "queued", *conditions, attempts=Message.attempts - 1, **FREE, **values)


def take_back(session: Session, now: datetime, lease: str | None = None) -> int:
    """Frees the claims that lapsed, or all of a worker known to be gone. An official's letter may become unsure."""
    lapsed = (Message.leased_until < now if lease is None else Message.lease == lease,)
    began = exists().where(Attempt.message_id == Message.id, Attempt.outcome == "began")
    unsure = states.claim(
        session, Message, "sending", "unsure", *lapsed, Message.queue == queues.NOTICES, began,
        settled_at=now, reply_code=None, reply_text=mail_troubles.WORKER_STOPPED, **FREE,
    )  # fmt: skip
    return unsure + states.claim(session, Message, "sending", "queued", *lapsed, **FREE)
