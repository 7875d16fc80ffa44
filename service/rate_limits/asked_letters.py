"""Who asks for letters to others: one visitor, or one mail server, counted in SQL by a keyed mark that is kept for two days.

What is answered by a press does not count: a meeting that signs from one connection is no harm to anybody.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, exists, func, or_, select, update
from sqlalchemy.orm import Session

from service.core.config import settings
from service.core.db import among
from service.models import Letter, Message, Request

KEY = "asker"
DAY, KEPT = timedelta(days=1), timedelta(days=2)
LOOK_AGAIN = timedelta(hours=1)
MOST = 5_000


def note(session: Session, mark: str | None) -> None:
    """Whose wish the letters of this transaction are."""
    session.info[KEY] = mark


def of(session: Session) -> str | None:
    """None: nobody who could be told apart."""
    key = session.info.get(KEY)
    return str(key) if key else None


def asks_too_much(session: Session, mark: str | None, now: datetime, message_id: int | None = None) -> bool:
    """Whether so many letters left today for this one that nobody answered; asked when one is stored, and as it falls due.

    `message_id`: the letter that falls due; those that wait behind it do not count.
    """
    if mark is None:
        return False
    answered = exists().where(
        Letter.message_id == Message.id, Request.id == Letter.request_id, Request.used_at.is_not(None)
    )  # fmt: skip
    others = Message.asked_by == mark
    if message_id is not None:
        others = and_(others, Message.id != message_id, or_(Message.state != "queued", Message.id < message_id))
    left = (
        select(Message.id)
        .where(others, Message.due_at <= now, or_(Message.settled_at.is_(None), Message.settled_at > now - DAY))
        .where(Message.state.not_in(("cancelled", "suppressed")), ~answered)
        .limit(settings().limit_asked)
    )
    return (session.scalar(select(func.count()).select_from(left.subquery())) or 0) >= settings().limit_asked


def forget(session: Session, now: datetime) -> int:
    """Takes off marks whose time is over, some thousand at a time; returns how many."""
    marked = select(Message.id).where(Message.asked_by.is_not(None), Message.due_at < now - KEPT).limit(MOST)
    ids = list(session.scalars(marked))
    session.execute(update(Message).where(among(session, Message.id, ids)).values(asked_by=None))
    return len(ids)
