"""The processes as a newcomer starts them: `python -m workers.dev.launch` on free ports, signals, and what is left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from honcho.environ import parse_procfile

from service.core import queues
from tests.conftest import ROOT, answers, free_port, wait_until
from tests.support.people import ANN
from tests.support.servers.smtp_server import STALL, SmtpServer
from tests.support.world import World


def processes_of(var: Path) -> dict[int, str]:
    """Every process on this machine that was started with this VAR_DIR: its number and command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"VAR_DIR={var}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return {number: line for number, line in found.items() if line}


PORTS = ("WEB_PORT", "POSTBOX_SMTP_PORT", "POSTBOX_PORT", "INBOUND_LMTP_PORT", "INBOUND_SMTP_PORT")


class Launched:
    """A whole service in a folder; started again, it is the same service."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.ports = {name: str(free_port()) for name in PORTS}
        own = {"VAR_DIR": str(var), "WEB_CONCURRENCY": "1"} | self.ports
        self.environment = {key: value for key, value in os.environ.items() if key != "REDIS_URL"} | own

    def start(self, **changes: str) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workers.dev.launch"], cwd=ROOT, env=self.environment | changes, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return self.process

    def ready(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()[0]
        return answers(f"http://127.0.0.1:{self.ports['WEB_PORT']}/readyz")

    def stop(self) -> float:
        """Ctrl-C; how long it took until nothing was left, in seconds."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=30)
        wait_until(lambda: not processes_of(self.var), 10)
        return time.monotonic() - began

    def output(self) -> str:
        """All that was printed, from a start to Ctrl-C."""
        self.start()
        wait_until(self.ready, 60)
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=30)[0]

    def rows(self, table: str) -> int:
        with sqlite3.connect(self.var / "undersigned.db") as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Launched]:
    one = Launched(tmp_path / "var")
    yield one
    for number in processes_of(one.var):
        os.kill(number, signal.SIGKILL)


def test_a_healthy_start_and_stop_alarm_nobody(service: Launched) -> None:
    printed = service.output()
    assert service.process.returncode == 0
    assert "Listening at" in printed
    assert not re.search("warning|error|could not|traceback", printed, re.IGNORECASE)


def test_one_command_starts_everything_and_ctrl_c_stops_it(service: Launched) -> None:
    counts = []
    for _ in range(2):
        service.start()
        wait_until(service.ready, 60)
        welcome = service.var / "welcome.txt"
        wait_until(lambda path=welcome: path.exists() and "Organisers" in path.read_text(), 10)
        assert stat.S_IMODE(welcome.stat().st_mode) == 0o600
        link = re.search(r"http://localhost:\d+(/organise/sign-in/\S+)", welcome.read_text())
        assert link
        assert answers(f"http://127.0.0.1:{service.ports['WEB_PORT']}{link[1]}")
        running = " ".join(processes_of(service.var).values())
        workers = [f"workers.run {name}" for name in queues.QUEUES]
        for part in ("gunicorn", *workers, "workers.inbound", "workers.clock", "postbox"):
            assert part in running
        counts.append([service.rows(table) for table in ("notices", "signatures", "officials", "organisers", "mailing_lists")])
        assert service.stop() < 8
        welcome.unlink()
    assert counts[0] == counts[1]
    assert counts[0][0] == 1


def worker_of(service: Launched, name: str) -> set[int]:
    """The worker itself, not the process that keeps it."""
    running = processes_of(service.var).items()
    return {number for number, line in running if f"workers.run {name}" in line and "workers.dev.keep" not in line}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """One that runs already, for tests that leave it running."""
    one = Launched(tmp_path_factory.mktemp("running") / "var")
    one.start()
    try:
        wait_until(one.ready, 60)
        yield one
        assert one.stop() < 8
    finally:
        for number in processes_of(one.var):
            os.kill(number, signal.SIGKILL)


def test_a_killed_worker_is_started_again_and_the_site_stays(running: Launched) -> None:
    (killed,) = worker_of(running, "bulk")
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: bool(worker_of(running, "bulk") - {killed}), 20)
    assert answers(f"http://127.0.0.1:{running.ports['WEB_PORT']}/healthz")


def test_a_folder_serves_one_run_at_a_time(running: Launched) -> None:
    assert "runs from" in one_sentence(Launched(running.var).start())


def one_sentence(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said.startswith("Undersigned cannot start. ")
    assert said.count("\n") == 1, said
    return said


def valkey_of(process: subprocess.Popen[str]) -> int:
    """It writes its title over its environment, and so is found as a child."""
    children = " ".join(path.read_text() for path in Path(f"/proc/{process.pid}/task").glob("*/children"))
    (number,) = [child for child in children.split() if "valkey-server" in Path(f"/proc/{child}/cmdline").read_text()]
    return int(number)


def test_all_stop_when_the_bundled_valkey_does(service: Launched) -> None:
    process = service.start()
    wait_until(service.ready, 60)
    os.kill(valkey_of(process), signal.SIGKILL)
    printed = process.communicate(timeout=30)[0]
    assert process.returncode not in {0, None}
    assert "The bundled Valkey ended (-9)." in printed
    assert not processes_of(service.var)


@pytest.mark.parametrize("name", PORTS)
def test_a_taken_port_is_said_in_one_sentence(service: Launched, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        said = one_sentence(service.start(**{name: number}))
    assert number in said
    assert name in said
    assert not processes_of(service.var)


@pytest.mark.parametrize("settings", [{}, {"SECRET_KEY": "a-key-for-these-tests-alone"}], ids=["no key", "a key"])
def test_a_folder_that_cannot_be_written_is_said_in_one_sentence(service: Launched, settings: dict[str, str]) -> None:
    service.var.write_text("a file where a folder should be")
    assert str(service.var) in one_sentence(service.start(**settings))


def test_a_database_that_cannot_be_opened_is_said_in_one_sentence(service: Launched) -> None:
    (service.var / "undersigned.db").mkdir(parents=True)
    assert "database" in one_sentence(service.start())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_ends_in_time_in_the_middle_of_a_slow_letter(
    world: World, environment: dict[str, str], number: signal.Signals
) -> None:
    """What the server might still answer is given up; the letter waits, and goes again with the same Message-ID."""
    with SmtpServer().will(".", STALL) as relay:
        worker = subprocess.Popen(
            [sys.executable, "-m", "workers.run", "prompt"], cwd=ROOT, stderr=subprocess.PIPE, text=True,
            env=os.environ | environment | {"MAIL_PORT": str(relay.port), "MAIL_TIMEOUT_SECONDS": "60"},
        )  # fmt: skip
        world.publish()
        world.sign(ANN)
        wait_until(lambda: bool(relay.taken))
        began = time.monotonic()
        worker.send_signal(number)
        try:
            _, said = worker.communicate(timeout=10)
        finally:
            worker.kill()
        assert time.monotonic() - began < 4
    assert worker.returncode == 0, said
    assert "Traceback" not in said
    with sqlite3.connect(world.settings.var_dir / "undersigned.db") as connection:
        assert connection.execute("SELECT state, lease FROM messages").fetchall() == [("queued", None)]


@pytest.mark.parametrize("name", queues.QUEUES)
def test_an_idle_worker_ends_at_once(world: World, environment: dict[str, str], name: str) -> None:
    worker = subprocess.Popen([sys.executable, "-m", "workers.run", name], cwd=ROOT, env=os.environ | environment)
    redis = queues.redis()
    wait_until(lambda: b"idle" in [redis.hget(key, "state") for key in redis.smembers(f"rq:workers:{name}")])
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(4) == 0
    assert not redis.smembers(f"rq:workers:{name}")


def test_an_unknown_queue_is_said_in_one_sentence() -> None:
    ended = subprocess.run([sys.executable, "-m", "workers.run", "all"], cwd=ROOT, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (1, "Name one queue: prompt, notices, bulk, inbound.\n")


@pytest.mark.parametrize("name", ["Procfile", "Procfile.dev"])
def test_each_queue_has_a_process_of_its_own(name: str) -> None:
    """Named as the queue; but `inbound` is who listens for mail, and `reader` who works on what came in."""
    lines = parse_procfile((ROOT / name).read_text()).processes
    for one in queues.QUEUES:
        assert lines["reader" if one == queues.INBOUND else one].endswith(f"python -m workers.run {one}")
    assert lines["inbound"].endswith("python -m workers.inbound")
    assert lines["clock"].endswith("python -m workers.clock")
    assert "gunicorn wsgi:app" in lines["web"]
