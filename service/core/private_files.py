"""What the service writes is for its own user alone: the names of members stand in it, and the keys."""

from __future__ import annotations

import os
import stat
from pathlib import Path

OTHERS = 0o077


class NotPrivate(ValueError):
    """A folder that others can read, and that is not ours to mend."""


def protect(folder: Path) -> None:
    """Files are made readable for their owner alone from now on, and the folder is closed to others. Raises NotPrivate."""
    os.umask(OTHERS)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise NotPrivate(f"cannot be written ({error.strerror})") from None
    if not status.st_mode & OTHERS:
        return
    if status.st_uid != os.geteuid() or status.st_mode & stat.S_ISVTX:
        raise NotPrivate("can be read by others and is not ours alone: give the service a folder of its own")
    folder.chmod(stat.S_IMODE(status.st_mode) & ~OTHERS)
