"""The secret that a machine makes for itself, where nobody set SECRET_KEY."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path


def make(path: Path) -> None:
    """Written whole under another name, then linked: the first link stands, and nobody reads half a key."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
