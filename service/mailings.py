"""Story: write an update, submit, approve, fan out, pause, watch; publish it as news."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import datetime

from sqlalchemy import Select, Subquery, exists, func, insert, literal, select
from sqlalchemy.orm import Session

from service import emails, names, placeholders, queue, states, tallies
from service.config import settings
from service.errors import NotFound, Refused
from service.models import Mailing, MailingList, Message, Organiser, Subscription
from service.models.base import UTCDateTime
from service.models.mail import IS_QUEUED, IS_SENDING

IMAGE = re.compile(r"!\[[^\]]*\][(\[]")
CHUNK = 20_000
"""Rows of one fan-out transaction: a million at once would hold SQLite's write lock for seconds."""
APPROVERS = {"approver", "administrator"}


def draft(
    session: Session, mailing_list: MailingList, subject: str, body: str, author: Organiser | None, now: datetime
) -> Mailing:
    subject, body = _checked(subject, body)
    mailing = Mailing(
        slug=_slug(session, subject), list_id=mailing_list.id, subject=subject, body=body, state="draft",
        author_id=author.id if author else None, created_at=now, mailing_list=mailing_list,
    )  # fmt: skip
    session.add(mailing)
    session.flush()
    return mailing


def revise(mailing: Mailing, mailing_list: MailingList, subject: str, body: str, author: Organiser | None) -> None:
    """Whoever changed a draft last is its author: nobody approves words of their own."""
    if mailing.state != "draft":
        raise Refused("Only a draft can be changed; take it back first.")
    mailing.subject, mailing.body = _checked(subject, body)
    mailing.mailing_list = mailing_list
    mailing.author_id = author.id if author else None


def _checked(subject: str, body: str) -> tuple[str, str]:
    errors: dict[str, str] = {}
    try:
        subject = names.clean(subject, "subject", longest=150)
    except Refused as refused:
        errors |= refused.errors
    if not subject.strip():
        errors["subject"] = "Enter a subject."
    if not body.strip():
        errors["body"] = "Write the update."
    elif IMAGE.search(body):
        errors["body"] = "Link to an image instead of placing it: who loads it tells its server that they read this."
    elif strange := placeholders.unknown(body):
        errors["body"] = f"{strange[0]} is no placeholder; there are {{name}}, {{clp}} and {{office}}, as in {{name|friend}}."
    if errors:
        raise Refused(**errors)
    return subject, body.replace("\r\n", "\n").strip()


def _slug(session: Session, subject: str) -> str:
    bare = unicodedata.normalize("NFKD", subject).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", bare).strip("-")[:60].strip("-") or "update"
    taken = set(session.scalars(select(Mailing.slug).where(Mailing.slug.like(f"{slug}%"))))
    names_to_try = (slug if number == 1 else f"{slug}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names_to_try if name not in taken)


def find(session: Session, mailing_id: int) -> Mailing:
    mailing = session.get(Mailing, mailing_id) if 0 < mailing_id < 2**63 else None
    if mailing is None:
        raise NotFound(f"there is no mailing {mailing_id}")
    return mailing


def hold(session: Session, mailing_id: int) -> Mailing:
    """As `find`, for those who change it: others wait until the commit, so nobody judges a state that is no more."""
    return session.get_one(Mailing, find(session, mailing_id).id, with_for_update=True)


def content_hash(mailing: Mailing) -> str:
    """What an approval freezes: the list, the subject, the text and the sender."""
    parts = (str(mailing.list_id), mailing.subject, mailing.body, settings().mail_default_sender)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def submit(mailing: Mailing) -> None:
    states.move(mailing, "submitted")


def take_back(mailing: Mailing) -> None:
    states.move(mailing, "draft")


def approve(session: Session, mailing: Mailing, approver: Organiser | None, seen_hash: str, now: datetime) -> None:
    """Freezes what was seen and starts the fan-out. Two clicks or two organisers make one send.

    Raises Refused where it changed since it was seen, or where the approver is the author and APPROVALS asks for another.
    """
    if seen_hash != content_hash(mailing):
        raise Refused("The update has changed since you saw it. Read it again before you approve.")
    if settings().approvals:
        if approver is None or approver.role not in APPROVERS:
            raise Refused("Approving takes an approver or an administrator.")
        if approver.id == mailing.author_id:
            raise Refused("Another organiser must approve what you wrote.")
    values = {"approved_hash": seen_hash, "approved_at": now, "approver_id": approver.id if approver else None}
    if states.claim(session, Mailing, "submitted", "approved", Mailing.id == mailing.id, **values):
        queue.wake(session, "fan_out", mailing.id, queue.BULK)
    session.refresh(mailing)


def fan_out(session: Session, mailing_id: int, now: datetime) -> bool:
    """Stores the next chunk of message rows, in the order of subscriptions; True while there are more.

    The cursor moves in the same transaction as the rows, so a crash between two chunks repeats nothing and leaves out nobody.
    Of a cancelled mailing it withholds the next chunk.
    """
    mailing = session.get_one(Mailing, mailing_id, with_for_update=True)
    if mailing.state == "approved" and mailing.approved_hash == content_hash(mailing):
        states.move(mailing, "sending")
        tallies.begin(session, mailing_id)
    if mailing.state == "cancelled":
        return _withhold(session, mailing_id, now)
    if mailing.state != "sending" or mailing.fanned_out_at is not None:
        return False
    audience = (
        select(Subscription.id)
        .where(Subscription.list_id == mailing.list_id, Subscription.state == "confirmed")
        .where(Subscription.id > mailing.fanned_out_to, Subscription.confirmed_at <= mailing.approved_at)
        .order_by(Subscription.id)
        .limit(CHUNK)
    )
    rows = audience.subquery()
    last, count = session.execute(select(func.max(rows.c.id), func.count())).one()
    if count:
        session.execute(insert(Message).from_select(COPY, _copies(mailing_id, rows, now), include_defaults=False))
        mailing.fanned_out_to = last
        tallies.add(session, mailing_id, {"total": count})
    if count < CHUNK:
        mailing.fanned_out_at = now
    return bool(count == CHUNK)


COPY = ["kind", "queue", "mailing_id", "subscription_id", "state", "due_at", "attempts", "reply_text", "created_at"]


def _copies(mailing_id: int, rows: Subquery, now: datetime) -> Select[tuple[object, ...]]:
    at = literal(now, UTCDateTime())
    constants = (literal("mailing"), literal(queue.BULK), literal(mailing_id))
    return select(*constants, rows.c.id, literal("queued"), at, literal(0), literal(""), at).order_by(rows.c.id)


def pause(session: Session, mailing_id: int, because: str) -> bool:
    """Holds what has not left yet; takes effect within one batch."""
    return bool(states.claim(session, Mailing, "sending", "paused", Mailing.id == mailing_id, paused_because=because))


def pause_and_tell(session: Session, mailing_id: int, because: str, now: datetime) -> None:
    """The service itself pauses: every organiser hears of it, also one who looks at no page."""
    if pause(session, mailing_id, because):
        mailing = session.get_one(Mailing, mailing_id)
        for organiser in session.scalars(select(Organiser).order_by(Organiser.id)):
            emails.paused(session, organiser, mailing, because, now)


def resume(session: Session, mailing_id: int) -> bool:
    done = states.claim(session, Mailing, "paused", "sending", Mailing.id == mailing_id, paused_because="")
    queue.wake(session, "fan_out", mailing_id, queue.BULK)
    return bool(done)


def cancel(session: Session, mailing: Mailing, now: datetime) -> None:
    """Stops for good: what has not left yet never will."""
    states.move(mailing, "cancelled")
    mailing.finished_at = now
    session.flush()
    if _withhold(session, mailing.id, now):
        queue.wake(session, "fan_out", mailing.id, queue.BULK)


def _withhold(session: Session, mailing_id: int, now: datetime) -> bool:
    """Cancels the next chunk of what has not left; True where there may be more."""
    waiting = select(Message.id).where(Message.mailing_id == mailing_id, IS_QUEUED).limit(CHUNK)
    count = states.claim(session, Message, "queued", "cancelled", Message.id.in_(waiting), settled_at=now)
    tallies.add(session, mailing_id, {"cancelled": count})
    return count == CHUNK


def finish(session: Session, mailing_id: int, now: datetime) -> bool:
    """After a shift: marks a mailing sent once every one of its messages is settled; True where nothing is left to send.

    What the shift of a cancelled one gave back is withheld as well.
    """
    mailing = session.get_one(Mailing, mailing_id)
    if mailing.state == "cancelled":
        return not _withhold(session, mailing_id, now)
    mine = Message.mailing_id == mailing_id
    still_open = (session.scalar(select(Message.id).where(mine, state).limit(1)) for state in (IS_QUEUED, IS_SENDING))
    if mailing.fanned_out_at is None or any(still_open):
        return False
    return bool(states.claim(session, Mailing, "sending", "sent", Mailing.id == mailing_id, finished_at=now))


def wake_unfinished(session: Session) -> None:
    """Rings for every mailing that is on its way: the bell may have been lost."""
    left_over = exists().where(Message.mailing_id == Mailing.id, IS_QUEUED)
    unfinished = Mailing.state.in_(("approved", "sending")) | (Mailing.state == "cancelled") & left_over
    for mailing_id in session.scalars(select(Mailing.id).where(unfinished)):
        queue.wake(session, "fan_out", mailing_id, queue.BULK)


def audience_size(session: Session, mailing_list: MailingList) -> int:
    wanted = (Subscription.list_id == mailing_list.id, Subscription.state == "confirmed")
    return session.scalar(select(func.count()).select_from(Subscription).where(*wanted)) or 0


def all_of_them(session: Session) -> list[Mailing]:
    return list(session.scalars(select(Mailing).order_by(Mailing.id.desc())))
