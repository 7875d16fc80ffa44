"""Servings as organisers look at them: what waits, what went, how far each letter got."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.errors import NotFound
from service.models import Notice, Serving
from service.servings import register


def find(session: Session, number: int) -> Serving:
    statement = select(Serving).where(Serving.id == (number if number < 2**63 else 0))
    serving = session.scalars(statement.options(*register.WHOLE)).one_or_none()
    if serving is None:
        raise NotFound(f"there is no serving {number}")
    return serving


def of(session: Session, notice: Notice) -> list[tuple[Serving, dict[str, int]]]:
    """A notice's servings, the newest first, each with how many letters are in which tier."""
    statement = select(Serving).where(Serving.notice_id == notice.id).order_by(Serving.id.desc()).limit(50)
    return [(serving, _tiers(serving)) for serving in session.scalars(statement.options(*register.WHOLE))]


def newest(session: Session) -> dict[int, Serving]:
    """The last serving of each notice, by the notice's number."""
    return {serving.notice_id: serving for serving in session.scalars(select(Serving).order_by(Serving.id))}


def _tiers(serving: Serving) -> dict[str, int]:
    counts: dict[str, int] = {}
    for delivery in serving.deliveries:
        tier = register.tier(delivery)
        counts[tier] = counts.get(tier, 0) + 1
    return counts
