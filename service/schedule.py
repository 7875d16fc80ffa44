"""When a serving falls due: at a milestone, on a date, or because an organiser says so; and what is merged into one."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service import queue
from service.config import settings
from service.models import Edition, Milestone, Notice, Serving

MERGE = timedelta(hours=24)
"""What falls due within this time of the last letter is merged into the next serving."""
DEFAULT_MILESTONES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)


def crossed(session: Session, edition: Edition, count: int, now: datetime) -> None:
    """Marks the milestones that this count reaches; each makes a serving due, once, whoever else sees it."""
    reached = (Milestone.notice_id == edition.notice_id, Milestone.threshold <= count, Milestone.crossed_at.is_(None))
    statement = update(Milestone).where(*reached).values(crossed_at=now).returning(Milestone.threshold)
    for threshold in sorted(session.scalars(statement.execution_options(synchronize_session=False))):
        fall_due(session, edition, f"milestone {threshold}", now, merge=True)


def fall_due(session: Session, edition: Edition, cause: str, now: datetime, *, merge: bool) -> Serving:
    """The waiting serving of this notice, made or joined. With `merge` it keeps 24 hours from the last letter.

    A rehearsal has nothing to wait for. An organiser's own word does not wait for the 24 hours; it brings a waiting serving
    forward.
    """
    notice = session.get_one(Notice, edition.notice_id, with_for_update=True)
    wait = settings().serving_wait_minutes if notice.wait_minutes is None else notice.wait_minutes
    due_at = now + timedelta(minutes=wait if notice.state == "live" else 0)
    if merge and (last := last_served_at(session, notice)):
        due_at = max(due_at, last + MERGE)
    serving = session.scalar(select(Serving).where(Serving.notice_id == notice.id, Serving.state == "due"))
    if serving is None:
        serving = Serving(
            notice_id=notice.id, edition_id=edition.id, state="due", causes=[cause], due_at=due_at,
            rehearsal=notice.state != "live", created_at=now,
        )  # fmt: skip
        session.add(serving)
    else:
        serving.causes = serving.causes + ([] if cause in serving.causes else [cause])
        serving.edition_id = edition.id
        serving.due_at = min(serving.due_at, due_at)
    session.flush()
    if serving.due_at <= now:
        queue.wake(session, "serve", serving.id, queue.NOTICES)
    return serving


def last_served_at(session: Session, notice: Notice) -> datetime | None:
    live = (Serving.notice_id == notice.id, Serving.started_at.is_not(None), Serving.rehearsal.is_(False))
    return session.scalar(select(Serving.started_at).where(*live).order_by(Serving.started_at.desc()).limit(1))
