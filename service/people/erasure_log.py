"""Erasures outlive the database: noted in a file beside it, so that a backup from before brings nobody back.

VAR_DIR/erasures.log, a line each: when, and the keyed hash of the mailbox. It is written before the erasure is committed: noted
and not done can be done again; done and not noted would be undone by a restore.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.core.keyed_hashes import keyed_hash
from service.models import Suppression

log = logging.getLogger(__name__)


def path() -> Path:
    return settings().var_dir / "erasures.log"


def note(mailbox: str, now: datetime) -> None:
    """Appends a line; a disk that is full keeps nobody from being erased."""
    try:
        descriptor = os.open(path(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, f"{now.isoformat()} {keyed_hash(mailbox)}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        log.error("an erasure was not noted beside the database: %s", error.strerror)


def since(when: datetime, session: Session | None = None) -> set[str]:
    """Keyed hashes of the mailboxes erased after a time, by the file and, where it is there, by the database itself."""
    hashes = set()
    if path().exists():
        for line in path().read_text().splitlines():
            at, _, hashed = line.partition(" ")
            if hashed and datetime.fromisoformat(at) > when:
                hashes.add(hashed)
    if session is not None:
        erased = select(Suppression.hash).where(Suppression.cause == "erased", Suppression.at > when)
        hashes |= set(session.scalars(erased))
    return hashes
