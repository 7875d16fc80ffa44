"""What breaks behind the page while people sign: Redis gone or hung, the database locked, a job that fails half-way."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.exceptions import ResponseError
from sqlalchemy import func, select, text

from service.core import config, queues
from service.core.db import engine_for, transaction
from service.models import Letter, Message, Request, Signature
from tests.conftest import ROOT, wait_until
from tests.support.people import ANN, BEN
from tests.support.world import World
from workers import clock
from workers.dev import valkey
from workers.outbound import leases


class Valkey:
    """A bundled Valkey of one test's own, that it may stop and start again."""

    def __init__(self, folder: Path) -> None:
        settings = config.load({"VAR_DIR": str(folder), "SECRET_KEY": "a-key-for-these-tests-alone"})
        config.use(settings)
        self.url, self.socket, self.command = settings.redis_url, settings.socket_path, valkey.command()
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        wait_until(self.socket.exists)

    def refuse_to_save(self) -> None:
        """As on a full disk: the folder of its snapshots is gone."""
        client = queues.redis()
        folder = Path(str(client.config_get("dir")["dir"]))
        client.config_set("save", "3600 1")
        with suppress(ResponseError):
            shutil.rmtree(folder)
            client.bgsave()
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
        folder.mkdir()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait(10)
        self.socket.unlink(missing_ok=True)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "own")
    yield server
    server.stop()
    shutil.rmtree(server.socket.parent, ignore_errors=True)


def log_of(folder: Path) -> str:
    return "".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*.aof"))


class TestRedis:
    @pytest.fixture
    def environment(self, environment: dict[str, str], own: Valkey) -> dict[str, str]:
        return environment | {"REDIS_URL": own.url}

    def test_redis_down_the_visitor_gets_the_page_and_the_letter_goes_later(self, world: World, own: Valkey) -> None:
        world.publish()
        own.stop()
        page = world.sign(ANN)
        assert page.status_code == 200
        assert "Redis" not in page.get_data(as_text=True)
        assert world.get("/readyz").status_code == 503
        own.start()
        world.sweep(datetime.now(UTC) + timedelta(seconds=6))
        world.work()
        assert len(world.letters(ANN["email"])) == 1

    def test_redis_hung_keeps_no_visitor_waiting(self, world: World, own: Valkey) -> None:
        """A Redis that answers nothing is away, too; and nobody waits for it with the database locked."""
        world.publish()
        own.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        statuses = [world.sign(person).status_code for person in (ANN, BEN)]
        took = time.monotonic() - began
        own.process.send_signal(signal.SIGCONT)
        assert statuses == [200, 200]
        assert took < 8

    def test_what_has_run_out_stands_in_no_log_of_redis(self, world: World, own: Valkey) -> None:
        folder = Path(str(queues.redis().config_get("dir")["dir"]))
        queues.redis().set("visitor 203.0.113.77", "1")
        queues.redis().delete("visitor 203.0.113.77")
        assert "203.0.113.77" in log_of(folder)
        with transaction() as session:
            clock.forget(session, datetime.now(UTC))
        wait_until(lambda: "203.0.113.77" not in log_of(folder))

    @pytest.mark.parametrize("refusal", ["its memory is full", "it is a replica of another one", "it cannot save to its disk"])
    def test_a_redis_that_answers_and_refuses_to_write_is_told_at_once(self, world: World, own: Valkey, refusal: str) -> None:
        """Full, or a replica, it answers a PING: everything looked well until the clock's beat ran out."""
        world.publish()
        if refusal == "its memory is full":
            queues.redis().config_set("maxmemory", 1)
        elif refusal == "it is a replica of another one":
            queues.redis().replicaof("127.0.0.1", "9")
        else:
            own.refuse_to_save()
        response = world.get("/readyz")
        assert response.status_code == 503
        words = f"refuses to write, because {refusal}; mail waits and nothing is lost"
        assert response.get_json()["redis"] == words
        assert world.sign(ANN).status_code == 200
        own.stop()
        own.start()

        def goes_out() -> bool:
            """One turn of the clock, which comes every five seconds; the first may still meet a connection that is gone."""
            world.sweep(datetime.now(UTC) + timedelta(seconds=6))
            world.work()
            return len(world.letters(ANN["email"])) == 1

        wait_until(goes_out)

    def test_a_worker_that_starts_while_redis_is_away_waits_for_it(
        self, world: World, own: Valkey, environment: dict[str, str]
    ) -> None:
        world.publish()
        world.sign(ANN)
        own.stop()
        command = [sys.executable, "-m", "workers.run", queues.PROMPT]
        with subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stderr=subprocess.PIPE, text=True) as worker:
            assert worker.stderr is not None
            assert "redis or the database is away" in worker.stderr.readline()
            own.start()
            world.sweep(datetime.now(UTC) + timedelta(seconds=6))
            wait_until(lambda: len(world.letters(ANN["email"])) == 1)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(4) == 0

    def test_a_wiped_redis_loses_no_letter(self, world: World) -> None:
        world.publish()
        world.sign(ANN)
        queues.redis().flushall()
        world.work()
        assert world.letters(ANN["email"]) == []
        world.sweep(datetime.now(UTC) + timedelta(seconds=6))
        world.work()
        assert len(world.letters(ANN["email"])) == 1


def stored(world: World) -> list[int]:
    return [world.rows(select(func.count()).select_from(model))[0] for model in (Signature, Request, Message, Letter)]


def lock(world: World, first: str = "") -> sqlite3.Connection:
    other = sqlite3.connect(world.settings.var_dir / "undersigned.db", isolation_level=None, check_same_thread=False)
    other.execute(first)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_database_locked_for_a_while_makes_the_visitor_wait(world: World) -> None:
    world.publish()
    other = lock(world)
    threading.Timer(1, lambda: other.execute("COMMIT")).start()
    assert world.sign(ANN).status_code == 200
    other.close()
    assert stored(world) == [1, 1, 1, 1]


def test_a_database_that_another_process_leaves_is_waited_for(world: World) -> None:
    """The last to leave has the whole file for a moment; whoever opens it then waits, too."""
    engine_for(world.settings.database_url).dispose()
    other = lock(world, "PRAGMA locking_mode=EXCLUSIVE")
    threading.Timer(0.5, other.close).start()
    world.publish()
    assert stored(world) == [0, 0, 0, 0]


@pytest.mark.settings(DATABASE_WAIT_SECONDS="1")
def test_a_database_locked_for_long_is_said_in_words_and_nothing_is_half_written(
    either_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    either_world.publish()
    name = either_world.settings.database_url[:6]
    if name == "sqlite":
        other = lock(either_world)
        page = either_world.sign(ANN)
        other.execute("ROLLBACK")
    else:
        with transaction() as session:
            session.execute(text("LOCK TABLE waiting_forms IN ACCESS EXCLUSIVE MODE"))
            page = either_world.sign(ANN)
    assert page.status_code == 503
    assert "try again in a minute" in page.get_data(as_text=True)
    assert stored(either_world) == [0, 0, 0, 0]
    assert ANN["email"] not in caplog.text
    assert ANN["name"] not in caplog.text
    assert either_world.sign(ANN).status_code == 200
    assert stored(either_world) == [1, 1, 1, 1]


def test_a_letter_that_cannot_be_written_is_refused_and_keeps_no_other_waiting(world: World) -> None:
    world.publish()
    world.sign(ANN)
    with transaction() as session:
        session.scalars(select(Letter)).one().subject = "two\r\nlines: here"
    world.work()
    [kept] = world.rows(select(Message))
    assert (kept.state, kept.reply_text) == ("refused", "the header Subject holds a control character")


def test_a_job_that_fails_gives_its_lease_up_and_tells_redis_no_address(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The answer came and could not be recorded: the lease lapses, since nobody renews it any more."""
    caplog.set_level(logging.DEBUG)
    world.publish()
    world.sign(ANN)
    with transaction() as session:
        session.execute(text("CREATE TRIGGER broken BEFORE INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'a@example.org'); END"))
    world.work()
    [job] = queues.rq_queue(queues.PROMPT).failed_job_registry.get_job_ids()
    kept = b"".join(queues.redis().dump(key) or b"" for key in queues.redis().keys(f"*{job}*"))
    found = queues.rq_queue(queues.PROMPT).fetch_job(job)
    assert found is not None
    assert "deliver" in str(found.latest_result().exc_string)
    assert b"example.org" not in kept
    assert "example.org" not in str(found.latest_result().exc_string) + caplog.text
    with transaction() as session:
        session.execute(text("DROP TRIGGER broken"))
        leases.renew(session, datetime.now(UTC) + timedelta(seconds=30))
        assert leases.take_back(session, datetime.now(UTC) + timedelta(seconds=50)) == 1
