"""A service under fault: a database, a Valkey and a sink of its own, and real bulk workers that can be killed and started."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from redis.exceptions import RedisError
from sqlalchemy import func, select

from service.core import config, queues
from service.core.db import engine_for, reading, transaction
from service.mailings import mailing_lifecycle, tallies
from service.migrations import upgrade
from service.models import Mailing, Message, Subscription
from tests.faults.sink import Sink
from tests.support import crowd
from workers import clock
from workers.dev import valkey

ROOT = Path(__file__).parent.parent.parent
LAPSED = timedelta(seconds=46)
"""After so long a claim that nobody renews is taken back."""


class Site:
    """Hosts are folders: what a worker leaves behind is found by those of the same host alone."""

    def __init__(
        self,
        folder: Path,
        *,
        delay: float = 0.002,
        database: Path | str = "",
        address: str = "127.0.0.1",
        redis_options: Sequence[str] = (),
        **settings: str,
    ) -> None:
        self.folder, self.sink, self.redis_options = folder, Sink(delay, address), redis_options
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(database, Path):
            shutil.copy(database, folder / "undersigned.db")
        self.environment = {
            "VAR_DIR": str(folder), "SECRET_KEY": "a-key-for-these-tests-alone", "APPROVALS": "0",
            "DATABASE_URL": database if isinstance(database, str) and database else f"sqlite:///{folder / 'undersigned.db'}",
            "MAIL_SERVER": address, "MAIL_PORT": str(self.sink.port), "ALLOW_PLAIN_RELAY": "1",
        } | settings  # fmt: skip
        self.socket = Path(tempfile.mkdtemp(prefix="undersigned-faults-"))
        self.environment["REDIS_URL"] = f"unix://{self.socket}/valkey.sock"
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.redis: subprocess.Popen[bytes] | None = None
        self.kills = 0
        self.mailing_id = 0
        self.log = (folder / "workers.log").open("ab")

    def __enter__(self) -> Self:
        config.use(config.load(self.environment))
        if not self.environment["DATABASE_URL"].startswith("sqlite") or not (self.folder / "undersigned.db").exists():
            upgrade.upgrade()
        self.start_redis()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers.values():
            worker.kill()
            worker.wait()
        self.stop_redis()
        self.sink.__exit__()
        for read_only in (True, False):
            engine_for(self.environment["DATABASE_URL"], read_only=read_only).dispose()
        self.log.close()
        shutil.rmtree(self.socket, ignore_errors=True)

    def start_redis(self) -> None:
        self.redis = subprocess.Popen(
            [*valkey.command(), *self.redis_options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.wait(self._redis_answers, 10)

    def _redis_answers(self) -> bool:
        with suppress(RedisError):
            return bool(queues.redis().ping())
        return False

    def stop_redis(self) -> None:
        if self.redis is not None:
            self.redis.kill()
            self.redis.wait()
            self.redis = None

    def write_to(self, readers: int) -> None:
        """An approved mailing to so many readers, its bell rung."""
        self.mailing_id = crowd.mailing_to(-(-readers * 10 // 9), datetime.now(UTC))

    def start(self, host: str = "", *, on: Sequence[str] = (), **settings: str) -> subprocess.Popen[bytes]:
        """A bulk worker on a host; the first host is the one that this process is on. `on` is put before its command."""
        assert host not in self.workers
        own = {"VAR_DIR": str(self.folder / host)} if host else {}
        self.workers[host] = worker = subprocess.Popen(
            [*on, sys.executable, "-m", "workers.run", "bulk"], cwd=ROOT, env=os.environ | self.environment | own | settings,
            stderr=self.log,
        )  # fmt: skip
        return worker

    def kill(self, host: str = "") -> None:
        worker = self.workers.pop(host)
        if worker.poll() is None:
            worker.send_signal(signal.SIGKILL)
            self.kills += 1
        worker.wait()

    def start_kept(self) -> None:
        """A bulk worker under the process that starts it again when it was killed, as `make run` has it."""
        command = [sys.executable, "-m", "workers.dev.keep", sys.executable, "-m", "workers.run", "bulk"]
        self.workers[""] = subprocess.Popen(command, cwd=ROOT, env=os.environ | self.environment, stderr=self.log)

    def child(self) -> int | None:
        """The worker that is kept; None between two."""
        keeper = self.workers[""].pid
        assert self.workers[""].poll() is None, "a worker ended by itself"
        found = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
        return int(found[0]) if found else None

    def kill_kept(self, whom: str) -> None:
        """The "parent", the "child" or "both"; a worker never outlives who keeps it."""
        child = self.child()
        if whom != "parent" and child is not None:
            os.kill(child, signal.SIGKILL)
        if whom == "child":
            self.kills += child is not None
            return
        self.kill()
        self.wait(lambda: child is None or not alive(child), 5)

    def sweep(self, later: timedelta = timedelta(0)) -> None:
        """One turn of the clock; a Redis or a database that is away is its usual trouble."""
        duties = [clock.Duty(act, 0) for act in (clock.sweep_letters, clock.sweep_mailings)]
        if not later:
            clock.tick(duties, 1)
            return
        for duty in duties:
            with transaction() as session:
                duty.act(session, datetime.now(UTC) + later)

    def wait(self, true: Callable[[], bool], seconds: float = 30, *, sweeping: bool = False) -> None:
        """Polls, and sweeps as the clock would where asked for; raises once the time is up."""
        until, sweep_at = time.monotonic() + seconds, 0.0
        while not true():
            if time.monotonic() > until:
                raise TimeoutError(f"did not happen in {seconds} s; {self.states()}")
            if sweeping and time.monotonic() > sweep_at:
                self.sweep()
                sweep_at = time.monotonic() + 1
            time.sleep(0.02)

    def heard(self, more: int, seconds: float = 30, *, sweeping: bool = False) -> None:
        """Until the sink took so many more texts, or the mailing is over."""
        goal = len(self.sink.texts) + more
        self.wait(lambda: len(self.sink.texts) >= goal or self.over(), seconds, sweeping=sweeping)

    def state(self) -> str:
        with reading() as session:
            return session.scalars(select(Mailing.state).where(Mailing.id == self.mailing_id)).one()

    def over(self) -> bool:
        return self.state() == "sent"

    def states(self) -> dict[str, int]:
        with reading() as session:
            mine = select(Message.state, func.count()).where(Message.mailing_id == self.mailing_id)
            return dict(row._tuple() for row in session.execute(mine.group_by(Message.state)))

    def readers(self) -> set[str]:
        with reading() as session:
            return set(session.scalars(select(Subscription.email).where(Subscription.state == "confirmed")))

    def counts(self) -> dict[str, int]:
        """What the promises are about, at the end of a mailing."""
        got, states = self.sink.by_recipient, self.states()
        with reading() as session:
            tallied = tallies.read(session, self.mailing_id)
            mailing_lifecycle.find(session, self.mailing_id)
        return {
            "readers": len(self.readers()),
            "texts": len(self.sink.texts),
            "lost": len(self.readers() - set(got)),
            "strangers": len(set(got) - self.readers()),
            "unaccounted": sum(states.values()) - states.get("accepted", 0) + abs(len(self.readers()) - sum(states.values())),
            "tallies_wrong": sum(abs(tallied.get(one, 0) - states.get(one, 0)) for one in tallied | states),
            "doubles": self.sink.doubles,
            "message_ids_unequal": self.sink.unequal,
            "kills": self.kills,
        }

    def check(self, doubles: int | None = None) -> dict[str, int]:
        """Raises where a promise was broken; `doubles` is how many may be there, else one for each connection and kill."""
        counts = self.counts()
        allowed = 4 * self.kills if doubles is None else doubles
        wrong = {name: counts[name] for name in WRONG if counts[name]}
        if counts["doubles"] > allowed:
            wrong["doubles"] = counts["doubles"]
        if wrong:
            raise AssertionError(f"{wrong} of {counts}")
        return counts


WRONG = ("lost", "strangers", "unaccounted", "tallies_wrong", "message_ids_unequal")


def alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def killed_at_random(site: Site, chance: random.Random, most: int) -> None:
    """One life of a worker: it ends after some answers, or after some time, wherever it is then."""
    site.start()
    if chance.random() < 0.6:
        site.heard(chance.randint(1, most), sweeping=True)
    else:
        time.sleep(chance.uniform(0.2, 2.5))
    site.kill()
