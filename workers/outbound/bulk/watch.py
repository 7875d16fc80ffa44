"""Looks four times a second at what may have changed while texts leave: somebody left, or an organiser paused the mailing."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from service.core.db import reading
from service.core.keyed_hashes import keyed_hash
from service.models import Mailing, Subscription, Suppression
from workers.outbound.message.stencil import Recipient

log = logging.getLogger(__name__)

EVERY_SECONDS = 0.2
OVERLAP = timedelta(seconds=60)
"""Leavings are committed after their own time, by as long as they waited for a lock; so each look goes back."""


class Watch:
    """What is known now: whether the mailing goes on, and who must not get a text any more."""

    def __init__(self, mailing_id: int) -> None:
        self.mailing_id = mailing_id
        self.going = True
        self.left: set[int] = set()
        self.suppressed: set[str] = set()
        self.since = datetime.now(UTC) - OVERLAP
        self.next_at = 0.0
        self.look()

    def look(self) -> None:
        """Costs nothing between two looks."""
        if time.monotonic() < self.next_at:
            return
        now = datetime.now(UTC)
        self.next_at = time.monotonic() + EVERY_SECONDS
        try:
            self._read()
        except SQLAlchemyError as error:  # who cannot see who left sends nothing
            log.warning("the database is away: %s", type(error).__name__)
            self.going = False
            return
        self.since = now - OVERLAP

    def _read(self) -> None:
        with reading() as session:
            self.going = session.scalar(select(Mailing.state).where(Mailing.id == self.mailing_id)) == "sending"
            self.left.update(session.scalars(select(Subscription.id).where(Subscription.left_at > self.since)))
            self.suppressed.update(session.scalars(select(Suppression.hash).where(Suppression.at > self.since)))

    def wants(self, reader: Recipient) -> bool:
        return reader.subscription_id not in self.left and not (
            self.suppressed and keyed_hash(reader.mailbox) in self.suppressed
        )
