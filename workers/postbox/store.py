"""The messages in VAR_DIR/postbox.db. What a list shows lies apart from the bulk, so that 100,000 list quickly."""

import json
import re
import sqlite3
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workers.postbox import letter, summary
from workers.postbox.summary import Json

SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    read INTEGER NOT NULL DEFAULT 0,
    received_at TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,
    summary TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS message_read ON message (read);
CREATE TABLE IF NOT EXISTS content (
    id INTEGER PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    words TEXT NOT NULL,
    raw BLOB NOT NULL
);
"""
TERM = re.compile(r'(?:(to|from|cc|bcc|subject):)?(?:"([^"]*)"|(\S+))', re.IGNORECASE)
IN_FIELD = "instr(casefold(json_extract(summary, ?)), ?) > 0"
IN_WORDS = "EXISTS (SELECT 1 FROM content WHERE content.id = message.id AND instr(words, ?) > 0)"


@dataclass(frozen=True)
class Listing:
    """One page of the messages that match, and how many there are of them and in all."""

    messages: list[Json]
    matching: int
    matching_unread: int
    total: int
    unread: int


class Store:
    """Safe to share: each thread opens its own connection."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._local = threading.local()
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(SCHEMA)

    @property
    def _db(self) -> sqlite3.Connection:
        if not hasattr(self._local, "db"):
            db = sqlite3.connect(self._path, timeout=10, isolation_level=None)
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA foreign_keys = ON")
            db.create_function("casefold", 1, lambda text: str(text).casefold(), deterministic=True)
            self._local.db = db
        connection: sqlite3.Connection = self._local.db
        return connection

    def add(self, sender: str, recipients: list[str], raw: bytes) -> None:
        """Committed when this returns; raises sqlite3.Error when it could not be."""
        received_at = summary.rfc3339(datetime.now(UTC))
        read = letter.read(raw)
        entry = summary.summarise(read, recipients, received_at=received_at, size=len(raw))
        row = (received_at, sender, _json(recipients), _json(entry))
        db = self._db
        with db:
            db.execute("BEGIN IMMEDIATE")
            insert = "INSERT INTO message (received_at, sender, recipients, summary) VALUES (?, ?, ?, ?)"
            number = db.execute(insert, row).lastrowid
            db.execute("INSERT INTO content VALUES (?, ?, ?)", (number, summary.searchable(read, entry), raw))

    def page(self, query: str, start: int, limit: int) -> Listing:
        """Newest first. `query` is words, quoted phrases, and to:, from:, cc:, bcc: and subject: before either."""
        where, values = _conditions(query)
        total, unread = self._count("1", [])
        matching, matching_unread = self._count(where, values) if values else (total, unread)
        sql = f"SELECT id, read, summary FROM message WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?"
        rows = self._db.execute(sql, [*values, limit, start])
        return Listing([_entry(*row) for row in rows], matching, matching_unread, total, unread)

    def _count(self, where: str, values: list[str]) -> tuple[int, int]:
        sql = f"SELECT COUNT(*), COUNT(*) FILTER (WHERE read = 0) FROM message WHERE {where}"
        total, unread = self._db.execute(sql, values).fetchone()
        return total, unread

    def latest(self) -> str | None:
        number = self._db.execute("SELECT MAX(id) FROM message").fetchone()[0]
        return None if number is None else str(number)

    def raw(self, id: str) -> bytes | None:
        row = self._db.execute("SELECT raw FROM content WHERE id = ?", (_number(id),)).fetchone()
        return row and bytes(row[0])

    def message(self, id: str) -> Json | None:
        """The whole message as the API shows it."""
        sql = "SELECT id, read, summary, sender FROM message WHERE id = ?"
        row = self._db.execute(sql, (_number(id),)).fetchone()
        raw = self.raw(id)
        return summary.describe(letter.read(raw), _entry(*row[:3]), row[3]) if row and raw is not None else None

    def mark_read(self, id: str) -> None:
        self._db.execute("UPDATE message SET read = 1 WHERE id = ? AND read = 0", (_number(id),))

    def delete(self, ids: list[str] | None = None) -> None:
        """Some messages, or all of them."""
        if ids is None:
            self._db.execute("DELETE FROM message")
        else:
            self._db.executemany("DELETE FROM message WHERE id = ?", [(_number(id),) for id in ids])


def _conditions(query: str) -> tuple[str, list[str]]:
    conditions, values = ["1"], list[str]()
    for name, phrase, word in TERM.findall(query):
        conditions.append(IN_FIELD if name else IN_WORDS)
        values += [f"$.{name.title()}"] if name else []
        values.append((phrase or word).casefold())
    return " AND ".join(conditions), values


def _number(id: str) -> int:
    """No message has the number 0; SQLite's own numbers have at most 18 digits that matter here."""
    return int(id) if id.isascii() and id.isdigit() and len(id) < 19 else 0


def _entry(number: int, read: int, text: str) -> Json:
    entry: dict[str, Any] = json.loads(text)
    return {"ID": str(number), "Read": bool(read), **entry}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
