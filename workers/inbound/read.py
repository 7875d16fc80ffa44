"""The worker's side of the spool: claim, read in a child, act and record in one transaction; message after message."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime, timedelta
from functools import cache

from service.core.config import settings
from service.core.db import reading, transaction
from service.inbound import bounces, spool
from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.sandbox import Reader
from service.models import Arrival
from service.operations import failures
from workers.inbound.dispatch import act_on

log = logging.getLogger(__name__)

SHIFT_SECONDS = 30
SOON = timedelta(seconds=5)
RECEIVED = {"lmtp", "smtp", "pipe"}
"""Sources of whole messages; a provider's hook brings what its adapter has read already."""


@cache
def reader() -> Reader:
    """The child of this process."""
    return Reader()


def run() -> None:
    """Takes in what waits, for about half a minute; then rings for the rest, so that a worker that is to end can."""
    until = time.monotonic() + SHIFT_SECONDS
    while time.monotonic() < until:
        with transaction() as session:
            claimed = spool.claim(session, datetime.now(UTC))
        if not claimed:
            return
        for arrival in claimed:
            take_in(arrival)
    with transaction() as session:
        spool.ring(session)


def take_in(arrival: Arrival) -> None:
    """One message. A failure leaves it leased, to be tried again once that lapses, and keeps none of the others waiting."""
    try:
        judgement = _read(arrival)
        with transaction() as session:
            if spool.hold(session, arrival):
                act_on(session, arrival, judgement, datetime.now(UTC))
            failures.forget(session, "take_in", arrival.id)
    except bounces.NotYet:
        with transaction() as session:
            spool.later(session, arrival, datetime.now(UTC), SOON)
    except Exception as error:
        log.warning("arrival %d: not taken in: %s", arrival.id, failures.place_of(error))
        failures.record("take_in", arrival.id, error)


def _read(arrival: Arrival) -> Judgement:
    with reading() as session:
        content = spool.content(session, arrival)
    if arrival.source in RECEIVED:
        return reader().judge(content, arrival.sender, settings().inbound_authserv_id)
    return Judgement(**json.loads(content))
