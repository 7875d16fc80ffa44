"""Forgets what is over, in batches; service/people/retention_rules.py says of each table what is kept and until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, inspect, or_, select, update
from sqlalchemy.orm import Session

from service import states
from service.core.config import settings
from service.core.db import among
from service.core.keyed_hashes import keyed_hash
from service.inbound import brakes
from service.models import (
    Arrival,
    Bounce,
    Complaint,
    Consent,
    Correction,
    Edition,
    Enclosure,
    Import,
    Letter,
    MailPolicy,
    Message,
    Notice,
    OrganiserSession,
    RawMail,
    Request,
    Serving,
    Signature,
    SignInLink,
    Subscription,
    WaitingForm,
)  # fmt: skip
from service.models.mail import TO_OFFICIALS
from service.people.forget_letters import forget_letters
from service.rate_limits import asked_letters, visitors
from service.rate_limits.windows import ASKING

BATCH = 5_000
SETTLED = ("accepted", "bounced", "complained", "refused", "suppressed", "cancelled", "expired")


def run(session: Session, now: datetime) -> dict[str, int]:
    """Forgets one batch of everything that is due; returns how many rows of each kind. Called until nothing is left."""
    return {name: rule(session, now) for name, rule in STEPS.items()}


def _unconfirmed_signatures(session: Session, now: datetime) -> int:
    """Whoever had withdrawn has withdrawn still: with the row its proof would go, and the link that undoes it."""
    over = (Signature.state == "pending", Signature.created_at < now - _unconfirmed())
    again = select(Signature.id).where(*over, Signature.withdrawn_at.is_not(None)).limit(BATCH)
    back = states.claim(session, Signature, "pending", "withdrawn", Signature.id.in_(again))
    return back + _delete(session, Signature, *over, Signature.withdrawn_at.is_(None))


def _unconfirmed_subscriptions(session: Session, now: datetime) -> int:
    """Whoever had left before has left still: else an import could bring them back."""
    over = (Subscription.state == "pending", Subscription.created_at < now - _unconfirmed())
    again = select(Subscription.id).where(*over, Subscription.left_at.is_not(None)).limit(BATCH)
    back = states.claim(session, Subscription, "pending", "left", Subscription.id.in_(again))
    return back + _delete(session, Subscription, *over, Subscription.left_at.is_(None))


def _left_subscriptions(session: Session, now: datetime) -> int:
    return _delete(session, Subscription, Subscription.state == "left", Subscription.left_at < now - timedelta(days=730))


def _unconfirmed() -> timedelta:
    return timedelta(days=settings().unconfirmed_days)


def _requests(session: Session, now: datetime) -> int:
    over = or_(
        Request.expires_at < now - _unconfirmed(),
        ~_held(Request.mailbox) & Request.reactivates.is_(False) & (Request.created_at < now - _unconfirmed()),
    )
    return _delete(session, Request, over)


def _held(mailbox: Any) -> ColumnElement[bool]:
    """Whether we hold a signature or a subscription of this mailbox; without, it is a stranger's."""
    return or_(exists().where(Signature.mailbox == mailbox), exists().where(Subscription.mailbox == mailbox))


def _asked(session: Session, now: datetime) -> int:
    """Wishes that nobody confirmed in time."""
    later = Consent.__table__.alias()
    answered = exists().where(
        later.c.mailbox == Consent.mailbox, later.c.purpose == Consent.purpose, later.c.act != "asked"
    )  # fmt: skip
    return _delete(session, Consent, Consent.act == "asked", Consent.at < now - _unconfirmed(), ~answered)


def _strangers(session: Session, now: datetime) -> int:
    """Letters that a form made us send to an address of which we hold nothing: what they said, and to whom."""
    over = (Message.kind.in_(ASKING), Message.created_at < now - _unconfirmed(), Message.state.in_(SETTLED))
    chosen = select(Message.id).where(*over, Message.mailbox.is_not(None), ~_held(Message.mailbox)).limit(BATCH)
    return len(forget_letters(session, list(session.scalars(chosen))))


def _letters(session: Session, now: datetime) -> int:
    conditions = (Message.mailing_id.is_(None), Message.kind.not_in(TO_OFFICIALS))
    settled = select(Message.id).where(*conditions, *_settled_before(now - timedelta(days=30)))
    return _delete(session, Letter, Letter.message_id.in_(settled))


def _messages(session: Session, now: datetime) -> int:
    settled = (Message.mailing_id.is_(None), Message.kind.not_in(TO_OFFICIALS), *_settled_before(now - timedelta(days=90)))
    return _delete(session, Message, *settled)


def _settled_before(when: datetime) -> tuple[ColumnElement[bool], ...]:
    """Also letters that were cancelled before anybody tried to send them, which have no time of their own."""
    return Message.state.in_(SETTLED), func.coalesce(Message.settled_at, Message.created_at) < when


def _consents(session: Session, now: datetime) -> int:
    later = Consent.__table__.alias()
    withdrawn = exists().where(
        later.c.mailbox == Consent.mailbox, later.c.purpose == Consent.purpose, later.c.act == "withdrawn",
        later.c.at < now - timedelta(days=6 * 365), later.c.id >= Consent.id,
    )  # fmt: skip
    return _delete(session, Consent, withdrawn)


def _names(session: Session, now: datetime) -> int:
    """Signatures of notices closed long ago keep their number and display, and nothing of the person."""
    closed = select(Edition.id).join(Notice).where(Notice.closed_at < now - timedelta(days=settings().pseudonymise_days))
    rows = session.scalars(select(Signature).where(Signature.edition_id.in_(closed), Signature.email != "").limit(BATCH)).all()
    hashes = dict(session.execute(select(Edition.id, Edition.hash).where(Edition.id.in_(closed))).tuples().all())
    for row in rows:
        conditions = (Consent.mailbox == row.mailbox, Consent.purpose == f"sign:{hashes[row.edition_id]}")
        session.execute(update(Consent).where(*conditions).values(mailbox=keyed_hash(row.mailbox)))
        row.mailbox = row.name_key = keyed_hash(f"{row.mailbox} {row.name_key}")
        row.email = row.name = row.clp = row.office = ""
        row.display = "count"
        row.nonce = row.withdrawal_nonce = None  # its leaves are noise from now on
    return len(rows)


def _enclosures(session: Session, now: datetime) -> int:
    closed = Notice.closed_at < now - timedelta(days=settings().pseudonymise_days)
    old = select(Serving.id).join(Notice, Notice.id == Serving.notice_id).where(closed)
    statement = update(Enclosure).where(Enclosure.serving_id.in_(old), Enclosure.content != b"").values(content=b"")
    return len(list(session.scalars(statement.returning(Enclosure.id).execution_options(synchronize_session=False))))


def _raw_mail(session: Session, now: datetime) -> int:
    """The bytes of what came in, once it is read and a month old, and of all that goes with the next rule."""
    read = Arrival.state.in_(("done", "quarantined")) & (Arrival.received_at < now - timedelta(days=30))
    old = select(Arrival.raw_id).where(Arrival.raw_id.is_not(None), read | (Arrival.received_at < now - timedelta(days=90)))
    return _delete(session, RawMail, RawMail.id.in_(old))


def _older(column: Any, days: int) -> Callable[[Session, datetime], int]:
    """Forgets the rows whose time, this column, is so many days ago."""
    return lambda session, now: _delete(session, column.class_, column < now - timedelta(days=days))


def _delete(session: Session, model: type[Any], *where: ColumnElement[bool]) -> int:
    """One batch, chosen first: PostgreSQL would look through the whole table for a choice within the DELETE. What changed in
    between, because somebody confirmed it just now, stays."""
    (key,) = inspect(model).primary_key
    chosen = list(session.scalars(select(key).where(*where).limit(BATCH)))
    statement = delete(model).where(among(session, key, chosen), *where).returning(key)
    return len(list(session.scalars(statement.execution_options(synchronize_session=False)))) if chosen else 0


STEPS: dict[str, Callable[[Session, datetime], int]] = {
    "names": _names,  # before requests: those of a receipt end with what they manage
    "unconfirmed signatures": _unconfirmed_signatures,
    "unconfirmed subscriptions": _unconfirmed_subscriptions,
    "subscriptions left long ago": _left_subscriptions,
    "requests": _requests,
    "forms": lambda session, now: _delete(session, WaitingForm, WaitingForm.received_at < now - _unconfirmed()),
    "wishes": _asked,
    "strangers": _strangers,
    "letters": _letters,
    "messages": _messages,
    "consents": _consents,
    "complaints": _older(Complaint.answered_at, 6 * 365),
    "bytes that came in": _raw_mail,
    "mail that came in": _older(Arrival.received_at, 90),
    "bounces": _older(Bounce.at, 365),
    "what failures have in common": lambda session, now: brakes.forget(session, now, BATCH),
    "marks of visitors": visitors.forget,
    "marks of who asked": asked_letters.forget,
    "policies of mail servers": _older(MailPolicy.ends_at, 1),
    "sign-in links": _older(SignInLink.expires_at, 1),
    "sessions": _older(OrganiserSession.expires_at, 1),
    "imports": _older(Import.created_at, 365),
    "enclosures": _enclosures,
    "corrections": _older(Correction.sent_at, 365),
}
