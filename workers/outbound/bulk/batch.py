"""A batch of one mailing: claimed at once, those who left settled at once, each copy made when it is needed."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import lru_cache

from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.core.config import settings
from service.core.db import among, reading, transaction
from service.emails.suppressions import LOOK_AGAIN, held_among, suppressed_among
from service.mailings import pausing, tallies
from service.models import Mailing, MailingList, Message, Subscription
from service.models.mail import IS_QUEUED
from service.operations import failures
from workers.outbound import leases
from workers.outbound.bulk.ceilings import Pace
from workers.outbound.message import dkim
from workers.outbound.message.stencil import Person, Stencil

log = logging.getLogger(__name__)

SIZE = 500
ENOUGH = 200
"""Settled messages before the share of refusals says anything."""


def is_due(session: Session, mailing_id: int, now: datetime) -> bool:
    """Whether a message of this mailing could be sent now."""
    waiting = (Message.mailing_id == mailing_id, IS_QUEUED, Message.due_at <= now)
    going = session.scalar(select(Mailing.state).where(Mailing.id == mailing_id)) == "sending"
    return going and session.scalar(select(Message.id).where(*waiting).limit(1)) is not None


def claim(session: Session, mailing_id: int, now: datetime, pace: Pace) -> tuple[list[Person], bool]:
    """Leases the next messages that may go now; to whom they go, and whether there may be more at once."""
    if session.scalar(select(Mailing.state).where(Mailing.id == mailing_id)) != "sending":
        return [], False
    want = pace.batch(SIZE)
    ids = select(Message.id).where(Message.mailing_id == mailing_id).order_by(Message.due_at, Message.id).limit(want)
    leased = {row.subscription_id: row.id for row in leases.claim(session, ids, now, (Message.id, Message.subscription_id))}
    people = session.execute(select(*PERSON, Subscription.state).where(among(session, Subscription.id, leased))).all()
    staying = [person[:-1] for person in people if person.state == "confirmed"]
    forbidden = suppressed_among(session, [person[1] for person in staying])
    leased_people = [(leased[person[0]], *person) for person in staying if person[1] not in forbidden]
    if len(leased_people) < len(leased):
        subscription_ids = {row[1] for row in leased_people}
        _settle_gone(session, mailing_id, [number for person, number in leased.items() if person not in subscription_ids], now)
    return _spread(session, _without_held(session, leased_people, now), now, pace), len(leased) == want


PERSON = (
    Subscription.id, Subscription.mailbox, Subscription.email, Subscription.name, Subscription.clp, Subscription.office,
)  # fmt: skip


def _settle_gone(session: Session, mailing_id: int, gone: list[int], now: datetime) -> None:
    count = leases.settle(session, gone, "suppressed", "left before it was sent", now)
    tallies.add(session, mailing_id, {"suppressed": count})


def _without_held(session: Session, people: list[Person], now: datetime) -> list[Person]:
    """Whose copies may go; those of readers whom a brake holds wait until an organiser has looked."""
    held = held_among(session, [person[2] for person in people])
    if held:
        waiting = [person[0] for person in people if person[2] in held]
        leases.release(session, leases.token(), waiting, due_at=now + LOOK_AGAIN)
    return [person for person in people if person[2] not in held]


def _spread(session: Session, people: list[Person], now: datetime, pace: Pace) -> list[Person]:
    """Those whose receiving domain has room soon; the others are given back, due when it may be their turn."""
    soon, later = pace.spread(people, now)
    for due_at, waiting in later.items():
        leases.release(session, leases.token(), waiting, due_at=due_at)
    return soon


def too_many_refused(session: Session, mailing_id: int, share: int) -> str | None:
    """Why the mailing should pause: more than `share` per cent of what was settled was refused."""
    counts = tallies.read(session, mailing_id)
    refused, settled = counts.get("refused", 0), sum(counts.get(state, 0) for state in ("refused", "accepted"))
    if settled >= ENOUGH and refused * 100 > settled * share:
        return f"{refused:,} of {settled:,} messages were refused"
    return None


@lru_cache(maxsize=4)
def stencil_of(mailing_id: int) -> Stencil:
    """An approved mailing never changes, so its stencil is cut once for each process."""
    with reading() as session:
        mailing = session.get_one(Mailing, mailing_id)
        mailing.mailing_list = session.get_one(MailingList, mailing.list_id)
        return Stencil(mailing, dkim.load(settings()))


def can_be_made(mailing_id: int) -> bool:
    """Whether its text becomes letters. One that does not would fail the same way for ever: it pauses, and says why."""
    try:
        stencil_of(mailing_id)
    except (SQLAlchemyError, RedisError):
        raise
    except Exception as error:
        log.warning("mailing %d: no letter can be made of it: %s", mailing_id, failures.place_of(error))
        with transaction() as session:
            because = f"no letter can be made of its text ({type(error).__name__})"
            pausing.pause_and_tell(session, mailing_id, because, datetime.now(UTC))
        return False
    return True
