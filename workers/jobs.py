"""Every entry point of the workers, each one sentence about one row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps

from service.core import queues
from service.core.db import reading, transaction
from service.mailings import mailing_lifecycle
from service.models import Serving
from service.operations import failures
from service.servings import enclosures, serving_lifecycle
from workers import forms, read_imports
from workers.inbound import read
from workers.outbound import journal, leases
from workers.outbound.bulk import shifts
from workers.outbound.bulk.connections import pool
from workers.outbound.letter import deliver as deliver_letter
from workers.outbound.letter import hang_up
from workers.timestamps import run as run_stamp


class JobFailed(RuntimeError):
    """What RQ is told of a failure: a kind and a place. An error's own words may quote an address or a name."""


def reported(job: Callable[[int], bool]) -> Callable[[int], None]:
    """A job that fails half-way gives its leases up, and its connection, whose conversation nobody would understand.

    Each job says whether it did its work; where there was nothing to do, an earlier failure stays written down.
    """

    @wraps(job)
    def run(row_id: int) -> None:
        try:
            if not leases.held():
                journal.start_over()
            did_its_work = job(row_id)
        except Exception as error:
            journal.start_over()
            hang_up()
            if pool.cache_info().currsize:
                pool().hang_up()
            failures.record(job.__name__, row_id, error)
            raise JobFailed(f"{job.__name__} {row_id}: {failures.place_of(error)}") from None
        if did_its_work:
            failures.succeeded(job.__name__, row_id)

    return run


@reported
def take_form(form_id: int) -> bool:
    """Acts on one form that somebody filled in."""
    return forms.take(form_id)


@reported
def deliver(message_id: int) -> bool:
    """Sends one letter."""
    return deliver_letter(message_id)


@reported
def serve(serving_id: int) -> bool:
    """Takes the cut-off of a serving that is due, makes its documents, and stores a letter for each official."""
    with transaction() as session:
        serving_lifecycle.start(session, serving_id, datetime.now(UTC))
    while True:
        with reading() as session:
            serving = session.get(Serving, serving_id)
            if serving is None or serving.state != "started":
                return False
            made = [(cohort, enclosures.make(session, serving, cohort)) for cohort in enclosures.cohorts(session, serving)]
        try:
            with transaction() as session:
                return serving_lifecycle.write(session, serving_id, made, datetime.now(UTC))
        except serving_lifecycle.ListChanged:
            continue


@reported
def stamp(manifest_id: int) -> bool:
    """Has a service outside say when a manifest was there."""
    return run_stamp(manifest_id)


@reported
def fan_out(mailing_id: int) -> bool:
    """Stores the message rows of an approved mailing, chunk after chunk, then rings for its first shift."""
    more = True
    while more:
        with transaction() as session:
            more = mailing_lifecycle.fan_out(session, mailing_id, datetime.now(UTC))
            if not more:
                queues.wake(session, "shift", mailing_id, queues.BULK)
    return True


@reported
def shift(mailing_id: int) -> bool:
    """Sends messages of one mailing for about half a minute, then rings again if there are more."""
    journal.replay()
    return shifts.run(mailing_id)


@reported
def take_in(_arrival_id: int) -> bool:
    """Reads this message that came in and all that wait beside it, and does what each asks."""
    read.run()
    return True


@reported
def read_import(import_id: int) -> bool:
    """Judges the lines of an import, or takes the good ones in, as far as its organiser has said."""
    return read_imports.run(import_id)
