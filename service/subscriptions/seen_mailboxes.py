"""Which mailboxes a file has named before, however long it is: kept in a temporary file of SQLite's, not in memory."""

from __future__ import annotations

import sqlite3
from types import TracebackType


class Mentioned:
    """Holds 64 bits of a keyed hash of each mailbox: among a million, two are mixed up once in forty million files."""

    def __init__(self) -> None:
        self.table = sqlite3.connect("", isolation_level=None)
        self.table.execute("PRAGMA journal_mode=OFF")
        self.table.execute("PRAGMA cache_size=-16000")
        self.table.execute("CREATE TABLE mentioned (hash INTEGER PRIMARY KEY, line INTEGER)")
        self.table.execute("BEGIN")

    def before(self, mailbox: str, line: int) -> int | None:
        """The line that named this mailbox first; None where this one does."""
        added = self.table.execute("INSERT OR IGNORE INTO mentioned VALUES (?, ?)", (hash(mailbox), line)).rowcount
        if added:
            return None
        return int(self.table.execute("SELECT line FROM mentioned WHERE hash = ?", (hash(mailbox),)).fetchone()[0])

    def __enter__(self) -> Mentioned:
        return self

    def __exit__(self, _type: type[BaseException] | None, _value: BaseException | None, _at: TracebackType | None) -> None:
        self.table.close()
