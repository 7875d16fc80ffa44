"""When a serving falls due: at a milestone, on a date, or because an organiser says so; and what is merged into one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service import states
from service.core import queues
from service.core.config import settings
from service.models import Edition, Milestone, Notice, Serving

MERGE = timedelta(hours=24)
"""What falls due within this time of the last letter is merged into the next serving."""
PERIODS = {"weekly": timedelta(days=7), "monthly": timedelta(days=30), "never": None}
"""How often a notice is served again while its count grows."""
DEFAULT_MILESTONES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)


def crossed(session: Session, edition: Edition, count: int, now: datetime) -> None:
    """Marks the milestones that this count reaches; each makes a serving due, once, whoever else sees it."""
    reached = (Milestone.notice_id == edition.notice_id, Milestone.threshold <= count, Milestone.crossed_at.is_(None))
    statement = update(Milestone).where(*reached).values(crossed_at=now).returning(Milestone.threshold)
    for threshold in sorted(session.scalars(statement.execution_options(synchronize_session=False))):
        fall_due(session, edition, f"milestone {threshold}", now, merge=True)


def fell(session: Session, edition: Edition, count: int) -> None:
    """Signatures were struck out: a milestone that is not reached without them is to be reached again, if its serving still
    waits; a serving that has no other cause is stopped. Whoever calls this holds the notice."""
    serving = session.scalar(select(Serving).where(Serving.edition_id == edition.id, Serving.state == "due"))
    above = (Milestone.notice_id == edition.notice_id, Milestone.threshold > count, Milestone.crossed_at.is_not(None))
    milestones = {
        f"milestone {milestone.threshold}": milestone for milestone in session.scalars(select(Milestone).where(*above))
    }
    if serving is None or serving.rehearsal or not milestones.keys() & set(serving.causes):
        return
    for cause in milestones.keys() & set(serving.causes):
        milestones[cause].crossed_at = None
    if rest := [cause for cause in serving.causes if cause not in milestones]:
        serving.causes = rest
    else:
        states.claim(session, Serving, "due", "stopped", Serving.id == serving.id, stopped_by="signatures were struck out")


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
        queues.wake(session, "serve", serving.id, queues.NOTICES)
    return serving


class Outlook(NamedTuple):
    """When a notice is served next, as its page tells it."""

    serving: Serving | None
    """One that waits for its time, or whose letters are being written."""
    at_next_signature: bool
    """Whether a milestone was set that the count had passed already: the next signature reaches it."""
    milestone: int | None
    """The next count at which it is served."""


def outlook(session: Session, notice: Notice) -> Outlook:
    """Nothing, where the notice is closed."""
    if notice.state != "live" or notice.edition is None:
        return Outlook(None, False, None)
    count = notice.edition.count
    waiting = (Serving.notice_id == notice.id, Serving.state.in_(("due", "started")), Serving.rehearsal.is_(False))
    serving = session.scalar(select(Serving).where(*waiting).order_by(Serving.id.desc()).limit(1))
    ahead = [milestone.threshold for milestone in notice.milestones if milestone.crossed_at is None]
    next_one = min((threshold for threshold in ahead if threshold > count), default=None)
    return Outlook(serving, any(threshold <= count for threshold in ahead), next_one)


def last_served_at(session: Session, notice: Notice) -> datetime | None:
    """When the last serving took its cut-off; one that was stopped afterwards served nobody."""
    live = (Serving.notice_id == notice.id, Serving.state.in_(("started", "written")), Serving.rehearsal.is_(False))
    return session.scalar(select(Serving.started_at).where(*live).order_by(Serving.started_at.desc()).limit(1))


def fall_due_by_date(session: Session, now: datetime) -> None:
    """Makes servings due for live notices whose set date has come, or whose week or month is over while the count grew."""
    for notice in session.scalars(select(Notice).where(Notice.state == "live").order_by(Notice.id).with_for_update()):
        edition = notice.edition
        if edition is None:
            continue
        if notice.serve_on is not None and notice.serve_on <= now.date():
            notice.serve_on = None
            fall_due(session, edition, "date", now, merge=True)
        elif _period_is_over(session, notice, edition, now):
            fall_due(session, edition, notice.repeats, now, merge=True)


def _period_is_over(session: Session, notice: Notice, edition: Edition, now: datetime) -> bool:
    period, last = PERIODS[notice.repeats], last_served_at(session, notice)
    if period is None or last is None or last + period > now:
        return False
    waiting = select(Serving.id).where(Serving.notice_id == notice.id, Serving.state == "due")
    served = select(Serving.count).where(Serving.edition_id == edition.id, Serving.state.in_(("started", "written")))
    before = session.scalar(served.where(Serving.rehearsal.is_(False)).order_by(Serving.id.desc()).limit(1))
    return session.scalar(waiting) is None and edition.count > (before or 0)
