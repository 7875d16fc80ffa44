"""What may leave next: messages claimed in batches, filled and signed a little ahead, some kept back by a ceiling."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import DBAPIError

from service.db import transaction
from workers.outbound import batch, mime
from workers.outbound.exchange import Answer, Copy
from workers.outbound.pace import Pace
from workers.outbound.pipe import Pipe
from workers.outbound.pool import Pool
from workers.outbound.stencil import Recipient
from workers.outbound.watch import Watch

log = logging.getLogger(__name__)

AHEAD = 48
"""Copies that are filled and signed before a connection asks for them, and how many of them are one task of a thread."""
TOGETHER = 4
SOON = timedelta(seconds=2)
"""What a ceiling holds back for so long is waited for; the bell would ring for it much later."""
Filling = tuple[Recipient, Callable[[], Copy]]


class Supply:
    """The copies of one mailing, for the connections of one process."""

    def __init__(self, mailing_id: int, pool: Pool, watch: Watch) -> None:
        self.mailing_id, self.pool, self.watch = mailing_id, pool, watch
        self.copies = batch.Copies(mailing_id, pool.signing)
        self.pace = Pace(mailing_id)
        self.claimed: deque[Recipient] = deque()
        self.ready: deque[Filling] = deque()
        self.held: deque[Filling] = deque()
        """Ready, and kept back by a ceiling until `held_until`."""
        self.held_until = self.claim_at = 0.0
        self.drained = False

    @property
    def exhausted(self) -> bool:
        return self.drained and not (self.ready or self.held or self.claimed)

    def claim(self) -> None:
        """The next batch, before the last one is used up."""
        enough = len(self.claimed) + len(self.ready) + len(self.held) > batch.SIZE // 2
        if self.drained or enough or time.monotonic() < self.claim_at:
            return
        try:
            with transaction() as session:
                found, more = batch.claim(session, self.mailing_id, datetime.now(UTC), self.pace)
                more = more or batch.is_due(session, self.mailing_id, datetime.now(UTC) + SOON)
        except DBAPIError as error:  # what was claimed and not heard of is given back at the end
            log.warning("nothing claimed: %s", type(error).__name__)
            self.claim_at = time.monotonic() + 0.5
            return
        self.claimed.extend(found)
        self.drained = not more
        self.claim_at = 0.0 if found else time.monotonic() + 0.1

    def prepare(self) -> None:
        """Fills and signs a few copies ahead, on the signing threads where there are any; takes up what was kept back."""
        if self.held and time.monotonic() >= self.held_until:
            self.ready.extendleft(reversed(self.held))
            self.held.clear()
        while self.claimed and len(self.ready) < AHEAD:
            few = [self.claimed.popleft() for _ in range(min(TOGETHER, len(self.claimed)))]
            self.ready.extend(zip(few, self.copies.make(few), strict=True))

    def take(self, pipe: Pipe) -> Iterator[tuple[Recipient, Copy | Answer]]:
        """Copies for this connection, and answers for those who get none; nothing where a ceiling keeps everything back."""
        while self.ready:
            reader, make = self.ready.popleft()
            if not self.watch.wants(reader):
                yield reader, Answer(reader.message_id, "gone", None, "left before it was sent")
            elif not reader.email.isascii() and not pipe.smtputf8:
                yield reader, Answer(reader.message_id, "refused", None, "the relay takes no address outside ASCII (RFC 6531)")
            elif not self._held_back(pipe, reader, make):
                yield reader, _made(reader, make)

    def _held_back(self, pipe: Pipe, reader: Recipient, make: Callable[[], Copy]) -> bool:
        """Whether a ceiling keeps this copy back; then it waits aside, and those behind it may pass."""
        seconds = self.pool.wait(pipe, reader.email) or self.pace.wait(reader)
        if seconds:
            until = time.monotonic() + seconds
            self.held_until = min(until, self.held_until) if self.held else until
            self.held.append((reader, make))
        return seconds > 0


def _made(reader: Recipient, make: Callable[[], Copy]) -> Copy | Answer:
    try:
        return make()
    except mime.BadHeader as error:  # one name that no header can hold keeps nobody else from theirs
        return Answer(reader.message_id, "refused", None, str(error))
