"""A shift: one mailing's messages, claim → fill → sign → send → record, over several connections in one loop.

A shift lasts until the mailing is drained or half a minute has passed; then the bell rings again, so that mailings take turns.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.core import queues
from service.core.config import settings
from service.core.db import reading, transaction
from service.mailings import mailing_lifecycle, pausing, sender_refusals, speed, tallies
from service.models import Failure
from service.operations import failures
from service.text.email_addresses import domain
from service.text.redact import without_addresses
from workers.outbound import journal, leases
from workers.outbound.bulk import batch
from workers.outbound.bulk.connections import Pool, pool
from workers.outbound.bulk.supply import Supply
from workers.outbound.bulk.watch import Watch
from workers.outbound.message.stencil import Recipient
from workers.outbound.smtp.outcome import Answer, Copy
from workers.outbound.smtp.pipelined import Pipe
from workers.outbound.smtp.reception import Objection, Reception

log = logging.getLogger(__name__)

SHIFT_SECONDS = 30
FLUSH = 500
"""Answers that are in the journal and not yet in the ledger, at most."""
WAIT_SECONDS = 0.05
TELL_SECONDS, AWAY_SECONDS = 0.9, 20
DATABASE_SECONDS = 20
STOP_SECONDS = 2.5
stopping: list[bool] = []
"""Not empty once this process was asked to end: then no new text leaves, and the answers under way are awaited briefly."""


def run(mailing_id: int) -> bool:
    """One shift. Rings again where messages are left, and marks the mailing sent where none is. True where it got on."""
    if not batch.can_be_made(mailing_id):
        return True
    with reading() as session:
        taken_before = tallies.read(session, mailing_id).get("accepted", 0) > 0
        failing = failures.find(session, "shift", mailing_id)
    shift = Shift(mailing_id, pool(), taken_before=taken_before, failing=failing)
    shift.work()
    if shift.objection is not None and shift.objection.kind is not None:
        failures.record_as("shift", mailing_id, shift.objection.kind, without_addresses(shift.objection.because))
    with transaction() as session:
        now = datetime.now(UTC)
        over = mailing_lifecycle.finish(session, mailing_id, now)
        # what got nowhere is tried again when the clock looks, not at once
        due = not (over or shift.objection or stopping) and batch.is_due(session, mailing_id, now)
        if due and shift.recorded:
            queues.wake(session, "shift", mailing_id, queues.BULK)
    if due and not shift.recorded:
        failures.record_as("shift", mailing_id, *shift.supply.why_nothing_left())
    return over or shift.paused or (shift.recorded > 0 and not shift.objection)


class Shift:
    """The loop over the connections of this process."""

    def __init__(self, mailing_id: int, connections: Pool, *, taken_before: bool, failing: Failure | None) -> None:
        self.mailing_id, self.pool, self.failing = mailing_id, connections, failing
        self.reception = Reception(connections.size, taken_before=taken_before, probing=failing is not None)
        self.objection: Objection | None = None
        self.paused = False
        self.watch = Watch(mailing_id)
        self.journal = journal.own()
        self.supply = Supply(mailing_id, connections, self.watch)
        self.under_way: dict[int, Recipient] = {}
        self.answers: list[Answer] = []
        self.until = time.monotonic() + SHIFT_SECONDS
        self.stop_at = 0.0
        self.settled, self.tell_at = 0, 0.0
        self.recorded = 0
        self.flush_at = time.monotonic() + 1
        self.away = ""
        """Why no connection to the relay could be made."""
        self.may_send = True
        self.over = False
        """Whether a text may leave, and whether nothing new begins; looked at once in each turn."""

    def work(self) -> None:
        """Claim, fill and sign ahead, send, record; one turn of the loop after the other until nothing is under way."""
        try:
            while not self._done():
                if not self.over and self.pool.pipes:
                    self.supply.claim()
                self._look()
                if not self.over:
                    self.supply.prepare()
                self._send()
                self._record()
        finally:
            self._end()

    def _look(self) -> None:
        self.watch.look()
        self.may_send = self.watch.going and leases.held() and not (stopping or self.reception.objects)
        self.over = not self.may_send or self.away != "" or time.monotonic() > self.until

    def _done(self) -> bool:
        if self.under_way:
            return bool(stopping) and (time.monotonic() > self._stop_at() or not any(pipe.sent for pipe in self.pool.pipes))
        return self.over or self.supply.exhausted

    def _stop_at(self) -> float:
        """Set when the end is first asked for: a cleanly ending process waits so long for answers to texts, and no longer."""
        self.stop_at = self.stop_at or time.monotonic() + STOP_SECONDS
        return self.stop_at

    def _send(self) -> None:
        """Takes in what servers said, journals it, and only then lets the next texts leave."""
        heard = self.pool.listen(WAIT_SECONDS if self.under_way else 0.001)
        answers = [answer for pipe in heard for answer in pipe.read()] + self.pool.write_on()
        self._note(answers)
        for pipe in heard:
            if pipe.text_ready and pipe.current is not None:
                self._text(pipe, self.under_way[pipe.current.message_id])
        if not self.over and self.supply.left:
            for pipe in self.pool.idle():
                if (copy := self._next(pipe)) is not None:
                    pipe.start(copy)
        if not self.pool.pipes and not self.pool.opening:
            self.away = self.away or self.pool.why

    def _text(self, pipe: Pipe, reader: Recipient) -> None:
        """The server waits for the text. Somebody who left meanwhile gets none: the connection ends before it."""
        if not self.watch.wants(reader):
            self._note(self.pool.drop(pipe))
        elif self.may_send:
            pipe.send_text(self._next(pipe) if pipe.pipelining and not self.over else None)
        else:
            self._cut(pipe)

    def _cut(self, pipe: Pipe) -> None:
        """Ends a connection on our own account: a message whose text has not left is given back at the end, due as before."""
        left = self.pool.drop(pipe)
        for answer in left:
            if answer.verdict == "unreachable":
                self.under_way.pop(answer.message_id, None)
        self._note([answer for answer in left if answer.verdict != "unreachable"])

    def _next(self, pipe: Pipe) -> Copy | None:
        """The next copy for this connection; who cannot get theirs is answered for on the way."""
        for reader, made in self.supply.take(pipe):
            if isinstance(made, Copy):
                self.under_way[reader.message_id] = reader
                return made
            self._note([made])
        return None

    def _note(self, answers: list[Answer]) -> None:
        if not answers:
            return
        try:
            self.journal.write(answers)
        except OSError as error:  # the disk is full: then the ledger knows before the next text leaves
            log.warning("the journal cannot be written: %s", error.strerror)
            self.flush_at = 0.0
        self.answers += [self._weighed(answer) for answer in answers]
        if not self.flush_at:
            self._flush()
            self._look()

    def _weighed(self, answer: Answer) -> Answer:
        """An answer as it goes into the ledger: its reader may have left meanwhile."""
        reader = self.under_way.pop(answer.message_id, None)
        if answer.verdict == "accepted":
            if self.reception.row or not self.reception.taken:
                self.reception.take()
            return answer
        if answer.verdict == "unreachable" and reader is not None and not self.watch.wants(reader):
            return answer._replace(verdict="gone", text="left before it was sent", concern=None)
        self.reception.hear(answer, domain(reader.email) if reader is not None else "")
        return answer

    def _record(self) -> None:
        if self.answers and (len(self.answers) >= FLUSH or time.monotonic() > self.flush_at):
            self._flush()

    def _flush(self) -> None:
        """A database that restarts is waited for: what it does not learn would be sent again."""
        give_up = time.monotonic() + (STOP_SECONDS / 2 if stopping else DATABASE_SECONDS)
        while True:
            try:
                return self._settle()
            except DBAPIError as error:
                log.warning("nothing recorded: %s", type(error).__name__)
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)

    def _settle(self) -> None:
        now = datetime.now(UTC)
        with transaction() as session:
            done = leases.record_many(session, leases.token(), self.answers, now)
            self.recorded += done.total()
            settled = {state: count for state, count in done.items() if state in tallies.SETTLED}
            tallies.add(session, self.mailing_id, settled)
        self.journal.empty()
        self.answers.clear()
        self.flush_at = time.monotonic() + 1
        self.settled += sum(settled.values())
        self._tell(now)

    def _tell(self, now: datetime) -> None:
        """Says how much is settled, for whoever watches; less often while Redis is away, and not at the end: it may hang."""
        if self.settled and not stopping and time.monotonic() > self.tell_at:
            told = speed.note(self.mailing_id, self.settled, now)
            self.settled, self.tell_at = 0, time.monotonic() + (TELL_SECONDS if told else AWAY_SECONDS)

    def _end(self) -> None:
        """Records what is known, and gives back all that is still held: nothing is under way any more."""
        self.objection = Objection(self.away, "relay") if self.away else self.reception.objection()
        for pipe in [pipe for pipe in self.pool.pipes if pipe.current or pipe.sent]:
            self._cut(pipe)
        self._flush()
        with transaction() as session:
            leases.release(session, leases.token())
            self._conclude(session, datetime.now(UTC))

    def _conclude(self, session: Session, now: datetime) -> None:
        """Whether the mailing goes on, waits or pauses. One that pauses has nobody refused for what is about us."""
        because = self._why_pause(session, now)
        if because is not None:
            self.paused = True
            sender_refusals.let_go(session, self.mailing_id, now)
            pausing.pause_and_tell(session, self.mailing_id, without_addresses(because), now)
        elif self.objection is None:
            sender_refusals.settle(session, self.mailing_id, now)

    def _why_pause(self, session: Session, now: datetime) -> str | None:
        if (objection := self.objection) is not None and not stopping:
            lasts = self.failing is not None and now - self.failing.first_at > sender_refusals.LASTING
            if objection.kind is None or (objection.kind == "refused" and lasts):
                return objection.because
        because = sender_refusals.why_pause(session, self.mailing_id, now)
        return because or batch.too_many_refused(session, self.mailing_id, settings().refused_share)
