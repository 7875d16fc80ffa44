"""What the buttons beside a problem do: try again at once, or stop. Each acts on what still waits, or refuses in words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core import queues
from service.errors import NotFound, Refused
from service.inbound import spool
from service.mailings import mailing_lifecycle, pausing
from service.models import Message
from service.operations import failures, waiting_letters
from service.servings import outcomes, overview, serving_lifecycle
from service.subscriptions import imports

OVER = "This is over already: reload the page."


def row_id(key: str) -> int:
    """The number at the end of a problem's key. Raises NotFound."""
    number = key.rpartition(" ")[2]
    if not number.isascii() or not number.isdecimal() or len(number) > 18:
        raise NotFound(f"there is no problem called {key[:40]!r}")
    return int(number)


def try_serving(session: Session, key: str, _who: str, _now: datetime) -> None:
    number = overview.find(session, row_id(key)).id
    failures.forget(session, "serve", number)
    queues.wake(session, "serve", number, queues.NOTICES)


def stop_serving(session: Session, key: str, who: str, _now: datetime) -> None:
    number = row_id(key)
    if not serving_lifecycle.stop(session, number, who):
        raise Refused("Its letters are written already, or it was stopped before: it can no longer be stopped.")
    failures.forget(session, "serve", number)


def try_mailing(session: Session, key: str, _who: str, _now: datetime) -> None:
    number = mailing_lifecycle.find(session, row_id(key)).id
    for job in ("fan_out", "shift"):
        failures.forget(session, job, number)
    queues.wake(session, "fan_out", number, queues.BULK)


def stop_mailing(session: Session, key: str, who: str, _now: datetime) -> None:
    """Takes back what has not begun, and pauses what has: neither is for good."""
    number = row_id(key)
    mailing = mailing_lifecycle.hold(session, number)
    if mailing.state == "approved":
        mailing_lifecycle.recall(session, mailing)
    elif not pausing.pause(session, number, f"{who} paused it"):
        raise Refused(OVER)


def try_import(session: Session, key: str, _who: str, _now: datetime) -> None:
    number = imports.find(session, row_id(key)).id
    failures.forget(session, "read_import", number)
    queues.wake(session, "read_import", number, queues.BULK)


def stop_import(session: Session, key: str, _who: str, now: datetime) -> None:
    number = row_id(key)
    import_row = imports.find(session, number, lock=True)
    if import_row.state not in {"judging", "taking"}:
        raise Refused(OVER)
    imports.drop(import_row, now)
    failures.forget(session, "read_import", number)


def try_arrival(session: Session, key: str, _who: str, now: datetime) -> None:
    number = row_id(key)
    failures.forget(session, "take_in", number)
    spool.try_again(session, spool.find(session, number), now)


def stop_arrival(session: Session, key: str, _who: str, now: datetime) -> None:
    number = row_id(key)
    spool.put_away(session, spool.find(session, number), now)
    failures.forget(session, "take_in", number)


def try_report(session: Session, key: str, _who: str, _now: datetime) -> None:
    number = row_id(key)
    failures.forget(session, "report", number)


def _letters(session: Session, key: str, now: datetime) -> list[Message]:
    """The letters of one row of the list."""
    numbers = waiting_letters.of_problem(session, key, now)
    return list(session.scalars(select(Message).where(Message.id.in_(numbers), Message.state == "queued")))


def try_letters(session: Session, key: str, _who: str, now: datetime) -> None:
    """Those of one row of the list: their time has come, and a worker is woken for each."""
    for message in _letters(session, key, now):
        message.due_at = min(message.due_at, now)
        failures.forget(session, "deliver", message.id)
        queues.wake(session, "deliver", message.id, message.queue)


def stop_letters(session: Session, key: str, who: str, now: datetime) -> None:
    """They are never sent. An official's leaves its record in the chain of evidence."""
    stopped = 0
    for message in _letters(session, key, now):
        stopped += outcomes.stop(session, message.id, who, now)
        failures.forget(session, "deliver", message.id)
    if not stopped:
        raise Refused(OVER)


ACTS: dict[str, Callable[[Session, str, str, datetime], None]] = {
    "try serving": try_serving, "stop serving": stop_serving,
    "try letters": try_letters, "stop letters": stop_letters,
    "try mailing": try_mailing, "stop mailing": stop_mailing,
    "try import": try_import, "stop import": stop_import,
    "try arrival": try_arrival, "stop arrival": stop_arrival,
    "try report": try_report,
}  # fmt: skip
"""By the word that the button sends, which is also its line in service/web/permissions.py."""
