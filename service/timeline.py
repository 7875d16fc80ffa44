"""Story: everything that happened between us and one mailbox, in its order, for an organiser who is asked about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.models import Arrival, Bounce, Consent, Mailing, Message, Subscription, Suppression
from service.suppressions import keyed_hash

MOST = 500
ACTS = {
    "asked": "Asked for", "confirmed": "Confirmed", "withdrawn": "Left or withdrew", "imported": "Came with an import:",
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Event:
    """`what` in a few words, `detail` in the words of those who said it."""

    at: datetime
    what: str = field(compare=False)
    detail: str = field(compare=False, default="")


@dataclass(frozen=True)
class Timeline:
    mailbox: str
    subscriptions: list[Subscription]
    suppression: Suppression | None
    events: list[Event]


def of(session: Session, mailbox: str) -> Timeline:
    """At most the newest few hundred events of each kind."""
    subscriptions = list(session.scalars(select(Subscription).where(Subscription.mailbox == mailbox).order_by(Subscription.id)))
    events = [
        *_consents(session, mailbox),
        *_messages(session, mailbox, [one.id for one in subscriptions]),
        *_arrivals(session, mailbox),
        *_bounces(session, mailbox),
    ]
    suppression = session.get(Suppression, keyed_hash(mailbox))
    if suppression is not None:
        events.append(Event(suppression.at, "Written to no more", suppression.reason))
    return Timeline(mailbox, subscriptions, suppression, sorted(events))


def _consents(session: Session, mailbox: str) -> Iterator[Event]:
    for one in session.scalars(select(Consent).where(Consent.mailbox == mailbox).order_by(Consent.id.desc()).limit(MOST)):
        what = one.purpose.removeprefix("list:") if one.purpose.startswith("list:") else "a signature"
        yield Event(one.at, f"{ACTS[one.act]} {what}", f"by {one.channel}")


def _messages(session: Session, mailbox: str, subscription_ids: list[int]) -> Iterator[Event]:
    letters = select(Message).where(Message.mailbox == mailbox, Message.mailing_id.is_(None))
    for one in session.scalars(letters.order_by(Message.created_at.desc()).limit(MOST)):
        yield Event(one.created_at, f"Our letter “{one.kind.replace('_', ' ')}”: {one.state}", _reply(one))
    copies = (
        select(Message, Mailing.subject)
        .join(Mailing, Mailing.id == Message.mailing_id)
        .where(Message.mailing_id.in_(select(Mailing.id)), Message.subscription_id.in_(subscription_ids))
    )
    for copy, subject in session.execute(copies.order_by(Message.id.desc()).limit(MOST)):
        yield Event(copy.settled_at or copy.created_at, f"Update “{subject}”: {copy.state}", _reply(copy))


def _reply(message: Message) -> str:
    return f"{message.reply_code or ''} {message.reply_text}".strip()


def _arrivals(session: Session, mailbox: str) -> Iterator[Event]:
    for one in session.scalars(select(Arrival).where(Arrival.mailbox == mailbox).order_by(Arrival.id.desc()).limit(MOST)):
        yield Event(one.received_at, f"Mail came in: {one.kind or 'not read yet'}", one.outcome)


def _bounces(session: Session, mailbox: str) -> Iterator[Event]:
    mine = Bounce.hash == keyed_hash(mailbox)
    for one in session.scalars(select(Bounce).where(mine).order_by(Bounce.id.desc()).limit(MOST)):
        named = {"complaint": "Called it spam", "lifted": "Suppression lifted", "delayed": "Delayed"}
        yield Event(one.at, named.get(one.kind, f"Came back: {one.kind}"), f"{one.status} {one.text}".strip())
