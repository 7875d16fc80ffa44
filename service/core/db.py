"""The database: one engine for each process, and `transaction()`: commit, and only then wake the workers."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, cast, create_engine, event, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.core import queues
from service.core.config import settings

T = TypeVar("T", int, str)


def engine_for(url: str, *, read_only: bool = False) -> Engine:
    """The same one for each address and use, however it is asked for."""
    return _engine(url, read_only)


@cache
def _engine(url: str, read_only: bool) -> Engine:
    if not url.startswith("sqlite"):
        options = {"postgresql_readonly": True} if read_only else {}
        engine = create_engine(
            url, pool_pre_ping=True, pool_size=8, max_overflow=16, execution_options=options, hide_parameters=True
        )
        event.listen(engine, "connect", lambda connection, _: _prepare_postgresql(connection))
        return engine
    engine = create_engine(url, connect_args={"check_same_thread": False}, hide_parameters=True)
    event.listen(engine, "connect", lambda connection, _: _prepare_sqlite(connection, read_only))
    event.listen(engine, "begin", _begin_reading if read_only else _begin_writing)
    return engine


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_writing(connection: Connection) -> None:
    _when_free(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"))


def _when_free(act: Callable[[], object]) -> None:
    """Asks for SQLite's lock every other millisecond: SQLite itself soon looks ten times a second only, and a letter that
    somebody waits for would wait for a mailing."""
    until = time.monotonic() + settings().database_wait_seconds
    while True:
        try:
            act()
            return
        except (OperationalError, sqlite3.OperationalError) as error:
            reason = getattr(getattr(error, "orig", error), "sqlite_errorname", "")
            if not reason.startswith("SQLITE_BUSY") or time.monotonic() > until:
                raise
            time.sleep(0.001)


def _prepare_postgresql(connection: Any) -> None:
    """A page that waits for a lock says so in time, rather than be cut off by the web server."""
    connection.execute(f"SET lock_timeout = '{settings().database_wait_seconds}s'")
    connection.commit()


def _prepare_sqlite(connection: Any, read_only: bool) -> None:
    """WAL lets readers go on beside one writer; a deferred transaction that turns writer fails instead of waiting.

    Opening waits, too: the last to leave a database has the whole file for a moment, while it tidies up."""
    connection.isolation_level = None
    wait = f"busy_timeout={settings().database_wait_seconds * 1000 if read_only else 1}"
    pragmas = [wait, "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-4000", "secure_delete=ON"]
    for pragma in pragmas + (["query_only=ON"] if read_only else []):
        _when_free(partial(connection.execute, f"PRAGMA {pragma}"))


def among(
    session: Session, column: InstrumentedAttribute[T] | InstrumentedAttribute[T | None], values: Iterable[T]
) -> ColumnElement[bool]:
    """Whether a column holds one of many numbers or texts: one parameter for all, because SQLAlchemy handles each by itself,
    at its cost, and no database takes a hundred thousand."""
    if session.get_bind().dialect.name == "sqlite":
        listed = func.json_each(literal(json.dumps(list(values)))).table_valued("value")
        return column.in_(select(listed.c.value))
    return column == func.any(cast(literal(list(values), ARRAY(column.type)), ARRAY(column.type)))


def insert_new(session: Session, model: type[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts the rows whose key is not there yet; also where another worker inserts the same key in this moment."""
    if rows:
        session.execute(insert_into(session, model).on_conflict_do_nothing(), rows)


def insert_into(session: Session, model: type[Any]) -> Any:
    """The INSERT of this database, which knows ON CONFLICT."""
    return (sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert)(model)


@contextmanager
def transaction() -> Iterator[Session]:
    """Everything inside is committed together; bells hung on the session ring after the commit, never before."""
    with Session(engine_for(settings().database_url), expire_on_commit=False) as session:
        with session.begin():
            yield session
        if session.info.pop("overwrite", False):
            overwrite()
            queues.rewrite_log()
        queues.ring(session.info.pop("bells", []))


def overwrite_after(session: Session) -> None:
    """What this transaction deletes is to be gone from SQLite's files, and Redis' log, as soon as it is committed."""
    session.info["overwrite"] = True


def overwrite() -> None:
    """Brings what was deleted, and overwritten with zeros (`secure_delete`), from SQLite's WAL into its file; empties the WAL.

    Where somebody reads, it is left for the clock. PostgreSQL does as much by its VACUUM.
    """
    engine = engine_for(settings().database_url)
    if engine.dialect.name == "sqlite":
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


@contextmanager
def reading() -> Iterator[Session]:
    """For pages that only look: takes no write lock, and the database itself refuses a change."""
    with Session(engine_for(settings().database_url, read_only=True), expire_on_commit=False) as session:
        yield session
