"""A table that refuses what it is asked, on either database: a job that writes to it fails as it would on a broken disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from service.core.db import transaction

SECRET = "Ann Ashworth ann@example.org"
"""What the database's error says, and nobody may read."""


@contextmanager
def refusing(event: str, where: str = "TRUE") -> Iterator[None]:
    """`event` as SQL says it: "INSERT ON enclosures". `where` is a condition on NEW."""
    table = event.rpartition(" ")[2]
    with transaction() as session:
        if session.get_bind().dialect.name == "sqlite":
            session.execute(
                text(f"CREATE TRIGGER broken BEFORE {event} WHEN {where} BEGIN SELECT RAISE(ABORT, '{SECRET}'); END")
            )
        else:
            session.execute(text("CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS "
                                 f"$$ BEGIN RAISE EXCEPTION '{SECRET}'; END $$"))  # fmt: skip
            session.execute(text(f"CREATE TRIGGER broken BEFORE {event} FOR EACH ROW WHEN ({where}) EXECUTE FUNCTION broken()"))
    try:
        yield
    finally:
        with transaction() as session:
            on_table = "" if session.get_bind().dialect.name == "sqlite" else f" ON {table}"
            session.execute(text(f"DROP TRIGGER broken{on_table}"))
