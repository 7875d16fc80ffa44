"""The clock: `python -m workers.clock`. Looks every few seconds for work whose bell was lost, and hourly for what to forget.

Two clocks do no harm: everything here is a claim, or a bell that finds nothing to do.
"""

from __future__ import annotations

import logging
import math
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.confirmations import waiting_forms
from service.core import queues
from service.core.config import SettingRefused, settings
from service.core.db import overwrite_after, reading, transaction
from service.core.logs import configure
from service.inbound import spool
from service.mailings import mailing_lifecycle, reports
from service.models import Message
from service.models.mail import IS_QUEUED
from service.operations import failures, telling
from service.operations.health import CLOCK
from service.organisers import daily_counts
from service.people import retention
from service.proof_store import due_timestamps
from service.servings import corrections, outcomes, schedule, serving_lifecycle
from service.signatures import asking_again
from service.subscriptions import imports
from service.workflows import erase
from workers.alerts import Alarm
from workers.outbound import leases

log = logging.getLogger(__name__)

OVERDUE = timedelta(seconds=5)
"""A letter that waits longer than this after its time has probably lost its bell."""
BELLS = 500


def sweep_letters(session: Session, now: datetime) -> None:
    """Takes lapsed claims back, and rings for letters whose time has come."""
    roomy = [name for name in (queues.PROMPT, queues.NOTICES) if _waiting(name) < BELLS]
    leases.take_back(session, now)
    for name in roomy:
        waiting = (Message.queue == name, Message.mailing_id.is_(None), IS_QUEUED, Message.due_at <= now - OVERDUE)
        for message_id in session.scalars(select(Message.id).where(*waiting).order_by(Message.due_at).limit(BELLS)):
            queues.wake(session, "deliver", message_id, name)


def sweep_forms(session: Session, now: datetime) -> None:
    if _waiting(queues.PROMPT) < BELLS:
        waiting_forms.wake_waiting(session, now - OVERDUE, BELLS)


def _waiting(name: str) -> int:
    """Bells that hang in a queue. Asked before the first statement: a Redis that hangs must not keep the database locked."""
    try:
        return queues.waiting(name)
    except RedisError as error:
        log.warning("redis is away: %s", type(error).__name__)
        return BELLS


def fall_due(session: Session, now: datetime) -> None:
    schedule.fall_due_by_date(session, now)


def sweep_servings(session: Session, now: datetime) -> None:
    if not _waiting(queues.NOTICES):
        serving_lifecycle.wake_unfinished(session, now)
        due_timestamps.wake_missing(session, now)


def recover_evidence(session: Session, now: datetime) -> None:
    outcomes.recover(session, now)


def sweep_corrections(session: Session, now: datetime) -> None:
    corrections.send(session, now)


def ask_again(session: Session, now: datetime) -> None:
    asking_again.ask_some(session, now)


def sweep_mailings(session: Session, now: datetime) -> None:
    if not _waiting(queues.BULK):
        mailing_lifecycle.wake_due(session, now)
        mailing_lifecycle.wake_unfinished(session)
        imports.wake_unfinished(session)


def start_mailings(session: Session, now: datetime) -> None:
    """For those whose minute of recall, or time, is over: soon after, and not ten seconds late."""
    mailing_lifecycle.wake_due(session, now)


def sweep_arrivals(session: Session, now: datetime) -> None:
    if not _waiting(queues.INBOUND):
        spool.take_back(session, now)


def forget(session: Session, now: datetime) -> None:
    overwrite_after(session)
    forgotten = {name: count for name, count in retention.run(session, now).items() if count}
    if forgotten:
        log.info("forgotten: %s", forgotten)


def forget_files(_session: Session, now: datetime) -> None:
    if count := imports.forget_files(now) + erase.forget_copies(now):
        log.info("forgotten: %d files", count)


def count_mailings(session: Session, now: datetime) -> None:
    """Counted in a transaction that only reads: a million rows take seconds, in which others want to write.

    One that fails keeps none of the others from being counted.
    """
    with reading() as looking:
        mailing = reports.stale(looking, now, failures.resting(looking, "report", now))
        if mailing is None:
            return
        try:
            counted = reports.count(looking, mailing, now)
            with session.begin_nested():
                reports.keep(session, mailing.id, counted, now)
        except Exception as error:
            log.warning("the report of mailing %d: %s", mailing.id, failures.place_of(error))
            failures.note(session, "report", mailing.id, error, now)
        else:
            failures.forget(session, "report", mailing.id)


def count_days(session: Session, now: datetime) -> None:
    with reading() as looking:
        counted = daily_counts.count(looking, now)
    daily_counts.keep(session, counted, now)


def beat(_session: Session, now: datetime) -> None:
    """Lets /readyz see that a clock runs."""
    queues.redis().set(CLOCK, now.isoformat(), ex=120)


def tell_organisers(session: Session, now: datetime) -> None:
    telling.tell(session, now)


def look_anew(session: Session, _now: datetime) -> None:
    telling.look_anew(session)


def forget_failures(session: Session, _now: datetime) -> None:
    failures.forget_finished(session)


FAILED_SECONDS = 60
"""A duty that failed is tried again after so long at most, however seldom its turn is."""


@dataclass
class Duty:
    act: Callable[[Session, datetime], None]
    every_seconds: float
    next_at: float = field(default=0.0)
    well: bool = field(default=False)
    """Whether this process has seen it succeed since it last failed; a clock that starts does not know."""

    @property
    def name(self) -> str:
        return self.act.__name__


def duties() -> list[Duty]:
    return [
        Duty(beat, 5),
        Duty(sweep_letters, 5),
        Duty(sweep_forms, 5),
        Duty(fall_due, 5),
        Duty(sweep_servings, 5),
        Duty(sweep_mailings, 10),
        Duty(recover_evidence, 60),
        Duty(sweep_corrections, 60),
        Duty(ask_again, 60),
        Duty(sweep_arrivals, 5),
        Duty(start_mailings, 2),
        Duty(look_anew, math.inf),
        Duty(tell_organisers, 30),
        Duty(forget_failures, 60),
        Duty(count_mailings, 15),
        Duty(count_days, 300),
        Duty(forget_files, 3600),
        Duty(forget, 3600),
    ]


def tick(all_duties: list[Duty], monotonic: float) -> None:
    """Runs what is due; a duty that fails is tried again soon, and keeps none of the others from theirs."""
    for duty in all_duties:
        if monotonic >= duty.next_at:
            duty.next_at = monotonic + duty.every_seconds
            try:
                with transaction() as session:
                    duty.act(session, now := datetime.now(UTC))
                    failures.silence_resting(session, now)
            except Exception as error:
                _note_failure(duty, error, monotonic)
            else:
                if not duty.well:
                    failures.succeeded(duty.name, 0)
                duty.well = True


def _note_failure(duty: Duty, error: Exception, monotonic: float) -> None:
    """Redis and its reasons are a part of the service of their own: /readyz tells of them."""
    log.warning("%s: %s", duty.name, failures.place_of(error))
    duty.next_at = monotonic + min(duty.every_seconds, FAILED_SECONDS)
    if not isinstance(error, RedisError):
        duty.well = False
        failures.record(duty.name, 0, error)


def main() -> None:
    configure()
    stop = threading.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stop.set())
    settings()
    all_duties, alarm = duties(), Alarm()
    while not stop.wait(1):
        tick(all_duties, time.monotonic())
        alarm.look(time.monotonic())


if __name__ == "__main__":
    try:
        main()
    except SettingRefused as refused:
        sys.exit(str(refused))
