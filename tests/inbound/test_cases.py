"""Every small input of tests/inbound/cases through `flask inbound judge`, the command that others measure us by."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from service.core.db import engine_for
from service.emails import links
from service.models import Arrival, Bounce, Subscription
from tests.conftest import ROOT
from tests.inbound.cases import messages, replies
from tests.inbound.post import DOMAIN, letter, receive
from tests.inbound.test_bounces import readers, suppressed
from tests.stories.operations.test_commands import run
from tests.support.world import World


def judged(world: World, folder: Path, mail: dict[str, bytes], *more: str) -> dict[str, dict[str, Any]]:
    """What the command says of each, by its name."""
    files = {str(folder / f"{number}.eml"): name for number, name in enumerate(mail)}
    for file, raw in zip(files, mail.values(), strict=True):
        Path(file).write_bytes(raw)
    result = run(world, "inbound", "judge", *files, "--json", *more)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return {files[line["file"]]: line for line in lines}


def test_every_message_is_judged_as_it_should_be(world: World, tmp_path: Path) -> None:
    for sender in sorted({case.sender for case in messages.CASES.values()}):
        cases = {name: case for name, case in messages.CASES.items() if case.sender == sender}
        lines = judged(world, tmp_path, {name: case.raw for name, case in cases.items()}, "--sender", sender)
        found = {name: (line["kind"], line["class"], line["would"]) for name, line in lines.items()}
        assert found == {name: (case.kind, case.bounce_class, case.would) for name, case in cases.items()}


def test_every_reply_is_judged_alike_in_a_report(world: World, tmp_path: Path) -> None:
    reports = {
        text: messages.report(messages.copy(replies.READER, "failed", "5.0.0", f"smtp; {text}")) for _, text in replies.ALL
    }
    lines = judged(world, tmp_path, reports, "--sender", "")
    wrong = [f"{lines[text]['class']}: {text}" for kinds, text in replies.ALL if lines[text]["class"] not in kinds]
    assert wrong == []


LETTERS = {
    "join": ("updates-subscribe", "", "subscribe"), "go": ("updates-unsubscribe", "", "unsubscribe"),
    "go, by a word": ("updates-request", "unsubscribe", "unsubscribe"), "what": ("updates-request", "Hello?", "help"),
    "state": ("updates-request", "status", "status"), "yes": (f"confirm+{'a' * 26}", "", "confirm"),
    "no": (f"confirm+{'a' * 26}", "No.", "inbox:replies"), "away": (f"confirm+{'a' * 26}", "Out of office.", "inbox:automatic"),
    "left": (f"unsubscribe+{'a' * 26}", "", "unsubscribe"), "talk": ("updates", "I agree.", "inbox:replies"),
    "write to me again": ("again", "", "again"),
    "an answer to one message": (f"bounce+{'a' * 26}", "I agree.", "inbox:replies"),
}  # fmt: skip


def test_what_would_be_done_for_a_person(world: World, tmp_path: Path) -> None:
    mail = {
        name: letter("wren@harbour.example", f"{to}@lists.example.org", "", text) for name, (to, text, _) in LETTERS.items()
    }
    lines = judged(world, tmp_path, mail)
    assert {name: line["would"] for name, line in lines.items()} == {name: would for name, (_, _, would) in LETTERS.items()}
    assert {line["author"] for line in lines.values()} == {"wren@harbour.example"}
    assert (lines["talk"]["body"], lines["talk"]["machine"], lines["talk"]["token_valid"]) == ("I agree.", "", False)


def test_it_asks_no_database_and_stores_nothing(world: World, tmp_path: Path) -> None:
    asked: list[str] = []
    engine = engine_for(world.settings.database_url)
    here = threading.get_ident()  # the leases of an earlier test may still be renewed by a thread of its worker

    def note(*given: Any) -> None:
        if threading.get_ident() == here:
            asked.append(given[2])

    event.listen(engine, "before_cursor_execute", note)
    judged(world, tmp_path, {"talk": letter("wren@harbour.example", "updates-request@lists.example.org")})
    event.remove(engine, "before_cursor_execute", note)
    assert asked == []


def test_its_exit_code_says_whether_all_were_read(world: World, tmp_path: Path) -> None:
    (tmp_path / "good.eml").write_bytes(letter("wren@harbour.example", "updates@lists.example.org"))
    result = run(world, "inbound", "judge", str(tmp_path / "none.eml"), str(tmp_path / "good.eml"), str(tmp_path), "--json")
    assert result.exit_code == 2
    assert [json.loads(line)["would"] for line in result.stdout.splitlines()] == ["inbox:replies"]
    assert result.stderr.count("cannot be read") == 2
    assert run(world, "inbound", "judge").exit_code == 2


def test_a_pipe_is_judged_too(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "inbound", "judge", "-"]
    raw = letter("wren@harbour.example", "updates@lists.example.org", "Re: News", "I agree.")
    result = subprocess.run(command, input=raw, capture_output=True, cwd=ROOT, env=os.environ | environment, check=True)
    assert result.stdout.decode() == "-: reply: inbox:replies\n"


@pytest.mark.settings(APPROVALS="0")
@pytest.mark.parametrize("name", [name for name, case in messages.CASES.items() if case.kind != "complaint"])
def test_every_case_does_what_was_foretold(world: World, name: str) -> None:
    """The same table as for `flask inbound judge`, each sent to the envelope address of a reader."""
    case = messages.CASES[name]
    (message,) = readers(world)
    receive(world, case.raw, links.bounce_address(message.id), "")
    assert bool(suppressed(world, "p0@example.org")) == (case.would == "suppress")
    assert world.rows(select(Bounce.kind)) == ([case.bounce_class] if case.bounce_class else [])
    assert world.rows(select(Arrival.folder)) == [case.would.removeprefix("inbox:") if "inbox:" in case.would else ""]


@pytest.mark.settings(APPROVALS="0")
def test_a_complaint_in_hotmails_older_form_ends_everything(world: World) -> None:
    (message,) = readers(world)
    raw = messages.CASES["a complaint in Hotmail's older form"].raw
    named = f"{links.message_id(message.id)}\r\nCFBL-Feedback-ID: {links.complaint_token(message.id)}"
    ours = raw.replace(b"<aaaaaaaaaaaaaaaaaaaaaaaaaa@lists.example.org>", named.encode())
    receive(world, raw, f"fbl@{DOMAIN}", "staff@provider.example")  # a token that is not ours
    assert suppressed(world, "p0@example.org") is None
    receive(world, ours, f"fbl@{DOMAIN}", "staff@provider.example")
    assert suppressed(world, "p0@example.org") == "said that it was spam"
    assert world.rows(select(Subscription.state)) == ["left"]
