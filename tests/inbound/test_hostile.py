"""Mail that was written to hurt: bounded in time and memory, quarantined with its reason, never tried for ever."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from service.core.db import transaction
from service.inbound import spool
from service.inbound.parsing.mime.mime_parser import LARGEST
from service.inbound.parsing.sandbox import Reader
from service.models import Arrival
from tests.conftest import ROOT
from tests.inbound.post import DOMAIN, bounce, letter, receive
from tests.stories.operations.test_commands import run
from tests.support.people import ANN, OLIVE
from tests.support.world import World

DAEMON = b"From: MAILER-DAEMON@mx.example.net\r\nSubject: failure notice\r\n"
HEAD = b"From: ann@example.org\r\nTo: updates-request@lists.example.org\r\n"


def nested(depth: int) -> bytes:
    edges = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return HEAD + edges + b"\r\nsubscribe\r\n"


QUARANTINED = {
    "deep": nested(1_000),
    "parts": HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 20_000,
    "recipients": HEAD + b"Cc: " + b",\r\n ".join(b"p%d@example.org" % n for n in range(20_000)) + b"\r\n\r\nsubscribe",
    "few bytes, many recipients": HEAD + b"Cc: " + b",".join(b"a@b.org" for _ in range(2_000)) + b"\r\n\r\nsubscribe",
    "a long header": HEAD + b"Subject: " + b"a" * 65_536 + b"\r\n\r\nsubscribe",
    "many headers": HEAD + b"X-A: b\r\n" * 2_000 + b"\r\nsubscribe",
    "a NUL": b"From: ann@exa\0mple.org\r\n\r\nsubscribe",
    "a charset of nobody": HEAD + b"Content-Type: text/plain; charset=klingon\r\n\r\nsubscribe",
    "a codec that is no charset": HEAD + b"Content-Type: text/plain; charset=zip\r\n\r\nsubscribe",
    "a spelling that is no charset": HEAD + b"Content-Type: text/plain; charset=idna\r\n\r\n" + b"a." * 100_000,
    "two From, one as of old": b"From : ben@example.org\r\n" + HEAD + b"\r\nsubscribe",
    "two From": b"From: ben@example.org\r\n" + HEAD + b"\r\nsubscribe",
    "large": HEAD + b"\r\n" + b"x" * (LARGEST + 1),
}
BOUNDED = {
    "comments": b"From: " + b"(" * 1_000 + b"a@b.org" + b")" * 1_000 + b"\r\n\r\nsubscribe",
    "an encoded address": b"From: =?utf-8?q?ann=40example.org?=\r\n\r\nsubscribe",
    "an encoded address in brackets": b"From: Ann <=?utf-8?q?ann=40example.org?=>\r\n\r\nsubscribe",
    "tags without end": DAEMON + b"Content-Type: text/html\r\n\r\n" + b"<" * 3_000_000,
    "a character of many digits": DAEMON + b"Content-Type: text/html\r\n\r\n&#" + b"9" * 250_000,
    "a transcript without end": DAEMON + b"\r\nnot delivered\r\n" + b">>> DATA\r\n" * 2_000 + (b" " * 200 + b"\r\n") * 5_000,
    "one word again and again": DAEMON + b"\r\n" + b"mailbox user recipient " * 200_000,
    "dashes": DAEMON + b"\r\n" + b"-" * 100_000 + b"\r\n" + b"= " * 100_000,
    "parameters": HEAD + b"Content-Type: text/plain" + b'; a="b' * 2_000 + b"\r\n\r\nx",
    "a report without end": bounce().replace(b"Action", b"Final-Recipient: rfc822; a@b.org\r\n" * 50_000 + b"Action"),
    "base64 without end": DAEMON + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QUFB\r\n" * 2_000_000,
    "a zip bomb": HEAD + b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsDBBQ=\r\n",
    "headings without end": HEAD + b"\r\n" + b"On 1 Nov 2026 at 09:10 a <b@c.example> wrote\r\n" * 6_000,
    "texts full of headings": HEAD
    + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    + (b"--b\r\nContent-Type: text/html\r\n\r\n" + b"<div>On 1 Nov 2026 at 09:10 a wrote:</div>" * 700 + b"\r\n") * 20,
    "labels without end": HEAD + b"\r\n" + b"From: a@b.example\r\n\r\n" * 13_000,
    "phones without end": HEAD + b"\r\n" + (b"from my the a with using " * 11 + b"\r\n") * 900,
    "quotations without end": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<blockquote>x" * 20_000,
    "comments without end": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<!-- <a title='" * 17_000,
    "a subject of dashes": HEAD + b"Subject: " + b"-" * 16_000 + b"\r\n\r\nsubscribe",
    "garbage": bytes(range(1, 256)) * 1_000,
    "nothing": b"",
}


@pytest.fixture(scope="module")
def reader() -> Reader:
    with Reader() as one:
        one.judge(b"\r\n", "")
        yield one  # type: ignore[misc]


@pytest.mark.parametrize("name", [*QUARANTINED, *BOUNDED])
def test_hostile_mail_is_read_in_bounded_time(reader: Reader, name: str) -> None:
    began = time.monotonic()
    said = reader.judge((QUARANTINED | BOUNDED)[name], "ann@example.org")
    assert time.monotonic() - began < 3
    assert said.quarantined == (name in QUARANTINED), said
    assert said.author in {"", "ann@example.org", "MAILER-DAEMON@mx.example.net"}
    assert reader.judge(bounce(), "").bounce_class == "hard"  # it goes on


def test_a_reader_that_takes_too_long_is_killed_and_another_goes_on() -> None:
    with Reader(seconds=0.2) as reader:
        reader.judge(b"\r\n", "")
        first = reader.child
        assert first is not None
        first.send_signal(19)  # SIGSTOP: it answers no more
        said = reader.judge(letter("ann@example.org", "x@example.org"), "")
        assert said.quarantined
        assert "0.2 s" in said.reason
        assert first.poll() is not None
        assert reader.judge(bounce(), "").bounce_class == "hard"


def test_quarantined_mail_stands_on_its_page_with_the_reason_and_does_nothing(world: World) -> None:
    world.publish()
    world.add_organisers()
    receive(world, nested(100), f"updates-request@{DOMAIN}", ANN["email"])
    assert world.rows(select(Arrival.state)) == ["quarantined"]
    olive = world.sign_in(OLIVE)
    page = world.get("/organise/inbox?folder=quarantine", olive).get_data(as_text=True)
    assert "nested more than 20 deep" in page
    assert world.letters(ANN["email"]) == []


def test_a_message_that_ends_its_worker_is_not_tried_for_ever(world: World) -> None:
    world.publish()
    receive(world, letter(ANN["email"], f"postmaster@{DOMAIN}"), f"postmaster@{DOMAIN}", work=False)
    now = datetime.now(UTC)
    for turn in range(4):
        with transaction() as session:
            spool.claim(session, now + timedelta(minutes=2 * turn))
        with transaction() as session:
            spool.take_back(session, now + timedelta(minutes=2 * turn + 1.5))
    assert world.rows(select(Arrival.state)) == ["quarantined"]
    assert world.rows(select(Arrival.attempts)) == [3]


FIELDS = ["file", "kind", "class", "status", "recipient", "action", "reason", "token_valid", "quarantined"]


def test_the_command_prints_one_line_for_each_message(world: World) -> None:
    world.publish()
    folder = world.settings.var_dir
    (folder / "a.eml").write_bytes(bounce())
    (folder / "b.eml").write_bytes(letter(ANN["email"], f"Updates <updates-subscribe@{DOMAIN}>"))
    (folder / "c.eml").write_bytes(nested(30))
    names = [str(folder / f"{name}.eml") for name in "abc"]
    result = run(world, "inbound", "process", "--dry-run", *names)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [list(line) for line in lines] == [FIELDS] * 3
    assert [(one["file"], one["kind"], one["class"], one["quarantined"]) for one in lines] == [
        (names[0], "bounce", "hard", False), (names[1], "command", None, False), (names[2], "other", None, True),
    ]  # fmt: skip
    assert (lines[0]["status"], lines[0]["recipient"], lines[0]["action"]) == ("5.1.1", "reader@example.net", "failed")
    assert world.rows(select(Arrival)) == []
    result = run(world, "inbound", "process", names[1], str(folder / "none.eml"))
    assert (result.exit_code, result.stdout.count("\n")) == (1, 1)
    world.work()
    assert world.letter(ANN["email"], "confirm")


def test_a_pipe_takes_the_envelope_from_its_environment(world: World, environment: dict[str, str]) -> None:
    world.publish()
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "inbound", "process"]
    envelope = {"SENDER": "", "ORIGINAL_RECIPIENT": f"postmaster@{DOMAIN}", "PATH": "/usr/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, input=bounce(), env=environment | envelope, cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["file"] == "-"
    assert world.rows(select(Arrival.recipient)) == [f"postmaster@{DOMAIN}"]
    assert world.rows(select(Arrival.sender)) == [""]
