"""Forms that anybody may fill in for any address: stored as they come, and acted on by a worker in the next moment.

How much there is to do for an address must not be measured from outside: the page does the same for every one, busy or not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service.core import queues
from service.models import WaitingForm


def store(session: Session, kind: str, fields: dict[str, Any], now: datetime, asked_by: str | None = None) -> None:
    """Keeps what was entered, clean, until a worker has acted on it. `asked_by`: the mark of the visitor."""
    form = WaitingForm(kind=kind, fields=fields, asked_by=asked_by, received_at=now)
    session.add(form)
    session.flush()
    queues.wake(session, "take_form", form.id, queues.PROMPT)


def claim(session: Session, form_id: int) -> WaitingForm | None:
    """Takes a form away, together with what is done in this transaction; None where somebody else has."""
    statement = delete(WaitingForm).where(WaitingForm.id == form_id).returning(WaitingForm)
    return session.scalars(statement.execution_options(synchronize_session=False)).one_or_none()


def wake_waiting(session: Session, before: datetime, most: int) -> None:
    """Rings for those that wait since before this time."""
    waiting = select(WaitingForm.id).where(WaitingForm.received_at <= before).order_by(WaitingForm.id)
    for form_id in session.scalars(waiting.limit(most)):
        queues.wake(session, "take_form", form_id, queues.PROMPT)


def oldest(session: Session) -> datetime | None:
    """When the form that waits longest came."""
    return session.scalar(select(func.min(WaitingForm.received_at)))
