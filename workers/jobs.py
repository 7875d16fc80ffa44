"""Every entry point of the workers, each one sentence about one row."""

from __future__ import annotations

from datetime import UTC, datetime

from service import deliveries, mailings, queue
from service.db import reading, transaction
from service.models import Serving
from workers.outbound import shifts
from workers.outbound.deliver import deliver as deliver_letter


def deliver(message_id: int) -> None:
    """Sends one letter."""
    deliver_letter(message_id)


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


def fan_out(mailing_id: int) -> None:
    """Stores the message rows of an approved mailing, chunk after chunk, then rings for its first shift."""
    more = True
    while more:
        with transaction() as session:
            more = mailings.fan_out(session, mailing_id, datetime.now(UTC))
            if not more:
                queue.wake(session, "shift", mailing_id, queue.BULK)


def shift(mailing_id: int) -> None:
    """Sends messages of one mailing for about half a minute, then rings again if there are more."""
    shifts.run(mailing_id)
