"""A shift: batch after batch of one mailing, claim → fill → send → record, until it is drained or half a minute has passed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import links, mailings, queue
from service.addresses import mailbox
from service.db import reading, transaction
from service.models import Mailing, MailingList, Message, Subscription
from service.suppressions import suppressed_among
from workers.outbound import ledger
from workers.outbound.deliver import connection
from workers.outbound.stencil import Stencil
from workers.outbound.transport import Copy

BATCH = 200
SHIFT_SECONDS = 30
stopping: list[bool] = []
"""Not empty once this process was asked to end: a shift then ends with the message in hand."""


@dataclass(frozen=True)
class Claimed:
    message_id: int
    subscription_id: int
    values: dict[str, str]


def run(mailing_id: int) -> None:
    """One shift. Rings again where messages are left, and marks the mailing sent where none is."""
    until = time.monotonic() + SHIFT_SECONDS
    while time.monotonic() < until and not stopping and _batch(mailing_id):
        pass
    with transaction() as session:
        if not mailings.finish(session, mailing_id, datetime.now(UTC)) and _due(session, mailing_id):
            queue.wake(session, "shift", mailing_id, queue.BULK)


def _batch(mailing_id: int) -> int:
    with transaction() as session:
        claimed = _claim(session, mailing_id, datetime.now(UTC))
    for one in claimed:
        if stopping or not _still_wanted(one, mailing_id):
            continue
        outcome = connection().deliver(_copy(mailing_id, one))
        with transaction() as session:
            ledger.record(session, one.message_id, outcome, datetime.now(UTC))
        if outcome.verdict == "unreachable":
            break
    _hand_back([one.message_id for one in claimed])
    return len(claimed)


def _due(session: Session, mailing_id: int) -> bool:
    waiting = (Message.mailing_id == mailing_id, Message.state == "queued", Message.due_at <= datetime.now(UTC))
    going = session.scalar(select(Mailing.state).where(Mailing.id == mailing_id)) == "sending"
    return going and session.scalar(select(Message.id).where(*waiting).limit(1)) is not None


def _claim(session: Session, mailing_id: int, now: datetime) -> list[Claimed]:
    """Leases a batch, and settles at once those who left or must not be written to."""
    if session.scalar(select(Mailing.state).where(Mailing.id == mailing_id)) != "sending":
        return []
    waiting = (Message.mailing_id == mailing_id, Message.state == "queued", Message.due_at <= now)
    ids = session.scalars(select(Message.id).where(*waiting).order_by(Message.id).limit(BATCH)).all()
    leased = dict(ledger.claim(session, ids, now, (Message.subscription_id, Message.id)))
    people = session.scalars(select(Subscription).where(Subscription.id.in_(leased), Subscription.state == "confirmed")).all()
    forbidden = suppressed_among(session, {person.mailbox for person in people})
    wanted = {person.id: person for person in people if person.mailbox not in forbidden}
    for subscription_id, message_id in leased.items():
        if subscription_id not in wanted:
            ledger.settle(session, message_id, "suppressed", "left before it was sent", now)
    return [Claimed(leased[person.id], person.id, _values(leased[person.id], person)) for person in wanted.values()]


def _values(message_id: int, person: Subscription) -> dict[str, str]:
    return {
        "name": person.name, "clp": person.clp, "office": person.office, "email": person.email,
        "leave": links.unsubscribe_url(person.id), "leave_by_mail": links.unsubscribe_address(person.id),
        "message_id": links.message_id(message_id),
    }  # fmt: skip


def _still_wanted(one: Claimed, mailing_id: int) -> bool:
    """Looks again just before the text leaves: nobody gets mail after saying no, and a pause takes effect at once."""
    now = datetime.now(UTC)
    with reading() as session:
        if session.scalar(select(Mailing.state).where(Mailing.id == mailing_id)) != "sending":
            return False
        state = session.scalar(select(Subscription.state).where(Subscription.id == one.subscription_id))
        blocked = suppressed_among(session, {mailbox(one.values["email"])})
    if state == "confirmed" and not blocked:
        return True
    with transaction() as session:
        ledger.settle(session, one.message_id, "suppressed", "left before it was sent", now)
    return False


def _hand_back(message_ids: list[int]) -> None:
    """What this batch claimed and did not send waits again."""
    with transaction() as session:
        ledger.release(session, message_ids)


def _copy(mailing_id: int, one: Claimed) -> Copy:
    return Copy(links.bounce_address(one.message_id), one.values["email"], _stencil(mailing_id).copy(one.values))


@lru_cache(maxsize=4)
def _stencil(mailing_id: int) -> Stencil:
    """An approved mailing never changes, so its stencil is cut once for each process."""
    with reading() as session:
        mailing = session.get_one(Mailing, mailing_id)
        mailing.mailing_list = session.get_one(MailingList, mailing.list_id)
        return Stencil(mailing, mailing.approved_at or datetime.now(UTC))
