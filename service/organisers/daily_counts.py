"""Story: how many asked on each day, and how many of them confirmed, by receiving domain.

Kept as counts alone: a request that nobody confirms is forgotten after a week, and the question that it leaves is asked later.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from sqlalchemy import case, delete, func, or_, select
from sqlalchemy.orm import Session

from service.models import Day, Signature, Subscription
from service.organisers.small_counts import SMALLEST

LOOKED_BACK = 8
"""Days after which a request is confirmed or gone."""
TOP = 20
OTHERS = "others"
KINDS: dict[str, Any] = {"signatures": Signature, "subscriptions": Subscription}
STATES = {"signatures": ("pending", "confirmed", "withdrawn", "struck"), "subscriptions": ("pending", "confirmed", "left")}


def count(session: Session, now: datetime) -> list[Day]:
    """The last days counted again: what was asked then may have been confirmed since."""
    days = []
    for back in range(LOOKED_BACK):
        day = (now - timedelta(days=back)).astimezone(UTC).date()
        for what in KINDS:
            counts = _counted(session, what, day)
            days += [Day(day=day, what=what, domain=name, requested=a, confirmed=b) for name, (a, b) in counts.items()]
    return days


def keep(session: Session, counted: list[Day], now: datetime) -> None:
    """In place of what was counted before."""
    first = (now - timedelta(days=LOOKED_BACK - 1)).astimezone(UTC).date()
    session.execute(delete(Day).where(Day.day >= first))
    session.add_all(counted)


def _counted(session: Session, what: str, day: date) -> dict[str, tuple[int, int]]:
    """Who came by an import was never asked: created and confirmed in one moment."""
    model = KINDS[what]
    begins = datetime.combine(day, time(), UTC)
    host = _domain(session, model.email)
    statement = (
        select(host, func.count(), func.sum(case((model.confirmed_at.is_not(None), 1), else_=0)))
        .where(model.state.in_(STATES[what]), model.created_at >= begins, model.created_at < begins + timedelta(days=1))
        .where(model.email != "", or_(model.confirmed_at.is_(None), model.confirmed_at != model.created_at))
        .group_by(host)
        .order_by(func.count().desc())
    )
    counts: dict[str, tuple[int, int]] = {}
    for name, requested, confirmed in session.execute(statement):
        key = name if len(counts) < TOP and requested >= SMALLEST else OTHERS
        before = counts.get(key, (0, 0))
        counts[key] = before[0] + requested, before[1] + int(confirmed or 0)
    return counts


def _domain(session: Session, email: Any) -> Any:
    if session.get_bind().dialect.name == "postgresql":
        return func.lower(func.split_part(email, "@", 2))
    return func.lower(func.substr(email, func.instr(email, "@") + 1))


class Bar(NamedTuple):
    """One day, or one receiving domain."""

    label: str
    requested: int
    confirmed: int

    @property
    def share(self) -> int:
        return round(100 * self.confirmed / self.requested) if self.requested else 0


def by_day(session: Session, what: str, now: datetime, days: int = 30) -> list[Bar]:
    """Every day of the last ones, also those on which nobody asked."""
    first = now.astimezone(UTC).date() - timedelta(days=days - 1)
    columns = (Day.day, func.sum(Day.requested), func.sum(Day.confirmed))
    rows = session.execute(select(*columns).where(Day.what == what, Day.day >= first).group_by(Day.day))
    counts = {day: (int(requested), int(confirmed)) for day, requested, confirmed in rows}
    every = (first + timedelta(days=number) for number in range(days))
    return [Bar(f"{day.day} {day:%b}", *counts.get(day, (0, 0))) for day in every]


def by_domain(session: Session, now: datetime, days: int = 7) -> list[Bar]:
    """The receiving domains that asked most in the last days: one whose filter eats our letters confirms less than others."""
    first = now.astimezone(UTC).date() - timedelta(days=days - 1)
    requested = func.sum(Day.requested)
    statement = select(Day.domain, requested, func.sum(Day.confirmed)).where(Day.day >= first).group_by(Day.domain)
    return [Bar(name, int(a), int(b)) for name, a, b in session.execute(statement.order_by(requested.desc()).limit(10))]
