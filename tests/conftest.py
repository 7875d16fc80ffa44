"""Real parts for every test: a bundled Valkey, a postbox, SQLite, PostgreSQL where it is installed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.core import config, queues
from service.core.db import engine_for
from service.migrations import upgrade
from service.rate_limits import windows
from tests.support.servers.postgres import Cluster
from tests.support.servers.smtp_server import SmtpServer
from tests.support.world import World
from workers.dev import valkey
from workers.outbound import journal
from workers.outbound.bulk.batch import stencil_of
from workers.outbound.bulk.connections import pool
from workers.outbound.letter import _kept
from workers.outbound.message.letter_bytes import _signers

ROOT = Path(__file__).parent.parent
pytest_plugins = ["tests.support.browser"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Polls; raises once the time is up."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            raise TimeoutError("what was waited for did not happen")
        time.sleep(0.02)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Valkey of our own, on a unix socket; its address."""
    settings = config.load({"VAR_DIR": str(tmp_path_factory.mktemp("valkey"))})
    config.use(settings)
    process = subprocess.Popen(valkey.command(), stdout=subprocess.DEVNULL)
    wait_until(settings.socket_path.exists)
    yield settings.redis_url
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    shutil.rmtree(settings.socket_path.parent, ignore_errors=True)


@pytest.fixture(scope="session")
def postbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """A postbox; its SMTP port and the address of its pages."""
    smtp, web = free_port(), free_port()
    environment = os.environ | {
        "POSTBOX_SMTP_PORT": str(smtp),
        "POSTBOX_PORT": str(web),
        "VAR_DIR": str(tmp_path_factory.mktemp("postbox")),
    }
    process = subprocess.Popen([sys.executable, "-m", "workers.postbox"], env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    wait_until(lambda: answers(f"http://127.0.0.1:{web}/readyz"))
    yield smtp, f"http://127.0.0.1:{web}"
    process.send_signal(signal.SIGTERM)
    process.wait(10)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that each test copies: migrating takes longer than most tests."""
    folder = tmp_path_factory.mktemp("template")
    config.use(config.load({"VAR_DIR": str(folder)}))
    upgrade.upgrade()
    return folder / "undersigned.db"


@pytest.fixture(scope="session")
def postgres_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("pgvar")) as cluster:
        yield cluster


@pytest.fixture
def postgres_database(postgres_cluster: Cluster) -> Iterator[str]:
    """A migrated database of one test's own; its address."""
    name = f"test_{time.time_ns()}"
    yield postgres_cluster.create(name)
    postgres_cluster.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def relay() -> Iterator[SmtpServer]:
    """A mail server that does as a test says, for those whose settings name its port."""
    with SmtpServer() as server:
        yield server


@pytest.fixture
def environment(
    tmp_path: Path, redis_server: str, postbox_server: tuple[int, str], request: pytest.FixtureRequest
) -> dict[str, str]:
    """The environment variables of a service for one test; a test adds its own by `@pytest.mark.settings(NAME=…)`."""
    mark = request.node.get_closest_marker("settings")
    return {
        "VAR_DIR": str(tmp_path / "var"),
        "WEB_PORT": str(free_port()),  # where the browser tests serve the site; links in letters name it
        "REDIS_URL": redis_server,
        "MAIL_PORT": str(postbox_server[0]),
        "SECRET_KEY": "a-key-for-these-tests-alone",
        "SERVING_WAIT_MINUTES": "0",
        "COOLING_SECONDS": "0",
        "DNS_SERVER": "off",
        "LIMIT_VISITOR": "10000 per minute",
    } | (mark.kwargs if mark else {})


def _world(environment: dict[str, str], postbox: str) -> Iterator[World]:
    settings = config.load(environment)
    config.use(settings)
    queues.redis().flushdb()
    stencil_of.cache_clear()
    urllib.request.urlopen(urllib.request.Request(f"{postbox}/api/v1/messages", method="DELETE")).close()
    world = World(settings, postbox)
    yield world
    world.hang_up()
    _kept().clear()
    if journal.own.cache_info().currsize:
        journal.own().close()
    for kept in (journal.own, pool, _signers):
        kept.cache_clear()
    for read_only in (True, False):
        engine_for(settings.database_url, read_only=read_only).dispose()
    windows._memory.reset()


@pytest.fixture
def world(environment: dict[str, str], template: Path, postbox_server: tuple[int, str]) -> Iterator[World]:
    """A service on SQLite."""
    folder = Path(environment["VAR_DIR"])
    folder.mkdir(parents=True)
    shutil.copy(template, folder / "undersigned.db")
    yield from _world(environment, postbox_server[1])


@pytest.fixture(params=["sqlite", "postgresql"])
def either_world(
    request: pytest.FixtureRequest, environment: dict[str, str], template: Path, postbox_server: tuple[int, str]
) -> Iterator[World]:
    """The same test on SQLite and on PostgreSQL: for claims, uniqueness and fan-out."""
    folder = Path(environment["VAR_DIR"])
    folder.mkdir(parents=True)
    if request.param == "sqlite":
        shutil.copy(template, folder / "undersigned.db")
        yield from _world(environment, postbox_server[1])
        return
    url = request.getfixturevalue("postgres_database")
    yield from _world(environment | {"DATABASE_URL": url}, postbox_server[1])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: needs the machine to itself; `make test` runs it after all others")
    config.addinivalue_line("markers", "settings(**names): environment variables of this test's service")


ALONE = (
    "test_discretion",
    "test_processes",
    "test_shell",
    "test_within",
    "test_kills",
    "test_ending",
    "test_leases",
    "test_ceilings",
)
"""Files whose time limits hold on a machine that does nothing else."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in ALONE:
            item.add_marker("alone")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With NO_SKIPS a skipped test is a failure: the machine should have had what it wants."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("NO_SKIPS") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
