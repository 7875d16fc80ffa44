"""Threads that fill and sign copies ahead of time: `cryptography` lets several sign at once, beside the loop that sends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from queue import SimpleQueue
from threading import Thread

from workers.outbound.message.mime import BadHeader
from workers.outbound.message.stencil import Recipient, Stencil
from workers.outbound.smtp.outcome import Answer, Copy

SWITCH_SECONDS = 0.0005
"""A thread that has its signature waits no longer than this for its turn; Python's own measure is ten times that."""
Made = tuple[Recipient, Copy | Answer]


def make(stencil: Stencil, reader: Recipient) -> Copy | Answer:
    """A reader's copy; one name that no header can hold keeps nobody else from theirs."""
    try:
        return stencil.copy(reader)
    except BadHeader as error:
        return Answer(reader.message_id, "refused", None, str(error))


class Bench:
    """What one shift has given to the threads, and takes from them; a few copies are one task, for handing over costs time."""

    def __init__(self, tasks: SimpleQueue[Task], stencil: Stencil) -> None:
        self.tasks, self.stencil = tasks, stencil
        self.done: SimpleQueue[list[Made] | Exception] = SimpleQueue()
        self.count = 0

    def give(self, readers: Sequence[Recipient]) -> None:
        self.count += len(readers)
        self.tasks.put((self.stencil, readers, self.done))

    def take(self) -> list[Made]:
        """The next few, waited for. Raises what went wrong with them."""
        made = self.done.get()
        if isinstance(made, Exception):
            raise made
        self.count -= len(made)
        return made


Task = tuple[Stencil, Sequence[Recipient], SimpleQueue[list[Made] | Exception]]


class Signing:
    """The threads of one process; they end with it."""

    def __init__(self, threads: int) -> None:
        sys.setswitchinterval(SWITCH_SECONDS)
        self.tasks: SimpleQueue[Task] = SimpleQueue()
        for number in range(threads):
            Thread(target=self._work, name=f"signer-{number}", daemon=True).start()

    def bench(self, stencil: Stencil) -> Bench:
        return Bench(self.tasks, stencil)

    def _work(self) -> None:
        while True:
            stencil, readers, done = self.tasks.get()
            try:
                done.put([(reader, make(stencil, reader)) for reader in readers])
            except Exception as error:
                done.put(error)
