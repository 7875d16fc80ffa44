"""Jobs and duties that fail: written down in SQL, because Redis may be wiped, until they succeed.

What was written down also slows the next tries: after each failure in a row the clock waits twice as long, up to a minute.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from traceback import extract_tb

from redis.exceptions import RedisError
from rq.timeouts import BaseTimeoutException
from sqlalchemy import delete, exists, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from service.core.db import reading, transaction
from service.models import Arrival, Failure, Import, Mailing, Manifest, Message, Serving, WaitingForm
from service.models.base import Base

log = logging.getLogger(__name__)

ROOT = Path(__file__).parent.parent.parent
TWICE = 2
"""From so many failures in a row on, organisers are told."""
KINDS = {
    "database": "the database did not do what was asked",
    "redis": "Redis did not do what was asked",
    "relay": "the mail server could not be reached",
    "refused": "the mail server takes nothing from us for now",
    "put off": "mail servers ask us to come back later",
    "network": "a connection failed",
    "files": "a file could not be read or written",
    "memory": "there was not enough memory",
    "time": "it took too long",
    "killed": "the program was ended in the middle of it",
    "documents": "its documents could not be made",
    "program": "there is an error in the program",
}
"""What failed, in words that may be read by anybody."""
OF_MAIL_SERVERS = frozenset({"relay", "refused", "put off"})
"""Told of only once they last: nothing of ours has failed."""
DUTIES = {
    "beat": "to say that it runs",
    "sweep_letters": "to look for letters that wait",
    "sweep_forms": "to look for forms that wait",
    "fall_due": "to look for servings whose day has come",
    "sweep_servings": "to look for servings that wait",
    "sweep_mailings": "to look for updates and files that wait",
    "start_mailings": "to look for updates whose time has come",
    "recover_evidence": "to complete the evidence of letters to officials",
    "sweep_corrections": "to send corrections to officials",
    "ask_again": "to ask earlier signers again",
    "sweep_arrivals": "to look for mail that came in",
    "count_mailings": "to count the reports of updates",
    "count_days": "to count each day's signatures and subscriptions",
    "forget_files": "to delete old files of imports",
    "forget": "to delete what is old enough to be forgotten",
    "look_anew": "to begin to look at what is wrong",
    "tell_organisers": "to tell organisers by e-mail what is wrong",
    "forget_failures": "to strike out failures that are over",
}
"""The clock's duties, by the name of their function in workers/clock.py."""
CLASSES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (SQLAlchemyError, "database"),
    (RedisError, "redis"),
    (MemoryError, "memory"),
    ((TimeoutError, BaseTimeoutException), "time"),
    (ConnectionError, "network"),
    (OSError, "files"),
)
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(seconds=60)
AT_ONE_BELL = {"fan_out": ("fan_out", "shift")}
"""A fan-out rings for a shift when it is done."""
UNFINISHED: dict[str, tuple[type[Base], tuple[str, ...]]] = {
    "serve": (Serving, ("due", "started")),
    "deliver": (Message, ("queued", "sending")),
    "fan_out": (Mailing, ("approved", "sending", "cancelled")),
    "shift": (Mailing, ("sending",)),
    "read_import": (Import, ("judging", "taking")),
    "take_in": (Arrival, ("waiting", "reading", "quarantined")),
    "report": (Mailing, ("sending", "paused", "sent")),
    "take_form": (WaitingForm, ()),
    "stamp": (Manifest, ()),
}
"""The states in which a job's row still waits for it, or none: as long as it is there. A failure on any other row is over."""


def kind_of(error: BaseException) -> str:
    if type(error).__module__.partition(".")[0] == "typst":
        return "documents"
    return next((kind for classes, kind in CLASSES if isinstance(error, classes)), "program")


def place_of(error: BaseException) -> str:
    """The error's class and its place in the program, never its own words, which may quote an address or a name."""
    frames = extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(ROOT) and ".venv" not in frame.filename]
    return type(error).__name__ + "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in (ours or frames)[-1:])


def record(job: str, row_id: int, error: BaseException) -> None:
    """Writes a failure down in a transaction of its own, since that of the job was rolled back."""
    record_as(job, row_id, kind_of(error), place_of(error))


def record_as(job: str, row_id: int, kind: str, place: str) -> None:
    """As `record`, where nothing was raised. Never raises: where the database is away, /readyz says so."""
    for _ in range(2):  # two workers may fail at the same row in the same moment
        try:
            with transaction() as session:
                _add(session, job, row_id, kind, place[:200], datetime.now(UTC))
            return
        except IntegrityError:
            continue
        except SQLAlchemyError as error:
            log.warning("the failure of %s %d is not written down: %s", job, row_id, type(error).__name__)
            return


def note(session: Session, job: str, row_id: int, error: BaseException, now: datetime) -> None:
    """As `record`, where what failed was only read, and this transaction goes on."""
    _add(session, job, row_id, kind_of(error), place_of(error)[:200], now)


def _add(session: Session, job: str, row_id: int, kind: str, place: str, now: datetime) -> None:
    failure = session.get(Failure, (job, row_id), with_for_update=True)
    if failure is None:
        session.add(Failure(job=job, row_id=row_id, count=1, kind=kind, place=place, first_at=now, last_at=now))
        return
    failure.count += 1
    failure.kind, failure.place, failure.last_at = kind, place, now


def find(session: Session, job: str, row_id: int) -> Failure | None:
    return session.get(Failure, (job, row_id))


def succeeded(job: str, row_id: int) -> None:
    """After a job did its work. Nearly always there is nothing to forget, so that this only reads."""
    try:
        with reading() as session:
            if session.get(Failure, (job, row_id)) is None:
                return
        with transaction() as session:
            forget(session, job, row_id)
    except SQLAlchemyError as error:
        log.warning("the success of %s %d is not written down: %s", job, row_id, type(error).__name__)


def forget(session: Session, job: str, row_id: int) -> None:
    """It succeeded, was stopped, or is to be tried again at once."""
    statement = delete(Failure).where(Failure.job == job, Failure.row_id == row_id)
    session.execute(statement.execution_options(synchronize_session=False))


def forget_finished(session: Session) -> None:
    """Failures whose row waits no more: somebody else did the work, or stopped it."""
    for job, (model, states) in UNFINISHED.items():
        in_time = [model.state.in_(states)] if states else []  # type: ignore[attr-defined]
        waits = exists().where(model.id == Failure.row_id, *in_time)  # type: ignore[attr-defined]
        statement = delete(Failure).where(Failure.job == job, ~waits)
        session.execute(statement.execution_options(synchronize_session=False))


def silence_resting(session: Session, now: datetime) -> None:
    """Takes away the bells of rows that failed too short a time ago to be tried again."""
    if not (bells := session.info.get("bells")):
        return
    recent = _recent(session, now)
    session.info["bells"] = [
        bell for bell in bells if not recent.intersection((job, bell.row_id) for job in AT_ONE_BELL.get(bell.job, (bell.job,)))
    ]


def resting(session: Session, job: str, now: datetime) -> set[int]:
    """The rows whose last failure is too recent for this job to be tried again."""
    return {row_id for name, row_id in _recent(session, now) if name == job}


def _recent(session: Session, now: datetime) -> set[tuple[str, int]]:
    rows = session.scalars(select(Failure).where(Failure.last_at > now - LONGEST_PAUSE))
    return {(failure.job, failure.row_id) for failure in rows if failure.last_at + pause_after(failure.count) > now}


def pause_after(count: int) -> timedelta:
    doublings: int = 2 ** min(count - 1, 10)
    return min(SHORTEST_PAUSE * doublings, LONGEST_PAUSE)


def repeated(session: Session, jobs: Iterable[str]) -> list[Failure]:
    """The failures of these jobs that organisers are told of, the oldest first."""
    chosen = select(Failure).where(Failure.job.in_(list(jobs)), Failure.count >= TWICE)
    return list(session.scalars(chosen.order_by(Failure.first_at, Failure.row_id)))
