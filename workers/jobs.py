"""Every entry point of the workers, each one sentence about one row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from traceback import extract_tb

from service import deliveries, mailings, queue
from service.db import reading, transaction
from service.models import Serving
from workers import intake
from workers.inbound import process
from workers.outbound import journal, ledger, shifts
from workers.outbound.deliver import deliver as deliver_letter
from workers.outbound.deliver import hang_up
from workers.outbound.pool import pool


class JobFailed(RuntimeError):
    """What RQ is told of a failure: a kind and a place. An error's own words may quote an address or a name."""


def reported(job: Callable[[int], None]) -> Callable[[int], None]:
    """A job that fails half-way gives its leases up, and its connection, whose conversation nobody would understand."""

    @wraps(job)
    def run(row_id: int) -> None:
        try:
            if not ledger.held():
                journal.start_over()
            job(row_id)
        except Exception as error:
            journal.start_over()
            hang_up()
            if pool.cache_info().currsize:
                pool().hang_up()
            at = extract_tb(error.__traceback__)[-1]
            place = f"{Path(at.filename).name}:{at.lineno}"
            raise JobFailed(f"{job.__name__} {row_id}: {type(error).__name__} at {place}") from None

    return run


@reported
def deliver(message_id: int) -> None:
    """Sends one letter."""
    deliver_letter(message_id)


@reported
def serve(serving_id: int) -> None:
    """Takes the cut-off of a serving that is due, makes its documents, and stores a letter for each official."""
    with transaction() as session:
        deliveries.start(session, serving_id, datetime.now(UTC))
    while True:
        with reading() as session:
            serving = session.get(Serving, serving_id)
            if serving is None or serving.state != "started":
                return
            made = [(one, deliveries.enclosures(session, serving, one)) for one in deliveries.cohorts(session, serving)]
        try:
            with transaction() as session:
                deliveries.write(session, serving_id, made, datetime.now(UTC))
            return
        except deliveries.ListChanged:
            continue


@reported
def fan_out(mailing_id: int) -> None:
    """Stores the message rows of an approved mailing, chunk after chunk, then rings for its first shift."""
    more = True
    while more:
        with transaction() as session:
            more = mailings.fan_out(session, mailing_id, datetime.now(UTC))
            if not more:
                queue.wake(session, "shift", mailing_id, queue.BULK)


@reported
def shift(mailing_id: int) -> None:
    """Sends messages of one mailing for about half a minute, then rings again if there are more."""
    journal.replay()
    shifts.run(mailing_id)


@reported
def take_in(_arrival_id: int) -> None:
    """Reads this message that came in and all that wait beside it, and does what each asks."""
    process.run()


@reported
def read_import(import_id: int) -> None:
    """Judges the lines of an import, or takes the good ones in, as far as its organiser has said."""
    intake.run(import_id)
