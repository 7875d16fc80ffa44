"""A PostgreSQL cluster of our own: in a folder, on a unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest
from sqlalchemy import create_engine, text

from service.core import config
from service.core.db import engine_for
from service.migrations import upgrade

TEMPLATE = "template_undersigned"
OPTIONS = ("listen_addresses=''", "fsync=off", "autovacuum=off", "max_connections=200")


class Cluster:
    """Runs from `with` to its end, with a migrated template; skipped, with the reason, where PostgreSQL is not installed."""

    def __init__(self, var: Path) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")) or [Path(p) for p in [shutil.which("pg_ctl")] if p]
        if not found:
            pytest.skip("PostgreSQL is not installed")
        self.var, self.program = var, found[-1]
        self.folder = Path(tempfile.mkdtemp(prefix="undersigned-postgres-"))  # pytest closes its own folder to other users
        self.as_user: list[str] = []
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.folder, "postgres")
            group = str(pwd.getpwnam("postgres").pw_gid)
            self.as_user = ["setpriv", "--reuid", "postgres", "--regid", group, "--clear-groups"]

    def __enter__(self) -> Self:
        self.control("-o", "-A trust -U postgres -E UTF8", "init")
        with (self.folder / "data/postgresql.conf").open("a") as written:
            written.write("\n".join([*OPTIONS, f"unix_socket_directories='{self.folder}'"]))
        self.start()
        self.run(f"CREATE DATABASE {TEMPLATE}")
        config.use(config.load({"VAR_DIR": str(self.var), "DATABASE_URL": self.url(TEMPLATE)}))
        upgrade.upgrade()
        config.use(config.load({"VAR_DIR": str(self.var)}))
        self._close_template()
        return self

    def _close_template(self) -> None:
        """Nobody, no thread of ours either, may sit in the template while it is copied."""
        engine_for(self.url(TEMPLATE)).dispose()
        self.run(f"ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false")
        self.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{TEMPLATE}'")

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def control(self, *arguments: str) -> None:
        command = [*self.as_user, self.program, "-D", self.folder / "data", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def start(self, options: str = "") -> None:
        self.control("-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """At once, as in a crash."""
        self.control("-m", "immediate", "-w", "stop")

    @contextmanager
    def reached_at(self, address: str) -> Iterator[None]:
        """Also by TCP, at this address of ours, from its /24."""
        with (self.folder / "data/pg_hba.conf").open("a") as written:
            written.write(f"host all all {address}/24 trust\n")
        self.stop()
        self.start(f"-h {address}")
        yield
        self.stop()
        self.start()

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def create(self, name: str) -> str:
        """A migrated database; its address."""
        self.run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return self.url(name)

    def run(self, statement: str) -> None:
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()
