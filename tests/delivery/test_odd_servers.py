"""Mail servers that answer oddly: every kind of message ends in the right state, and leaves once.

Each row is tried with a signer's letter, a letter to an official, and a mailing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from service.models import Message
from tests.support import crowd
from tests.support.people import ANN
from tests.support.servers.odd_server import ENDLESS, LONG_LINE, RESET, OddServer
from tests.support.servers.smtp_server import DROP, Act, answer
from tests.support.world import World
from workers.outbound.bulk import connections
from workers.outbound.smtp import pipelined

OUT_OF_STEP = "the server answered what nobody had asked"
READERS = 9


@dataclass(frozen=True)
class Row:
    """`acts` by command, once each, or `always`; what then stands of the first message, and at the end of every one."""

    acts: dict[str, Act]
    first: str = "accepted"
    said: str | None = None
    end: str = "accepted"
    always: bool = False
    twice: bool = False
    """Whether the server had the text before it said no, or nothing."""


ODD: dict[str, Row] = {
    "354 too late": Row({"DATA": Act(late=1.5)}, "queued", "the server did not answer in time"),
    "421 behind the dot": Row(
        {".": answer("421 4.3.2 closing")}, "queued", "4.3.2 closing (in reply to end of DATA command)", twice=True
    ),
    "421 instead of an envelope": Row({"MAIL": answer("421 4.4.2 idle for too long")}, "queued"),
    "421 for the reader": Row({"RCPT": answer("421 4.3.2 closing")}, "queued"),
    "codes without a word": Row(
        {"connect": answer("220"), "EHLO": answer("250"), "MAIL": answer("250"), "RCPT": answer("250"), "DATA": answer("354"),
         ".": answer("250"), "RSET": answer("250"), "QUIT": answer("221")}, always=True,
    ),
    "a refusal without a word": Row({"RCPT": answer("550")}, "refused", "", "refused"),
    "a refusal of the text without a word": Row({"DATA": answer("550")}, "refused", "(in reply to DATA command)", "refused"),
    "lines that change their mind": Row(
        {"RCPT": answer("250-2.1.5 fine\r\n550 5.1.1 no such user")}, "refused", "2.1.5 fine 5.1.1 no such user", "refused"
    ),
    "many lines": Row({"MAIL": answer("250-a\r\n250-\r\n250 b"), "DATA": answer("354-go\r\n354 on")}),
    "words in another charset": Row(
        {"RCPT": answer("550 5.1.1 Bo\udceete inconnue")}, "refused", "5.1.1 Boîte inconnue", "refused"
    ),
    "a line end of its own": Row({"RCPT": answer("550 5.1.1 gone\n")}, "refused", "5.1.1 gone", "refused"),
    "reset for a greeting": Row({"connect": RESET}, "queued"),
    "reset after EHLO": Row({"EHLO": RESET}, "queued"),
    "reset after MAIL": Row({"MAIL": RESET}, "queued"),
    "reset after RCPT": Row({"RCPT": RESET}, "queued"),
    "reset after DATA": Row({"DATA": RESET}, "queued"),
    "reset behind the dot": Row({".": RESET}, "queued", twice=True),
    "250 to everything": Row(
        {name: answer("250 fine") for name in ("MAIL", "RCPT", "DATA", ".", "RSET", "QUIT", "NOOP")}, "queued", OUT_OF_STEP,
        "queued", always=True,
    ),
    "250 for a greeting": Row({"connect": answer("250 hello")}, "queued"),
    "no EHLO": Row({"EHLO": answer("502 5.5.1 what?")}, always=True),
    "neither EHLO nor HELO": Row({"EHLO": answer("554 no"), "HELO": answer("554 no")}, "queued", end="queued", always=True),
    "552 for too many": Row({"RCPT": answer("552 too many recipients")}, "queued", "too many recipients"),
    "552 for a full mailbox": Row({"RCPT": answer("552 5.2.2 mailbox full")}, "refused", "5.2.2 mailbox full", "refused"),
    "452 for a full mailbox": Row({"RCPT": answer("452 4.2.2 mailbox full")}, "queued", "4.2.2 mailbox full"),
    "251, it is forwarded": Row({"RCPT": answer("251 2.1.5 will forward")}),
    "252, who knows": Row({"RCPT": answer("252 2.1.5 cannot verify")}),
    "a code that nobody knows": Row({"MAIL": answer("299 2.0.0 fine"), "RCPT": answer("240 good")}),
    "a code that fits nothing": Row({"RCPT": answer("350 go on")}, "queued", OUT_OF_STEP),
    "no code": Row({"RCPT": answer("fine, thanks")}, "queued"),
    "521, it takes no mail": Row({"connect": answer("521 5.3.2 no mail here")}, "queued", end="queued", always=True),
    "556, its domain takes none": Row({"RCPT": answer("556 5.1.10 null MX")}, "refused", "5.1.10 null MX", "refused"),
    "503 out of nowhere": Row({"RCPT": answer("503 5.5.1 MAIL first")}, "queued"),
    "a reply without an end": Row({"RCPT": ENDLESS}, "queued"),
    "a line without an end": Row({"RCPT": LONG_LINE}, "queued"),
    "two greetings": Row({"connect": Act(extra="220 and again")}, "any"),
    "a reply too many": Row({"RCPT": Act(extra="250 2.1.5 and again")}, "any"),
    "hangs up on QUIT": Row({"QUIT": DROP}, always=True),
}  # fmt: skip


@pytest.fixture(params=[True, False], ids=["pipelining", "one by one"])
def pipelining(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def loses_after() -> tuple[str, ...]:
    return ()


@pytest.fixture
def server(pipelining: bool, loses_after: tuple[str, ...]) -> Iterator[OddServer]:
    with OddServer(pipelining=pipelining, loses_after=loses_after) as server:
        yield server


@pytest.fixture
def environment(environment: dict[str, str], server: OddServer) -> dict[str, str]:
    own = {"MAIL_TIMEOUT_SECONDS": "1", "APPROVALS": "0"}
    return own | environment | {"MAIL_PORT": str(server.port)}


def script(server: OddServer, row: Row) -> None:
    for name, act in row.acts.items():
        if row.always:
            server.always(name, act)
        else:
            server.will(name, act)


def go_on(world: World) -> None:
    if connections.pool.cache_info().currsize:
        connections.pool().retry_at = 0
    crowd.next_try(world)


def ends_well(world: World, server: OddServer, row: Row) -> None:
    """What a row says of the first message, and of all once the server is asked again."""
    first = world.rows(select(Message).order_by(Message.id))
    if row.first != "any":
        assert row.first in {message.state for message in first}
    if row.said is not None:
        assert row.said in {message.reply_text for message in first if message.state == row.first}
    for _ in range(4):
        if "queued" in world.rows(select(Message.state)):
            go_on(world)
    states = set(world.rows(select(Message.state)))
    assert states <= {row.end, "accepted"}
    assert row.end in states
    assert server.taken == [] if row.end == "queued" else len(server.taken) >= len(first) - 1


@pytest.mark.parametrize("pipelining", [True], indirect=True)
@pytest.mark.parametrize("row", ODD.values(), ids=ODD)
def test_a_letter_ends_in_the_right_state_once(world: World, server: OddServer, row: Row) -> None:
    world.publish()
    script(server, row)
    world.sign(ANN)
    world.work()
    ends_well(world, server, row)
    accepted = [taken for taken in server.taken if taken.accepted]
    assert len(accepted) == (1 if row.end == "accepted" else 0)
    assert len(server.taken) == (2 if row.twice else len(accepted))


@pytest.mark.parametrize("row", ODD.values(), ids=ODD)
def test_a_mailing_ends_in_the_right_state_once(
    world: World, server: OddServer, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelined, "TEXT_SECONDS", 1)
    script(server, row)
    crowd.mailing_to(READERS, datetime.now(UTC))
    world.sweep()
    world.work()
    others_are_there = set(row.acts) <= {"connect", "EHLO"} and not row.always
    ends_well(world, server, replace(row, first="any", said=None) if others_are_there else row)
    recipients = [taken.recipients[0] for taken in server.taken]
    assert len(recipients) - len(set(recipients)) == (1 if row.twice else 0)


@pytest.mark.parametrize("pipelining", [True], indirect=True)
@pytest.mark.parametrize("loses_after", [("MAIL",), ("RCPT",), (".",), ("MAIL", "RCPT", "DATA", ".")], ids=" ".join)
def test_a_server_that_loses_what_it_lets_us_send_together_is_asked_one_thing_at_a_time(
    world: World, server: OddServer, loses_after: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelined, "TEXT_SECONDS", 1)
    crowd.mailing_to(READERS, datetime.now(UTC))
    for _ in range(6):
        go_on(world)
    assert set(world.rows(select(Message.state))) == {"accepted"}
    assert sorted(taken.recipients[0] for taken in server.taken) == [f"reader{number}@example.org" for number in range(READERS)]
