"""A batch of one mailing: claimed at once, those who left settled at once, each copy made when it is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime, timedelta
from functools import lru_cache, partial

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from service import tallies
from service.addresses import domain
from service.config import settings
from service.db import reading
from service.models import Mailing, MailingList, Message, Subscription, Suppression
from service.models.mail import IS_QUEUED
from service.suppressions import suppressed_among
from workers.outbound import dkim, ledger, pace
from workers.outbound.exchange import Copy
from workers.outbound.stencil import Recipient, Stencil, readers

SIZE = 500
ENOUGH = 200
"""Settled messages before the share of refusals says anything."""


def is_due(session: Session, mailing_id: int, now: datetime) -> bool:
    """Whether a message of this mailing could be sent now."""
    waiting = (Message.mailing_id == mailing_id, IS_QUEUED, Message.due_at <= now)
    going = session.scalar(select(Mailing.state).where(Mailing.id == mailing_id)) == "sending"
    return going and session.scalar(select(Message.id).where(*waiting).limit(1)) is not None


def claim(session: Session, mailing_id: int, now: datetime) -> tuple[list[Recipient], bool]:
    """Leases the next messages that may go now; the readers, and whether there may be more at once."""
    want = pace.ceilings(mailing_id, SIZE)
    if session.scalar(select(Mailing.state).where(Mailing.id == mailing_id)) != "sending":
        return [], False
    if not want:
        return [], True
    ids = select(Message.id).where(Message.mailing_id == mailing_id).order_by(Message.id).limit(want)
    leased = {row.subscription_id: row.id for row in ledger.claim(session, ids, now, (Message.id, Message.subscription_id))}
    columns = (
        Subscription.id,
        Subscription.mailbox,
        Subscription.email,
        Subscription.name,
        Subscription.clp,
        Subscription.office,
    )
    people = session.execute(select(*columns).where(Subscription.id.in_(leased), Subscription.state == "confirmed")).all()
    forbidden = _forbidden(session, [person.mailbox for person in people])
    found = readers([(leased[person.id], *person) for person in people if person.mailbox not in forbidden])
    wanted = {reader.subscription_id for reader in found}
    gone = [message_id for subscription_id, message_id in leased.items() if subscription_id not in wanted]
    if gone:
        count = ledger.settle(session, gone, "suppressed", "left before it was sent", now)
        tallies.add(session, mailing_id, {"suppressed": count})
    return _paced(session, found, now), len(leased) == want


def _forbidden(session: Session, mailboxes: list[str]) -> set[str]:
    return suppressed_among(session, mailboxes) if session.scalar(select(exists(select(Suppression.hash)))) else set()


def _paced(session: Session, found: list[Recipient], now: datetime) -> list[Recipient]:
    """Those whose receiving domain has room; the others wait a second."""
    per_second = settings().limit_receiving_domain
    if not per_second:
        return found
    room = Counter(domain(reader.email) for reader in found)
    for name, want in room.items():
        room[name] = pace.grant(f"domain:{name}", want, per_second)
    may: list[Recipient] = []
    must_wait: list[Recipient] = []
    for reader in found:
        room[domain(reader.email)] -= 1
        (may if room[domain(reader.email)] >= 0 else must_wait).append(reader)
    waiting = [reader.message_id for reader in must_wait]
    ledger.release(session, ledger.token(), waiting, due_at=now + timedelta(seconds=1))
    return may


def too_many_refused(session: Session, mailing_id: int, share: int) -> str | None:
    """Why the mailing should pause: more than `share` per cent of what was settled was refused."""
    counts = tallies.read(session, mailing_id)
    refused, settled = counts.get("refused", 0), sum(counts.get(state, 0) for state in ("refused", "accepted"))
    if settled >= ENOUGH and refused * 100 > settled * share:
        return f"{refused:,} of {settled:,} messages were refused"
    return None


class Copies:
    """Makes copies of one mailing: on the signing threads, ahead of time, where there are any; else when one is asked for."""

    def __init__(self, mailing_id: int, signing: Executor | None) -> None:
        self.stencil, self.signing = stencil_of(mailing_id), signing

    def make(self, reader: Recipient) -> Callable[[], Copy]:
        if self.signing is not None:
            return self.signing.submit(self.stencil.copy, reader).result
        return partial(self.stencil.copy, reader)


@lru_cache(maxsize=4)
def stencil_of(mailing_id: int) -> Stencil:
    """An approved mailing never changes, so its stencil is cut once for each process."""
    with reading() as session:
        mailing = session.get_one(Mailing, mailing_id)
        mailing.mailing_list = session.get_one(MailingList, mailing.list_id)
        return Stencil(mailing, dkim.load(settings()))
