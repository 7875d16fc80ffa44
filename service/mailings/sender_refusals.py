"""Mail servers that refuse us, and not a reader: nobody is settled for it, and a mailing waits, or pauses, and goes on whole.

A copy that was refused for what may be about us (`Message.concern`) is held. Once such answers are many, the mailing pauses,
and all that is held is tried again when an organiser lets it go on. Where they stay few until nothing else is left, one
server's answer was about one reader after all: then they are refused.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from service import states
from service.core.config import settings
from service.mailings import tallies
from service.models import Message, Subscription
from service.models.mail import IS_QUEUED, IS_SENDING
from service.text.email_addresses import domain

HELD = timedelta(days=30)
"""How far off the next try of a copy is that is held: nothing else waits for more than a day."""
LASTING = timedelta(minutes=15)
"""For how long a mailing waits for servers that turn us away for now before it pauses."""
ENOUGH = 20
"""Refusals after which their share means something, where they are not the most."""
DOMAINS = 3


def _held(mailing_id: int, now: datetime) -> tuple[ColumnElement[bool], ...]:
    far = Message.due_at > now + HELD / 10
    return (Message.mailing_id == mailing_id, IS_QUEUED, far, Message.concern.is_not(None))


def why_pause(session: Session, mailing_id: int, now: datetime) -> str | None:
    """Why a mailing should pause: more were refused for what is about us than taken, or many at several domains."""
    held = session.scalar(select(func.count()).select_from(Message).where(*_held(mailing_id, now))) or 0
    if not held:
        return None
    accepted = tallies.read(session, mailing_id).get("accepted", 0)
    many = held >= ENOUGH and held * 100 > (held + accepted) * settings().blocked_share
    if not (held > accepted or (many and _domains(session, mailing_id, now) >= DOMAINS)):
        return None
    code, text = session.execute(
        select(Message.reply_code, Message.reply_text).where(*_held(mailing_id, now)).order_by(Message.id.desc()).limit(1)
    ).one()
    return f"{held:,} of {held + accepted:,} messages were refused for what is about us: {code or ''} {text[:200]}"


def _domains(session: Session, mailing_id: int, now: datetime) -> int:
    """How many receiving domains say so, of the last hundred refusals."""
    emails = select(Subscription.email).join(Message, Message.subscription_id == Subscription.id)
    newest = emails.where(*_held(mailing_id, now)).order_by(Message.id.desc()).limit(100)
    return len({domain(email) for email in session.scalars(newest)})


def let_go(session: Session, mailing_id: int, now: datetime) -> int:
    """What is held is due again, as soon as the mailing goes on; how many copies."""
    freed = update(Message).where(*_held(mailing_id, now)).values(due_at=Message.created_at, concern=None)
    return session.execute(freed.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined, no-any-return]


def settle(session: Session, mailing_id: int, now: datetime) -> int:
    """Once nothing else is left of a mailing, what is held was about its readers after all; how many are refused."""
    of_mailing = Message.mailing_id == mailing_id
    others = ((IS_QUEUED, Message.due_at <= now + HELD / 10), (IS_SENDING,))
    if any(session.scalar(select(Message.id).where(of_mailing, *other).limit(1)) is not None for other in others):
        return 0
    count = states.claim(session, Message, "queued", "refused", *_held(mailing_id, now), settled_at=now)
    tallies.add(session, mailing_id, {"refused": count} if count else {})
    return count
