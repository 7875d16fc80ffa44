"""A letter with names goes to an official's own server over TLS or not at all; an organiser may send the counts alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from service.core.db import transaction
from service.models import Delivery, Evidence, Message, Official, Serving, Signature
from service.operations import problems
from service.proof.verify import verify
from service.signatures import signing
from tests.support import crowd
from tests.support.people import AUGUST, OLIVE, PETRA, SLUG
from tests.support.servers.certificates import Authority
from tests.support.servers.odd_server import NO_TLS, RESET, OddServer
from tests.support.servers.smtp_server import DROP, STALL, Act, answer
from tests.support.servers.three_servers import HOUR, later, parsed, publish, tiers
from tests.support.world import World, html_of, text_of
from workers import clock

OWN = "own.example"
LEADER = {"Leader": OWN}
SENTENCE = "no encrypted connection could be made"
BROKEN: dict[str, Act | None] = {
    "220, and then no TLS": NO_TLS,
    "not now": answer("454 4.7.0 TLS not available due to temporary reason"),
    "for good": answer("501 5.5.4 no"),
    "a bare code": answer("220"),
    "hangs up": DROP,
    "resets": RESET,
    "says nothing more": STALL,
    "250 instead": answer("250 fine"),
    "not offered": None,
}
pytestmark = pytest.mark.settings(SECOND_FACTOR="off", CLEAR_NETWORKS="none", MAIL_TIMEOUT_SECONDS="1")
COMMANDS = {"HELO", "EHLO", "LHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "VRFY", "QUIT"}


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer() as server:
        yield server


@pytest.fixture
def environment(environment: dict[str, str], server: OddServer) -> dict[str, str]:
    return environment | {"MAIL_ROUTES": f"{OWN}=127.0.0.1:{server.port}", "OFFICIALS_DIRECT": "on"}


def breaks(server: OddServer, act: Act | None) -> None:
    """STARTTLS is offered and does this; None: it is not offered at all."""
    if act is not None:
        server.offered.append("STARTTLS")
        server.always("STARTTLS", act)


def told() -> dict[str, problems.Problem]:
    with transaction() as session:
        return {problem.key: problem for problem in problems.present(session, datetime.now(UTC), problems.MAIL)}


def names() -> list[str]:
    return [crowd.person(number).name for number in range(3)]


@pytest.mark.parametrize("act", BROKEN.values(), ids=BROKEN)
def test_names_wait_where_nothing_carries_them_encrypted(world: World, server: OddServer, act: Act | None) -> None:
    breaks(server, act)
    publish(LEADER)
    world.work()
    later(world)
    assert server.taken == []
    words = {line.split()[0].upper() for line in server.commands if line.strip()}  # bytes of TLS among them
    assert words & COMMANDS <= {"EHLO", "STARTTLS", "QUIT"}
    [message] = world.rows(select(Message).where(Message.kind == "serving"))
    assert (message.state, message.concern, message.reply_code, message.reply_text) == ("queued", "encryption", None, SENTENCE)
    register = world.get(f"/notices/{SLUG}/deliveries").text
    assert "rror" not in register
    assert "ssl" not in register.lower()
    [problem] = told().values()
    assert problem.sentence.startswith("The letter to Leader waits: no encrypted connection to its mail server could be made")
    assert world.rows(select(Official.bounced_at)) == [None]
    evidence = [json.loads(record) for record in world.rows(select(Evidence.record))]
    assert {record["text"] for record in evidence} == {SENTENCE}


def test_they_go_as_soon_as_something_does(world: World, server: OddServer, tmp_path: Path) -> None:
    breaks(server, answer("454 4.7.0 not now"))
    publish(LEADER)
    world.work()
    server.tls = Authority(tmp_path).server("elsewhere.example")
    server.always("STARTTLS", None)
    later(world)
    assert tiers(world) == {"Leader": "recipient"}
    assert server.lines[-1].tls
    assert names()[0] in text_of(parsed(server.taken[0].content))
    assert told() == {}


@pytest.mark.settings(CLEAR_NETWORKS="10.0.0.0/8,127.0.0.0/8")
def test_a_network_of_our_own_carries_them_in_the_clear_but_no_broken_tls(world: World, server: OddServer) -> None:
    publish(LEADER, milestones=(3, 4))
    world.work()
    assert tiers(world) == {"Leader": "recipient"}
    breaks(server, NO_TLS)
    crowd.sign(range(3, 4))
    with transaction() as session:
        session.execute(update(Serving).where(Serving.state == "due").values(due_at=datetime.now(UTC) - HOUR))
    later(world)
    assert len(server.taken) == 1


@pytest.mark.parametrize("act", [NO_TLS, None], ids=["broken", "not offered"])
def test_counts_alone_go_where_an_organiser_says_so(either_world: World, server: OddServer, act: Act | None) -> None:
    world = either_world
    breaks(server, act)
    world.add_organisers()
    publish(LEADER, milestones=(3, 4))
    world.work()
    petra, august, olive = world.sign_in(PETRA), world.sign_in(AUGUST), world.sign_in(OLIVE)
    where = "/organise/officials/1/counts"
    assert "Send counts alone" in world.get("/organise", petra).text
    assert "Send counts alone" in world.get("/organise/servings/1", petra).text
    assert "Send counts alone" not in world.get("/organise", august).text
    assert world.post(where, {"act": "send counts alone"}, august, page="/organise").status_code == 403
    assert world.post(where, {"act": "dance"}, petra, page="/organise").status_code == 409
    for _ in range(2):
        assert world.post(where, {"act": "send counts alone"}, petra, page="/organise").status_code == 303
    world.work()
    [taken] = server.taken
    letter = parsed(taken.content)
    for words in (" ".join(text_of(letter).split()), html_of(letter)):
        assert "Signed by 3 people" in words
        assert "your mail server takes no encrypted mail" in words
        assert not any(name in words for name in names())
    assert list(letter.iter_attachments()) == []
    assert tiers(world) == {"Leader": "recipient"}
    assert told() == {}
    assert "Acknowledged" in acknowledged(world, letter)
    # the next letter leaves them out from the start, and what it holds can be checked
    crowd.sign(range(3, 4))
    with transaction() as session:
        session.execute(update(Serving).where(Serving.state == "due").values(due_at=datetime.now(UTC) - HOUR))
    later(world)
    second = server.taken[1].content
    assert not any(name.encode() in second for name in names())
    assert "4 are not named here, because your mail server takes no encrypted mail" in " ".join(text_of(parsed(second)).split())
    assert all(finding.holds is not False for finding in verify([("letter.eml", second)], datetime.now(UTC)))
    assert world.rows(select(Delivery.names_given)) == [0, 0]
    page = world.get("/organise/officials", olive).text
    assert "Gets counts alone, without names" in page
    assert world.post(where, {"act": "send names again"}, olive, page="/organise/officials").status_code == 303
    assert world.rows(select(Official.counts_alone)) == [False]
    kinds = [json.loads(record)["kind"] for record in world.rows(select(Evidence.record).order_by(Evidence.number))]
    assert kinds[-4:] == ["counts alone", "attempt", "acknowledged", "attempt"]


def acknowledged(world: World, letter: object) -> str:
    world.post(world.link(letter, "acknowledge"))  # type: ignore[arg-type]
    return world.get(f"/notices/{SLUG}/deliveries").text


def test_a_correction_holds_numbers_alone_and_goes_in_the_clear(world: World, server: OddServer) -> None:
    publish(LEADER)
    world.work()
    with transaction() as session:
        session.execute(update(Message).where(Message.kind == "serving").values(state="accepted"))
    with transaction() as session:
        signing.withdraw(session, session.get_one(Signature, 1), datetime.now(UTC))
    with transaction() as session:
        clock.sweep_corrections(session, datetime.now(UTC) + timedelta(hours=25))
    later(world)
    [taken] = server.taken
    assert "Correction" in parsed(taken.content)["Subject"]
