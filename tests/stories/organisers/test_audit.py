"""The audit: a chain that lets no entry be changed, taken out or put in, also by many at once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from service.core.db import reading, transaction
from service.models import AuditEntry
from service.organisers import audit
from tests.support.crowd import at_once
from tests.support.people import NOTICE, OLIVE, SLUG
from tests.support.world import World

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TRIGGERS = {
    "sqlite": ["DROP TRIGGER audit_entries_no_update", "DROP TRIGGER audit_entries_no_delete"],
    "postgresql": ["ALTER TABLE audit_entries DISABLE TRIGGER ALL"],
}


def write(count: int) -> None:
    with transaction() as session:
        for number in range(count):
            audit.note(session, "send", f"mailing {number}", NOW, organiser_id=1, address="192.0.2.1", seen="é")


def test_entries_follow_one_another_also_when_many_write_at_once(either_world: World) -> None:
    assert at_once([lambda: write(3)] * 8) == [None] * 8
    with reading() as session:
        count, problem, last = audit.verify(session)
        assert (count, problem) == (24, "")
        assert last == audit.search(session, limit=1)[0].hash
    result = either_world.app.test_cli_runner().invoke(args=["audit", "verify"])
    assert result.exit_code == 0
    assert "24 entries follow one another" in result.stdout


def test_the_database_itself_lets_no_entry_be_changed(either_world: World) -> None:
    write(1)
    for statement in ("UPDATE audit_entries SET act = 'x'", "DELETE FROM audit_entries"):
        with pytest.raises(DBAPIError, match="append-only"), transaction() as session:
            session.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit_entries SET act = 'x' WHERE id = 2", "entry 2 was changed"),
        ("UPDATE audit_entries SET details = '{}' WHERE id = 2", "entry 2 was changed"),
        ("DELETE FROM audit_entries WHERE id = 2", "entry 3 does not follow"),
    ],
)
def test_whoever_changes_it_all_the_same_is_found_out(either_world: World, statement: str, said: str) -> None:
    write(3)
    with transaction() as session:
        for drop in TRIGGERS[session.get_bind().dialect.name]:
            session.execute(text(drop))
        session.execute(text(statement))
    result = either_world.app.test_cli_runner().invoke(args=["audit", "verify"])
    assert result.exit_code == 1
    assert said in result.stderr


def test_it_is_searched_and_exported(world: World) -> None:
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    write(3)
    page = world.get("/organise/audit?words=mailing 1", olive).text
    assert page.count("192.0.2.1") == 1
    exported = world.post("/organise/audit.csv", {}, olive, page="/organise/audit").text.splitlines()
    assert exported[0].startswith("id,at,organiser,act")
    assert len(exported) >= 6
    printed = world.app.test_cli_runner().invoke(args=["audit", "export"]).stdout.splitlines()
    assert printed[: len(exported)] == exported


def test_what_a_command_did_is_in_it(world: World, tmp_path: Path) -> None:
    file = tmp_path / "notice.md"
    file.write_text(NOTICE)
    for args in (["import", str(file)], ["publish", SLUG], ["serve", SLUG], ["serve", "nothing"], ["close", SLUG]):
        world.app.test_cli_runner().invoke(args=["notices", *args])
    rows = world.rows(select(AuditEntry).order_by(AuditEntry.id))
    assert [(one.act, one.subject, one.address) for one in rows] == [
        (act, f"notice {SLUG}", "command") for act in ("take in", "publish", "serve", "close")
    ]
