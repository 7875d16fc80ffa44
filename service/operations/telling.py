"""Tells organisers by e-mail what is wrong: once for each problem, all that is new in one letter, and only those who can act.

The letter goes the way of all letters: where mail itself is broken it waits, ALERT_URL is called meanwhile, and it is withdrawn
if nothing is wrong any more by the time that it could leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service import states
from service.core import queues
from service.core.db import reading
from service.emails import catalogue_for_organisers
from service.models import Message, Organiser, ToldProblem
from service.models.mail import IS_QUEUED
from service.operations import health, problems
from service.operations.problems import MAIL, Problem

LASTS = timedelta(seconds=60)
"""What is over sooner is told nobody by e-mail: a worker that starts again is no problem."""
REMEMBERED = timedelta(hours=24)
"""A problem that comes back within this time of its end is not told again."""
KIND = "problems"
MOST_A_DAY = 12
"""Letters to one organiser; what is not told then still stands on the dashboard."""
LISTED = 10
"""Problems in one letter."""


def tell(session: Session, now: datetime) -> None:
    """Looks first, in a transaction that only reads: a Redis that hangs must not keep the database locked."""
    rows = {problem.key: problem for problem in _wrong(now)}
    if not rows and not _anything_kept():
        return
    new = _note_seen(session, rows, now)
    if not rows:
        _withdraw_waiting(session, now)
    elif new:
        for organiser in session.scalars(select(Organiser).where(Organiser.removed_at.is_(None)).order_by(Organiser.id)):
            _write(session, organiser, [rows[told.key] for told in new], now)
    for told in new:
        told.told_at = now


def look_anew(session: Session) -> None:
    """A clock that starts has not seen how long anything lasts; workers may be starting beside it."""
    session.execute(delete(ToldProblem).where(ToldProblem.told_at.is_(None)))


def _wrong(now: datetime) -> list[Problem]:
    parts = problems.of_parts(health.parts())
    with reading() as looking:
        return parts + problems.present(looking, now, MAIL)


def _anything_kept() -> bool:
    with reading() as looking:
        return looking.scalar(select(ToldProblem.key).limit(1)) is not None


def _withdraw_waiting(session: Session, now: datetime) -> None:
    waiting = (Message.queue == queues.PROMPT, Message.mailing_id.is_(None), IS_QUEUED, Message.kind == KIND)
    states.claim(session, Message, "queued", "cancelled", *waiting, settled_at=now, reply_text="it was over by then")


def _note_seen(session: Session, rows: dict[str, Problem], now: datetime) -> list[ToldProblem]:
    """Keeps up what is there and what is over; returns what is new and lasts, in the order of the list."""
    session.execute(delete(ToldProblem).where(ToldProblem.over_at < now - REMEMBERED))
    kept = {told.key: told for told in session.scalars(select(ToldProblem))}
    for key, told in kept.items():
        if key in rows and told.over_at is not None and told.told_at is None:
            told.seen_at = now  # it was over before it was told, and begins anew
        told.over_at = None if key in rows else told.over_at or now
    for key in rows.keys() - kept.keys():
        session.add(kept.setdefault(key, ToldProblem(key=key, seen_at=now)))
    return [kept[key] for key in rows if kept[key].told_at is None and kept[key].seen_at <= now - LASTS]


def _write(session: Session, organiser: Organiser, rows: Sequence[Problem], now: datetime) -> None:
    """One letter with all that is new and theirs to mend."""
    theirs = [problem for problem in rows if organiser.role in problem.roles]
    of_today = (Message.mailbox == organiser.mailbox, Message.created_at > now - timedelta(days=1))
    letters = select(func.count()).where(*of_today, Message.mailing_id.is_(None), Message.kind == KIND)
    count = session.scalar(letters)
    if theirs and (count or 0) < MOST_A_DAY:
        catalogue_for_organisers.problems(session, organiser, theirs[:LISTED], max(len(theirs) - LISTED, 0), now)
