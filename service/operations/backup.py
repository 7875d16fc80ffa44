"""A backup: every table, the keys, the uploads, in one sealed zip file that either database can be restored from.

It is encrypted, and nobody changes it unseen: its key is made of HASH_KEY, without which it is worth nothing.

tables/<name>.jsonl holds a line with the columns and a line for each row; manifest.json the revision of the schema, the time,
and the SHA-256 of every member. Read in one transaction, so that all tables are of one moment.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Date, LargeBinary, Table, delete, func, insert, select, text

from service.core import encrypted_files
from service.core.config import settings
from service.core.db import engine_for
from service.errors import Refused
from service.migrations import upgrade
from service.models import Base
from service.models.base import UTCDateTime

FORMAT = 1
ROWS = 5_000
MADE_BY_MIGRATIONS = {"former_tokens"}
"""Tables that hold a row as soon as they are there: a backup's takes its place."""
KEY_FILES = ("*.key", "*.pem", "*.next")


def write(file: Path, now: datetime) -> dict[str, int]:
    """Writes the file, readable by its owner alone; returns how many rows of each table. Raises Refused where it is there."""
    if file.exists():
        raise Refused(f"{file} is there already; give the backup another name.")
    part = file.with_name(f".{file.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    counts: dict[str, int] = {}
    hashes: dict[str, str] = {}
    with (
        os.fdopen(descriptor, "wb") as raw,
        encrypted_files.Sealer(raw, settings().hash_key) as sealer,
        zipfile.ZipFile(sealer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        with _snapshot() as connection:
            for table in Base.metadata.sorted_tables:
                name = f"tables/{table.name}.jsonl"
                counts[table.name], hashes[name] = _write_table(archive, name, connection, table)
        for name, content in _files():
            archive.writestr(name, content)
            hashes[name] = hashlib.sha256(content).hexdigest()
        manifest = {"format": FORMAT, "revision": revision(), "at": now.isoformat(), "rows": counts, "sha256": hashes}
        archive.writestr("manifest.json", json.dumps(manifest, indent=2))
    part.rename(file)
    return counts


def revision() -> str:
    """The schema that this code expects."""
    return ScriptDirectory.from_config(upgrade.configuration()).get_current_head() or ""


@contextmanager
def _snapshot() -> Iterator[Connection]:
    engine = engine_for(settings().database_url, read_only=True)
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection, connection.begin():
        yield connection


def _write_table(archive: zipfile.ZipFile, name: str, connection: Connection, table: Table) -> tuple[int, str]:
    count, digest = 0, hashlib.sha256()
    columns = [column.name for column in table.columns]
    rows = connection.execution_options(yield_per=ROWS).execute(select(table).order_by(*table.primary_key.columns))
    with archive.open(name, "w", force_zip64=True) as member:
        for row in chain([columns], rows):
            member.write(encoded := _line([_plain(value) for value in row]))
            digest.update(encoded)
            count += 1
    return count - 1, digest.hexdigest()


def _line(values: list[Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _files() -> Iterator[tuple[str, bytes]]:
    """The keys that this service uses, wherever they lie, what was uploaded, and the erasures."""
    var, config = settings().var_dir, settings()
    yield "keys/SECRET_KEY", ",".join(config.secret_key).encode()
    yield "keys/HASH_KEY", config.hash_key.encode()
    for name in ("dkim_key_file", "dkim_ed25519_key_file", "proof_key_file"):
        if (path := getattr(config, name)) and Path(path).exists():
            yield f"keys/{name.upper()}", Path(path).read_bytes()
    for pattern in (*KEY_FILES, "uploads/*.csv", "erasures.log"):
        for path in sorted(var.glob(pattern)):
            yield f"var/{path.relative_to(var)}", path.read_bytes()


@contextmanager
def unsealed(file: Path, secret: str, *, or_plain: bool = False) -> Iterator[Path]:
    """The zip file inside a backup, in VAR_DIR for as long as it is needed. Raises Refused.

    or_plain: also one of an earlier version, which was neither encrypted nor kept from being changed.
    """
    with file.open("rb") as raw:
        if not encrypted_files.is_sealed(raw.read(len(encrypted_files.MAGIC))):
            if not or_plain:
                raise Refused(
                    f"{file} is no sealed backup. One of an earlier version anybody could have changed: add --unsealed."
                )
            yield file
            return
        raw.seek(0)
        descriptor, name = tempfile.mkstemp(dir=settings().var_dir, prefix=".unsealed-")
        try:
            with os.fdopen(descriptor, "wb") as plain:
                for part in encrypted_files.opened(raw, secret):
                    plain.write(part)
            yield Path(name)
        except encrypted_files.NotOpened as error:
            raise Refused(f"{file} cannot be opened: {error}. Its key is the HASH_KEY of when it was made.") from None
        finally:
            Path(name).unlink()


def read_manifest(file: Path) -> dict[str, Any]:
    """Checks the whole file against its manifest, before anything is touched. Raises Refused."""
    try:
        with zipfile.ZipFile(file) as archive:
            manifest: dict[str, Any] = json.loads(archive.read("manifest.json"))
            if {*archive.namelist()} != {*manifest["sha256"], "manifest.json"}:
                raise Refused(f"{file} holds what its manifest does not name, or lacks what it names.")
            for name, digest in manifest["sha256"].items():
                with archive.open(name) as member:
                    if _digest(member) != digest:
                        raise Refused(f"{file} is damaged: {name} is not what was written.")
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise Refused(f"{file} is no backup of ours, or is damaged ({type(error).__name__}).") from None
    if manifest["format"] != FORMAT or manifest["revision"] != revision():
        raise Refused(
            f"{file} is of schema {manifest['revision']}, this code wants {revision()}: restore it with the version that "
            "wrote it, then run `flask --app wsgi migrate` with this one."
        )
    return manifest


def _digest(member: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while part := member.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()


def key_of(file: Path, name: str) -> str:
    with zipfile.ZipFile(file) as archive:
        return archive.read(f"keys/{name}").decode()


def restore_files(file: Path) -> None:
    """Keys, uploads and erasures back into VAR_DIR; an erasures.log that is there is added to, never cut."""
    var = settings().var_dir
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            target = var / name.removeprefix("var/")
            if not name.startswith("var/") or not target.resolve().is_relative_to(var.resolve()):
                continue
            content = archive.read(name)
            if name == "var/erasures.log" and target.exists():
                content += target.read_bytes()
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.touch(0o600)
            target.write_bytes(content)


def is_empty() -> bool:
    """Whether the database holds nothing, or not even tables."""
    upgrade.upgrade()
    with engine_for(settings().database_url, read_only=True).connect() as connection:
        filled = [table for table in Base.metadata.sorted_tables if table.name not in MADE_BY_MIGRATIONS]
        return not any(connection.scalar(select(func.count()).select_from(table)) for table in filled)


def clear() -> None:
    """Takes every table away and makes them anew: the audit lets no row of it be deleted."""
    with engine_for(settings().database_url).begin() as connection:
        Base.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
    upgrade.upgrade()


def restore_tables(file: Path) -> int:
    """All rows, in one transaction; how many."""
    count = 0
    with zipfile.ZipFile(file) as archive, engine_for(settings().database_url).begin() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name in MADE_BY_MIGRATIONS:
                connection.execute(delete(table))
            with archive.open(f"tables/{table.name}.jsonl") as member:
                count += _restore(connection, table, TextIOWrapper(member, encoding="utf-8"))
            if connection.dialect.name == "postgresql" and "id" in table.columns:
                top = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}"  # noqa: S608
                connection.execute(text(top))
    return count


def _restore(connection: Connection, table: Table, lines: TextIOWrapper) -> int:
    columns, count = json.loads(next(lines)), 0
    read = {name: _reader(table.columns[name].type) for name in columns}
    while some := list(islice(lines, ROWS)):
        rows = [{name: read[name](value) for name, value in zip(columns, json.loads(line), strict=True)} for line in some]
        connection.execute(insert(table), rows)
        count += len(rows)
    return count


def _reader(kind: Any) -> Any:
    if isinstance(kind, UTCDateTime):
        return lambda value: datetime.fromisoformat(value) if value is not None else None
    if isinstance(kind, Date):
        return lambda value: date.fromisoformat(value) if value is not None else None
    if isinstance(kind, LargeBinary):
        return lambda value: base64.b64decode(value) if value is not None else None
    return lambda value: value
