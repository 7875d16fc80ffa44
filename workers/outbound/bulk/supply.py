"""What may leave next: messages claimed in batches, filled and signed a little ahead, some kept back by a ceiling."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import DBAPIError

from service.core.db import transaction
from service.operations import failures
from workers.outbound.bulk import batch
from workers.outbound.bulk.ceilings import Pace
from workers.outbound.bulk.connections import Pool
from workers.outbound.bulk.fill_threads import make
from workers.outbound.bulk.watch import Watch
from workers.outbound.message.stencil import Recipient, readers
from workers.outbound.smtp.outcome import Answer, Copy
from workers.outbound.smtp.pipelined import Pipe

log = logging.getLogger(__name__)

AHEAD = 96
"""Copies that are filled and signed before a connection asks for them, and how many of them are one task of a thread."""
TOGETHER = 8
SOON = timedelta(seconds=2)
"""What a ceiling holds back for so long is waited for; the bell would ring for it much later."""
Filling = tuple[Recipient, Copy | Answer | None]
"""A reader and what was made for them; None: their copy is made when a connection asks."""


class Supply:
    """The copies of one mailing, for the connections of one process."""

    def __init__(self, mailing_id: int, pool: Pool, watch: Watch) -> None:
        self.mailing_id, self.pool, self.watch = mailing_id, pool, watch
        self.stencil = batch.stencil_of(mailing_id)
        self.bench = pool.signing.bench(self.stencil) if pool.signing else None
        self.pace = Pace(mailing_id)
        self.claimed: deque[Recipient] = deque()
        self.ready: deque[Filling] = deque()
        self.held: deque[Filling] = deque()
        """Ready, and kept back by a ceiling until `held_until`."""
        self.held_until = self.claim_at = 0.0
        self.drained = False
        self.error: DBAPIError | None = None
        """Why nothing could be claimed at the last try."""

    @property
    def left(self) -> int:
        """How many messages are claimed and have no connection yet."""
        return len(self.claimed) + len(self.ready) + len(self.held) + (self.bench.count if self.bench else 0)

    @property
    def exhausted(self) -> bool:
        return self.drained and not self.left

    def why_nothing_left(self) -> tuple[str, str]:
        """Kind and place of the failure, where messages were due, no server objected, and nothing became of any."""
        if self.error is not None:
            return failures.kind_of(self.error), failures.place_of(self.error)
        if not self.pool.pipes:
            return "relay", "no connection was open in time"
        return "program", "a whole shift, and nothing was sent"

    def claim(self) -> None:
        """The next batch, before the last one is used up."""
        if self.drained or self.left > batch.SIZE // 2 or time.monotonic() < self.claim_at:
            return
        try:
            with transaction() as session:
                people, more = batch.claim(session, self.mailing_id, datetime.now(UTC), self.pace)
                more = more or batch.is_due(session, self.mailing_id, datetime.now(UTC) + SOON)
        except DBAPIError as error:  # what was claimed and not heard of is given back at the end
            log.warning("nothing claimed: %s", type(error).__name__)
            self.claim_at = time.monotonic() + 0.5
            self.error = error
            return
        self.error = None
        self.claimed.extend(readers(people))  # made here: the database is nobody's any more
        self.drained = not more
        self.claim_at = 0.0 if people else time.monotonic() + 0.1

    def prepare(self) -> None:
        """Fills and signs a few copies ahead, on the signing threads where there are any; takes up what was kept back."""
        if self.held and time.monotonic() >= self.held_until:
            self.ready.extendleft(reversed(self.held))
            self.held.clear()
        while self.claimed and len(self.ready) + (self.bench.count if self.bench else 0) < AHEAD:
            few = [self.claimed.popleft() for _ in range(min(TOGETHER, len(self.claimed)))]
            if self.bench:
                self.bench.give(few)
            else:
                self.ready.extend([(reader, None) for reader in few])

    def take(self, pipe: Pipe) -> Iterator[tuple[Recipient, Copy | Answer]]:
        """Copies for this connection, and answers for those who get none; nothing where a ceiling keeps everything back."""
        while reader_and_made := self._first():
            reader, made = reader_and_made
            if not self.watch.wants(reader):
                yield reader, Answer(reader.message_id, "gone", None, "left before it was sent")
            elif not reader.email.isascii() and not pipe.smtputf8:
                yield reader, Answer(reader.message_id, "refused", None, "the relay takes no address outside ASCII (RFC 6531)")
            elif not self._held_back(pipe, reader, made):
                yield reader, made or make(self.stencil, reader)

    def _first(self) -> Filling | None:
        if not self.ready and self.bench and self.bench.count:
            self.ready.extend(self.bench.take())
        return self.ready.popleft() if self.ready else None

    def _held_back(self, pipe: Pipe, reader: Recipient, made: Copy | Answer | None) -> bool:
        """Whether a ceiling keeps this copy back; then it waits aside, and those behind it may pass."""
        seconds = self.pool.wait(pipe, reader.email) or self.pace.wait(reader)
        if seconds:
            until = time.monotonic() + seconds
            self.held_until = min(until, self.held_until) if self.held else until
            self.held.append((reader, made))
        return seconds > 0
