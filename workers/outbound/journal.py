"""The journal: each answer of a mail server is on this worker's disk before the next text leaves on that connection.

A worker that starts on this host finds the journals of dead ones (their locks are free), writes their answers into the ledger,
and takes their leases over at once. Flushing to the disk's own platter is not needed: a killed process loses nothing that the
kernel has, and a host that dies is the case where answers may repeat (promise 3).
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import cast

from service.core.config import settings
from service.core.db import transaction
from service.mailings import mailing_lifecycle
from service.operations import failures
from workers.outbound import leases
from workers.outbound.smtp.outcome import Answer, Concern, Verdict


class Journal:
    """An append-only file, locked as long as its worker lives, emptied once the ledger has everything in it."""

    def __init__(self, folder: Path, token: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, unlocked = folder / f"{token}.journal", folder / f"{token}.new"
        self.descriptor = os.open(unlocked, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unlocked.rename(self.path)  # locked before it has the name under which others look for the dead

    def write(self, answers: Sequence[Answer]) -> None:
        """One write for all: complete, or the error of a full disk before anything else leaves."""
        data = b"".join(_line(answer) for answer in answers)
        if (written := os.write(self.descriptor, data)) != len(data):
            os.ftruncate(self.descriptor, os.fstat(self.descriptor).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def empty(self) -> None:
        os.ftruncate(self.descriptor, 0)

    def close(self) -> None:
        self.path.unlink(missing_ok=True)
        self.leave()

    def leave(self) -> None:
        """Unlocked as if its worker were dead: whoever looks next writes it into the ledger."""
        os.close(self.descriptor)


def _line(answer: Answer) -> bytes:
    text = answer.text.replace("\n", " ").replace("\t", " ")
    return f"{answer.message_id}\t{answer.verdict}\t{answer.code or ''}\t{text}\t{answer.concern or ''}\n".encode()


def folder() -> Path:
    return settings().var_dir / "journal"


@cache
def own() -> Journal:
    """The journal of this process; its lock tells others that we live."""
    return Journal(folder(), leases.token())


def start_over() -> None:
    """After a job that failed half-way, or too late: under a new token; what the old one knew is left to `replay`."""
    leases.let_go()
    if own.cache_info().currsize:
        own().leave()
        own.cache_clear()


def replay() -> int:
    """Writes the answers of dead workers on this host into the ledger and frees what else they held; how many workers."""
    count = 0
    for lease, answers, path in of_the_dead(folder()):
        with transaction() as session:
            now = datetime.now(UTC)
            for at in range(0, len(answers), 500):
                leases.record_and_tally(session, lease, answers[at : at + 500], now)
            leases.take_back(session, now, lease)
        path.unlink(missing_ok=True)
        count += 1
    if count:  # their bells were lost with them; a shift that fails each time leaves a journal each time
        with transaction() as session:
            mailing_lifecycle.wake_unfinished(session)
            failures.silence_resting(session, datetime.now(UTC))
    return count


def of_the_dead(where: Path) -> Iterator[tuple[str, list[Answer], Path]]:
    """Token, answers and path of each journal whose worker is gone; the caller removes the file when it has them."""
    for path in sorted(where.glob("*.journal")) if where.is_dir() else []:
        with suppress(BlockingIOError, FileNotFoundError), path.open("rb") as opened:  # alive, or read by another meanwhile
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield path.stem, list(_answers(opened.read())), path


def _answers(content: bytes) -> Iterator[Answer]:
    """Whole lines only: one may have been cut by the kill or a full disk, and then its answer never counted."""
    for line in content.split(b"\n")[:-1]:
        with suppress(ValueError):
            message_id, verdict, code, text, *concern = line.decode().split("\t")  # the concern is younger than the journal
            about = cast(Concern, concern[0]) if concern and concern[0] else None
            yield Answer(int(message_id), cast(Verdict, verdict), int(code) if code else None, text, about)
