"""Priority: how long a confirmation takes to the relay while a mailing runs, with real workers, a Valkey and a sink."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from service.core import queues
from service.core.config import settings
from service.core.db import reading, transaction
from service.models import Message
from service.subscriptions import subscribing
from tests.benchmarks.place import ROOT, Place, fan_out, place
from tests.benchmarks.sinks import smtp_sink
from tests.conftest import wait_until
from workers.dev import valkey

Figure = tuple[str, float, str]
LETTERS = 400
READERS = 1_000_000


def prompt_beside_bulk(_folder: Path) -> Iterator[Figure]:
    with smtp_sink() as port, place(READERS, port, LIMIT_DOMAIN="1000000 per hour") as where, bells(where):
        fan_out(where.mailing_id)
        with worker(where, "prompt"), worker(where, "bulk"):
            with transaction() as session:
                queues.wake(session, "shift", where.mailing_id, queues.BULK)
            wait_until(lambda: accepted("mailing") > 5_000, 60)
            asked = [ask(number) for number in range(LETTERS)]
            wait_until(lambda: accepted("confirm") == LETTERS, 60)
            assert accepted("mailing") < READERS, "the mailing ended before the last confirmation"
        took = sorted(1000 * (settled - began) for began, settled in zip(asked, settled_at(), strict=True))
    yield "prompt_median_ms", took[LETTERS // 2], "ms"
    yield "prompt_p99_ms", took[LETTERS * 99 // 100], "ms"


def ask(number: int) -> float:
    """Somebody asks for updates, by the story itself; when they pressed the button."""
    time.sleep(0.02)
    began = time.time()
    with transaction() as session:
        mailing_list = subscribing.find_list(session, "updates")
        form = subscribing.Form("", f"prompt{number}@p{number}.example")
        subscribing.ask(session, [mailing_list], form, datetime.now(UTC))
    return began


def accepted(kind: str) -> int:
    with reading() as session:
        mine = (Message.kind == kind, Message.state == "accepted")
        return session.scalar(select(func.count()).select_from(Message).where(*mine)) or 0


def settled_at() -> list[float]:
    with reading() as session:
        found = session.scalars(select(Message.settled_at).where(Message.kind == "confirm").order_by(Message.id))
        return [at.timestamp() for at in found if at is not None]


@contextmanager
def bells(where: Place) -> Iterator[None]:
    """A Valkey of this place's own."""
    process = subprocess.Popen(valkey.command(), env=os.environ | where.environment, stdout=subprocess.DEVNULL)
    wait_until(settings().socket_path.exists)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def worker(where: Place, name: str) -> Iterator[None]:
    command = [sys.executable, "-m", "workers.run", name]
    process = subprocess.Popen(command, env=os.environ | where.environment, cwd=ROOT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)
