"""The audit: who did what, to what, when and from where. Append-only; each entry's hash covers the one before it.

An entry is stored in the transaction of what it tells of: the one is not without the other. It holds numbers, and people by
the keyed hash of their mailbox, never an address of theirs or a name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.core.keyed_hashes import keyed_hash
from service.models import AuditEntry
from service.text.tables.csv_cells import plain_cell

FIRST = "0" * 64
"""What the first entry says that it follows."""
CHAIN = 7_203_114
"""The lock under which PostgreSQL lets one entry follow another; SQLite has one writer."""
PAGE = 1_000
COLUMNS = ("id", "at", "organiser", "act", "subject", "details", "address", "previous", "hash")


def note(
    session: Session, act: str, subject: str, now: datetime, *, organiser_id: int | None = None, address: str = "command",
    **details: Any,
) -> AuditEntry:  # fmt: skip
    """Appends an entry."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(CHAIN)))
    last = session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1))
    entry = AuditEntry(
        at=now, organiser_id=organiser_id, act=act, subject=subject, details=details, address=address[:60],
        previous=last or FIRST, hash="",
    )  # fmt: skip
    entry.hash = digest(entry)
    session.add(entry)
    session.flush()
    return entry


def digest(entry: AuditEntry) -> str:
    """SHA-256 over all that an entry says, and over the hash of the one before."""
    at = entry.at.astimezone(UTC).isoformat()
    fields = [entry.previous, at, entry.organiser_id, entry.act, entry.subject, entry.details, entry.address]
    return hashlib.sha256(json.dumps(fields, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def person(mailbox: str) -> str:
    """How the audit names somebody."""
    return f"person {keyed_hash(mailbox)[:32]}"


def search(
    session: Session, *, words: str = "", organiser_id: int | None = None, before: int | None = None, limit: int = 100
) -> list[AuditEntry]:
    """Entries, the newest first; `words` is an act ("approve"), or what it was done to ("mailing 4")."""
    statement = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if words:
        statement = statement.where((AuditEntry.subject == words) | (AuditEntry.act == words))
    if organiser_id is not None:
        statement = statement.where(AuditEntry.organiser_id == organiser_id)
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    return list(session.scalars(statement))


def every(session: Session) -> Iterator[AuditEntry]:
    """All entries, the oldest first, so many at a time."""
    after = 0
    while page := list(session.scalars(select(AuditEntry).where(AuditEntry.id > after).order_by(AuditEntry.id).limit(PAGE))):
        yield from page
        after = page[-1].id
        session.expunge_all()


def row(entry: AuditEntry) -> list[str]:
    """An entry as a line of CSV."""
    cells = (entry.act, entry.subject, json.dumps(entry.details, ensure_ascii=False), entry.address)
    who = str(entry.organiser_id or "")
    return [str(entry.id), entry.at.isoformat(), who, *map(plain_cell, cells), entry.previous, entry.hash]


def verify(session: Session) -> tuple[int, str, str]:
    """How many entries follow one another as they should; what is wrong with the next, or nothing; the last hash.

    Who takes off the end leaves a chain that holds: compare the last hash with one that was written down elsewhere.
    """
    count, last = 0, FIRST
    for entry in every(session):
        if entry.previous != last:
            return count, f"entry {entry.id} does not follow the one before it: something was taken out or put in", last
        if digest(entry) != entry.hash:
            return count, f"entry {entry.id} was changed after it was written", last
        count, last = count + 1, entry.hash
    return count, "", last
