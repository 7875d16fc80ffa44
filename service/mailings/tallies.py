"""Tallies of a mailing: changed in the transaction that changes its messages, so they are right whenever they are read."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.models import Tally

SETTLED = ("accepted", "refused", "suppressed", "cancelled", "expired", "bounced", "complained")


def begin(session: Session, mailing_id: int) -> None:
    """The rows of a mailing, all zero, before its first message."""
    session.add_all(Tally(mailing_id=mailing_id, state=state, count=0) for state in ("total", *SETTLED))
    session.flush()


def add(session: Session, mailing_id: int, changes: Mapping[str, int]) -> None:
    """Adds to the counts of some states; in one order, so that two workers never wait for each other in a circle."""
    for state, change in sorted(changes.items()):
        conditions = (Tally.mailing_id == mailing_id, Tally.state == state)
        statement = update(Tally).where(*conditions).values(count=Tally.count + change)
        session.execute(statement.execution_options(synchronize_session=False))


def read(session: Session, mailing_id: int) -> dict[str, int]:
    """Counts by state; what is not settled stands as `queued`."""
    rows = session.execute(select(Tally.state, Tally.count).where(Tally.mailing_id == mailing_id))
    counts = dict(row._tuple() for row in rows)
    total = counts.pop("total", 0)
    return {state: count for state, count in (counts | {"queued": total - sum(counts.values())}).items() if count}
