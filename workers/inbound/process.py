"""The worker's side of the spool: claim, read in a child, act and record in one transaction; message after message."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime, timedelta
from functools import cache

from sqlalchemy.exc import DBAPIError

from service import bounces, spool
from service.config import settings
from service.db import reading, transaction
from service.incoming.child import Reader
from service.incoming.judge import Judgement
from service.models import Arrival
from workers.inbound.act import act

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
    """One message: a failure of the database leaves it leased, and it is tried again once that lapses."""
    said = _read(arrival)
    try:
        with transaction() as session:
            if spool.hold(session, arrival):
                act(session, arrival, said, datetime.now(UTC))
    except bounces.NotYet:
        with transaction() as session:
            spool.later(session, arrival, datetime.now(UTC), SOON)
    except DBAPIError as error:
        log.warning("arrival %d: not taken in: %s", arrival.id, type(error).__name__)


def _read(arrival: Arrival) -> Judgement:
    with reading() as session:
        content = spool.content(session, arrival)
    if arrival.source in RECEIVED:
        return reader().judge(content, arrival.sender, settings().inbound_authserv_id)
    return Judgement(**json.loads(content))
