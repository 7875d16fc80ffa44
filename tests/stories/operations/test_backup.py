"""A backup holds everything, comes back into either database, and brings nobody back who was erased since."""

from __future__ import annotations

import json
import secrets
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from service.core import config, encrypted_files
from service.core.config import settings
from service.core.db import engine_for, reading, transaction
from service.models import AuditEntry, Base, Mailing, Message, RawMail, Serving, Signature, Subscription
from service.operations import backup
from service.organisers import audit
from service.subscriptions import subscribing
from service.workflows import erase
from tests.stories.people.test_retention import holding
from tests.support.people import ANN, BEN, OLIVE
from tests.support.world import World


def run(world: World, *arguments: str) -> tuple[dict[str, Any], int]:
    result = world.app.test_cli_runner().invoke(args=[*arguments, "--json"])
    return json.loads(result.stdout), result.exit_code


def lived_in(world: World) -> None:
    """Signatures, a serving with its documents, subscriptions, an organiser's acts, a mailing on its way."""
    world.publish(milestones=(1,))
    world.add_organisers()
    for person in (ANN, BEN):
        world.sign(person, updates="yes")
        world.confirm(person["email"])
    world.sign_in(OLIVE)


def counts() -> dict[str, int]:
    with reading() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in Base.metadata.sorted_tables
        }


def everything() -> dict[str, list[str]]:
    with reading() as session:
        return {table.name: sorted(map(_plain, session.execute(select(table)))) for table in Base.metadata.sorted_tables}


def _plain(row: Any) -> str:
    """Times as the same text, in whatever zone a database gives them."""
    return repr([value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value for value in row])


def test_what_was_backed_up_comes_back_as_it_was(either_world: World, tmp_path: Path) -> None:
    lived_in(either_world)
    before = everything()
    document, code = run(either_world, "backup", str(tmp_path / "all.zip"))
    assert (code, document["rows"]) == (0, sum(map(len, before.values())))
    assert (tmp_path / "all.zip").stat().st_mode & 0o077 == 0
    with transaction() as session:
        session.query(Signature).delete()
    assert run(either_world, "restore", str(tmp_path / "all.zip"))[1] == 1  # not empty
    document, code = run(either_world, "restore", str(tmp_path / "all.zip"), "--replace")
    assert code == 0, document
    assert Path(document["before"]).exists()
    after = everything()
    assert {name for name in before if before[name] != after[name]} == {"audit_entries"}
    assert after["audit_entries"][: len(before["audit_entries"])] == before["audit_entries"]
    with reading() as session:
        assert audit.verify(session)[1] == ""
    with transaction() as session:  # new rows get numbers of their own
        session.add(Subscription(list_id=1, email="n@example.org", mailbox="n@example.org", state="pending",
                                 created_at=datetime.now(UTC)))  # fmt: skip


def test_a_backup_of_one_database_comes_back_into_the_other(world: World, postgres_database: str, tmp_path: Path) -> None:
    lived_in(world)
    before = everything()
    backup.write(tmp_path / "all.zip", datetime.now(UTC))
    environment = {"VAR_DIR": str(tmp_path / "new"), "DATABASE_URL": postgres_database, "SECRET_KEY": settings().secret_key[0]}
    (tmp_path / "new").mkdir()
    config.use(config.load(environment))
    assert backup.is_empty()
    with backup.unsealed(tmp_path / "all.zip", settings().hash_key) as plain:
        backup.restore_tables(plain)
    assert everything() == before
    for read_only in (True, False):
        engine_for(postgres_database, read_only=read_only).dispose()


def test_who_was_erased_since_is_erased_again(either_world: World, tmp_path: Path) -> None:
    world = either_world
    lived_in(world)
    world.sweep()
    world.work()
    backup.write(tmp_path / "all.zip", datetime.now(UTC))
    manage = world.manage(ANN["email"])
    world.post(manage, {"act": "erase", "sure": "yes"})
    assert ANN["email"] not in (settings().var_dir / "erasures.log").read_text()
    document, code = run(world, "restore", str(tmp_path / "all.zip"), "--replace")
    assert (code, document["erased_again"]) == (0, 1)
    assert holding(ANN["email"]) == set()
    assert holding(ANN["name"]) <= {"enclosures"}
    assert holding(BEN["email"])
    assert world.count() == 1


def test_an_erasure_is_known_also_where_the_database_is_lost(world: World, tmp_path: Path) -> None:
    lived_in(world)
    backup.write(tmp_path / "all.zip", datetime.now(UTC))
    with transaction() as session:
        erase.erase(session, ANN["email"], datetime.now(UTC))
    backup.clear()
    document, code = run(world, "restore", str(tmp_path / "all.zip"))
    assert (code, document["erased_again"]) == (0, 1)
    assert holding(ANN["email"]) == set()


def test_what_was_on_its_way_is_held_after_a_restore(world: World, tmp_path: Path) -> None:
    lived_in(world)
    with transaction() as session:
        session.query(Mailing).delete()
        for state in ("sending", "approved", "draft"):
            session.add(Mailing(slug=state, list_id=1, subject=state, body="b", state=state, created_at=datetime.now(UTC)))
    backup.write(tmp_path / "all.zip", datetime.now(UTC))
    document, _ = run(world, "restore", str(tmp_path / "all.zip"), "--replace")
    assert (document["held"]["mailings paused"], document["held"]["mailings back to draft"]) == (1, 1)
    assert sorted(world.rows(select(Mailing.state))) == ["draft", "draft", "paused"]
    assert world.rows(select(Serving.id).where(Serving.state == "due")) == []
    assert world.rows(select(Message.id).where(Message.queue == "notices", Message.state == "queued")) == []
    assert world.rows(select(AuditEntry.act).order_by(AuditEntry.id))[-1] == "restore"


@pytest.mark.parametrize("damage", ["cut", "cut at a part", "one bit", "swapped parts", "another key", "no backup", "plain"])
def test_a_backup_that_was_changed_is_refused_before_anything_is_touched(world: World, tmp_path: Path, damage: str) -> None:
    lived_in(world)
    with transaction() as session:
        session.add_all(RawMail(content=secrets.token_bytes(1 << 20)) for _ in range(3))  # several parts
    file = tmp_path / "all.zip"
    backup.write(file, datetime.now(UTC))
    assert ANN["email"].encode() not in file.read_bytes()
    before = counts()
    spoil(file, damage)
    document, code = run(world, "restore", str(file), "--replace")
    assert code == 1
    assert "error" in document
    assert counts() == before
    assert not list(settings().var_dir.glob(".unsealed-*"))


def spoil(file: Path, damage: str) -> None:
    content = bytearray(file.read_bytes())
    head, part = len(encrypted_files.MAGIC) + encrypted_files.SALT_BYTES, encrypted_files.PART_BYTES + encrypted_files.TAG_BYTES
    match damage:
        case "cut":
            del content[-200:]
        case "cut at a part":
            del content[head + part :]
        case "one bit":
            content[len(content) // 2] ^= 1
        case "swapped parts":
            first, second = bytes(content[head : head + part]), bytes(content[head + part : head + 2 * part])
            content[head : head + 2 * part] = second + first
        case "another key":
            content[len(encrypted_files.MAGIC)] ^= 1
        case "no backup":
            content = bytearray(b"hello")
        case "plain":
            with backup.unsealed(file, settings().hash_key) as plain:
                content = bytearray(plain.read_bytes())
    file.write_bytes(content)


@pytest.mark.parametrize("damage", ["a row", "a member more", "another revision"])
def test_a_plain_backup_of_an_earlier_version_is_taken_on_demand_and_judged(world: World, tmp_path: Path, damage: str) -> None:
    lived_in(world)
    backup.write(tmp_path / "all.zip", datetime.now(UTC))
    file = tmp_path / "plain.zip"
    with backup.unsealed(tmp_path / "all.zip", settings().hash_key) as plain, zipfile.ZipFile(plain) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    whole = members.copy()
    if damage == "a row":
        members["tables/signatures.jsonl"] = members["tables/signatures.jsonl"].replace(b"ann@", b"eve@")
    elif damage == "a member more":
        members["var/evil.key"] = b"a key of a stranger"
    else:
        members["manifest.json"] = members["manifest.json"].replace(f'"{backup.revision()}"'.encode(), b'"9999"')
    for kept, code in ((members, 1), (whole, 0)):
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in kept.items():
                archive.writestr(name, content)
        assert run(world, "restore", str(file), "--replace", "--unsealed")[1] == code


def test_a_backup_opens_elsewhere_with_the_key_of_when_it_was_made(world: World, tmp_path: Path) -> None:
    lived_in(world)
    backup.write(tmp_path / "all.zip", datetime.now(UTC))
    (tmp_path / "secret.key").write_text(f"another-key-of-today,{settings().hash_key}\n")
    old = settings()
    config.use(replace(old, hash_key="a-key-of-another-machine"))
    assert run(world, "restore", str(tmp_path / "all.zip"), "--replace")[1] == 1
    config.use(old)
    assert run(world, "restore", str(tmp_path / "all.zip"), "--replace", "--key-file", str(tmp_path / "secret.key"))[1] == 0


def test_a_backup_holds_the_keys_and_the_suppressions(world: World, tmp_path: Path) -> None:
    lived_in(world)
    with transaction() as session:
        subscribing.leave(session, 1, datetime.now(UTC))
    backup.write(tmp_path / "all.zip", datetime.now(UTC))
    with backup.unsealed(tmp_path / "all.zip", settings().hash_key) as plain:
        assert backup.key_of(plain, "SECRET_KEY") == settings().secret_key[0]
    with pytest.raises(Exception, match="there already"):
        backup.write(tmp_path / "all.zip", datetime.now(UTC))
