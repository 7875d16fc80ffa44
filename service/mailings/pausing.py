"""Pausing, resuming and cancelling an update that goes."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import states
from service.core import queues
from service.emails import catalogue_for_organisers
from service.mailings import sender_refusals, tallies
from service.models import Mailing, Message, Organiser
from service.models.mail import IS_QUEUED

CHUNK = 20_000
"""Rows of one transaction: a million at once would hold SQLite's write lock for seconds."""


def pause(session: Session, mailing_id: int, because: str) -> bool:
    """Holds what has not left yet; takes effect within one batch."""
    return bool(states.claim(session, Mailing, "sending", "paused", Mailing.id == mailing_id, paused_because=because))


def pause_and_tell(session: Session, mailing_id: int, because: str, now: datetime) -> None:
    """The service itself pauses: every organiser hears of it, also one who looks at no page."""
    if pause(session, mailing_id, because):
        mailing = session.get_one(Mailing, mailing_id)
        for organiser in session.scalars(select(Organiser).where(Organiser.removed_at.is_(None)).order_by(Organiser.id)):
            catalogue_for_organisers.paused(session, organiser, mailing, because, now)


def resume(session: Session, mailing_id: int) -> bool:
    sender_refusals.let_go(session, mailing_id, datetime.now(UTC))
    done = states.claim(session, Mailing, "paused", "sending", Mailing.id == mailing_id, paused_because="")
    queues.wake(session, "fan_out", mailing_id, queues.BULK)
    return bool(done)


def cancel(session: Session, mailing: Mailing, now: datetime) -> None:
    """Stops for good: what has not left yet never will."""
    states.move(mailing, "cancelled")
    mailing.finished_at = now
    session.flush()
    if withhold(session, mailing.id, now):
        queues.wake(session, "fan_out", mailing.id, queues.BULK)


def withhold(session: Session, mailing_id: int, now: datetime) -> bool:
    """Cancels the next chunk of what has not left; True where there may be more."""
    waiting = select(Message.id).where(Message.mailing_id == mailing_id, IS_QUEUED).limit(CHUNK)
    count = states.claim(session, Message, "queued", "cancelled", Message.id.in_(waiting), settled_at=now)
    tallies.add(session, mailing_id, {"cancelled": count})
    return count == CHUNK
