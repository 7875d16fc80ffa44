"""Servings as organisers look at them: what waits, what went, how far each letter got."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.errors import NotFound
from service.models import Notice, Serving
from service.servings import register


def find(session: Session, number: int) -> Serving:
    wanted = select(Serving).where(Serving.id == (number if number < 2**63 else 0))
    found = session.scalars(wanted.options(*register.WHOLE)).one_or_none()
    if found is None:
        raise NotFound(f"there is no serving {number}")
    return found


def of(session: Session, notice: Notice) -> list[tuple[Serving, dict[str, int]]]:
    """A notice's servings, the newest first, each with how many letters are in which tier."""
    mine = select(Serving).where(Serving.notice_id == notice.id).order_by(Serving.id.desc()).limit(50)
    return [(one, _tiers(one)) for one in session.scalars(mine.options(*register.WHOLE))]


def newest(session: Session) -> dict[int, Serving]:
    """The last serving of each notice, by the notice's number."""
    return {one.notice_id: one for one in session.scalars(select(Serving).order_by(Serving.id))}


def _tiers(serving: Serving) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in serving.deliveries:
        tier = register.tier(one)
        found[tier] = found.get(tier, 0) + 1
    return found
