"""Pending subscriptions, for every form that offers updates: the subscription's own, and the notice's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import states
from service.confirmations.confirmation_requests import Item
from service.confirmations.consents import record_consent
from service.models import MailingList, Subscription
from service.text.email_addresses import mailbox


def wording(mailing_list: MailingList) -> str:
    return f"Send me updates of the list “{mailing_list.title}” by e-mail. I can leave at any time."


def pending(session: Session, lists: Iterable[MailingList], details: dict[str, str], now: datetime, channel: str) -> list[Item]:
    """One item for each list that the mailbox is not on yet; nothing goes to it before its owner confirms."""
    items = []
    for mailing_list in lists:
        row = _row(session, mailing_list, details, now)
        if row.state == "left":
            states.move(row, "pending")
        if row.state == "pending":
            row.created_at = now  # an unconfirmed row is forgotten so many days after it was last asked for
            items.append(Item(row, details))
            record_consent(session, row.mailbox, f"list:{mailing_list.slug}", "asked", channel, wording(mailing_list), now)
    return items


def _row(session: Session, mailing_list: MailingList, details: dict[str, str], now: datetime) -> Subscription:
    key = mailbox(details["email"])
    statement = select(Subscription).where(Subscription.list_id == mailing_list.id, Subscription.mailbox == key)
    subscription = session.scalar(statement)
    if subscription is None:
        subscription = Subscription(list_id=mailing_list.id, mailbox=key, state="pending", created_at=now, **details)
        try:
            with session.begin_nested():
                session.add(subscription)
        except IntegrityError:  # the same form arrived twice at one time
            subscription = session.scalars(statement).one()
    return subscription
