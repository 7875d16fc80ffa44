"""The register tells what became of each letter in a server's words, or in a fixed sentence: never in a program's."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update

from service import states
from service.core.db import transaction
from service.models import Evidence, Message
from service.servings import outcomes
from service.text import mail_troubles
from service.text.mail_troubles import BY_STATE, IN_PUBLIC, in_public
from tests.conftest import ROOT
from tests.support import crowd
from tests.support.people import SLUG
from tests.support.servers.smtp_server import DROP, SmtpServer, answer
from tests.support.world import World
from workers.outbound.smtp import trouble

PUBLIC = (f"/notices/{SLUG}/deliveries", f"/notices/{SLUG}/deliveries.json", f"/notices/{SLUG}/deliveries.atom")
A_PROGRAMS = re.compile(
    r"\w(Error|Exception|Timeout|Disconnected|NXDOMAIN|NoNameservers|LifetimeTimeout)\b|Errno|_ssl|\.c:\d|\.py"
)
OLD = "SSLEOFError: [SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol (_ssl.c:1006)"


def served(world: World) -> None:
    world.publish(milestones=(1,))
    crowd.sign(range(1))
    world.work("notices")


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    return {"MAIL_TIMEOUT_SECONDS": "1"} | environment | {"MAIL_PORT": str(relay.port)}


@pytest.mark.parametrize("state", states.MESSAGE)
def test_what_an_earlier_version_stored_is_shown_to_no_stranger(world: World, state: str) -> None:
    served(world)
    with transaction() as session:
        session.execute(update(Message).where(Message.kind == "serving").values(state=state, reply_code=None, reply_text=OLD))
    for path in PUBLIC:
        page = world.get(path).text
        assert not A_PROGRAMS.search(page), path
    line = world.get(PUBLIC[1]).get_json()["deliveries"][0]
    assert (line["reply"], line["said_by"]) == (BY_STATE[state], "us" if BY_STATE[state] else "")


def test_a_server_is_quoted_where_it_spoke(world: World, relay: SmtpServer) -> None:
    relay.will("RCPT", answer("550 5.1.1 <secretary@nec.example> is nobody here"))
    served(world)
    lines = world.get(PUBLIC[1]).get_json()["deliveries"]
    assert [(line["reply"], line["said_by"]) for line in lines] == [
        ("550 5.1.1 …@… is nobody here", "server"), ("250 2.0.0 Ok: queued as 1", "server"),
    ]  # fmt: skip
    assert "The server said: 550 5.1.1 …@… is nobody here" in world.get(PUBLIC[0]).text
    assert "The server said: 550 5.1.1" in world.get(PUBLIC[2]).text


LINKS = (
    "see https://evil.example/expose", "see evil.example/expose", "see www.evil.example", "see HTTP://evil.example",
    "see <a href=https://evil.example>here</a>", "call tel:+44900123", "(evil.example:8080/x)", "javascript:alert(1)",
)  # fmt: skip


@pytest.mark.parametrize("words", LINKS)
def test_what_a_server_said_to_us_is_shown_without_links(words: str) -> None:
    shown, by_server = in_public("refused", 550, f"5.7.1 mx1.nec.example says {words}, no")
    assert by_server
    assert shown.startswith("550 5.7.1 mx1.nec.example says")
    assert "evil" not in shown
    assert not re.search(r"://|tel:\+|javascript:a", shown)


def test_what_a_report_says_is_a_claim_and_not_published(world: World) -> None:
    """Anybody may have written it."""
    served(world)
    with transaction() as session:
        number = session.scalars(select(Message.id).where(Message.kind == "serving")).first()
        assert number is not None
        outcomes.notified(session, number, "failed", "550 5.1.1 these signatures are fake, see evil.example", datetime.now(UTC))
    for path in PUBLIC:
        assert "evil.example" not in world.get(path).text
    with transaction() as session:  # an earlier version kept the code of the server that had taken it
        session.execute(update(Message).where(Message.id == number).values(reply_code=250))
    for path in PUBLIC:
        assert "evil.example" not in world.get(path).text
        assert "We were told afterwards that it did not arrive." in world.get(path).text
    records = world.rows(select(Evidence.record).where(Evidence.record.contains('"notified"')))
    assert len(records) == 1
    assert '"text":"550 5.1.1"' in records[0]


def test_a_lost_answer_is_told_in_a_sentence(world: World, relay: SmtpServer) -> None:
    relay.will(".", DROP)
    served(world)
    for path in PUBLIC:
        assert "The server ended the connection." in world.get(path).text
        assert not A_PROGRAMS.search(world.get(path).text)


ERRORS = (
    trouble.NotEncrypted(), trouble.OutOfStep(), ssl.SSLError(1, OLD), ssl.SSLCertVerificationError(1, OLD),
    ssl.SSLEOFError(8, OLD), smtplib.SMTPServerDisconnected("x"), smtplib.SMTPNotSupportedError("x"),
    smtplib.SMTPHeloError(501, b""), smtplib.SMTPException("x"), socket.gaierror(-2, "Name or service not known"),
    TimeoutError("timed out"), ConnectionRefusedError(111, "Connection refused"), ConnectionResetError(104, "x"),
    BrokenPipeError(32, "x"), OSError(113, "No route to host"), PermissionError(13, "x"), ValueError("x"),
)  # fmt: skip


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_on_the_way_has_its_sentence(error: Exception) -> None:
    words, by_server = in_public("queued", None, trouble.words(error))
    assert not by_server
    assert words.endswith(".") or isinstance(error, smtplib.SMTPResponseException)
    assert not A_PROGRAMS.search(words)


def test_every_state_has_its_words_and_every_sentence_is_one() -> None:
    assert set(BY_STATE) == set(states.MESSAGE)
    assert all(re.fullmatch(r"[A-Z].*\.", words) for words in [*IN_PUBLIC.values(), *filter(None, BY_STATE.values())])
    names = {name for name, value in vars(mail_troubles).items() if isinstance(value, str) and name.isupper()}
    assert {getattr(mail_troubles, name) for name in names} == set(IN_PUBLIC)


def test_no_public_page_is_made_with_an_errors_own_words() -> None:
    """`str(error)` of what is no sentence of ours, or the name of its class, in what strangers read."""
    for path in [
        *ROOT.glob("service/proof/**/*.py"),
        *ROOT.glob("service/web/**/*.py"),
        Path(ROOT / "service/servings/register.py"),
    ]:
        assert "type(error)" not in path.read_text(), path
        assert "repr(error)" not in path.read_text(), path
