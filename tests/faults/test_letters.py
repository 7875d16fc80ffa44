"""One letter against a server that does as a script says: it arrives, or waits, or the reason is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from service import deliveries, notices
from service.db import transaction
from service.models import Message
from tests import crowd
from tests.people import ANN, SLUG
from tests.smtp_server import DROP, STALL, Act, SmtpServer, answer
from tests.world import World
from workers.outbound import ledger

STAGES = ("connect", "EHLO", "MAIL", "RCPT", "DATA", ".")
ACTS = {
    "drop": DROP,
    "stall": STALL,
    "421": answer("421 4.3.2 closing"),
    "451": answer("451 4.3.0 later"),
    "nonsense": answer("nonsense"),
    "late": Act(late=0.1),
    "drip": Act(drip=0.002),
    "extra": Act(extra="250 2.0.0 once more"),
}


@pytest.fixture
def relay() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    return {"MAIL_TIMEOUT_SECONDS": "1"} | environment | {"MAIL_PORT": str(relay.port)}


def go_on(world: World) -> None:
    """The time of every waiting letter has come, and the clock rings."""
    with transaction() as session:
        session.execute(update(Message).where(Message.state == "queued").values(due_at=datetime.now(UTC)))
    world.sweep(datetime.now(UTC) + timedelta(seconds=6))
    world.work()


def order(world: World) -> None:
    """A serving of the tests' notice on its two officials."""
    world.publish(milestones=(100,))
    with transaction() as session:
        notice = notices.find(session, SLUG)
        assert notice.edition is not None
        deliveries.order(session, notice, notice.edition, datetime.now(UTC))


def letter(world: World, number: int) -> int:
    """A confirmation to somebody new, tried once; the number of its message."""
    crowd.ask(range(number, number + 1))
    world.sweep(datetime.now(UTC) + timedelta(seconds=6))
    world.work()
    return int(world.rows(select(Message.id).order_by(Message.id.desc()))[0])


def message(world: World, number: int) -> Message:
    [found] = world.rows(select(Message).where(Message.id == number))
    assert isinstance(found, Message)
    return found


@pytest.mark.parametrize("name", ACTS)
def test_trouble_at_any_step_loses_no_letter(world: World, relay: SmtpServer, name: str) -> None:
    """A text that the server has leaves again only where its answer was lost, or was no."""
    act, answered = ACTS[name], name in {"late", "drip", "extra"}
    world.publish()
    for step, stage in enumerate(STAGES):
        relay.taken.clear()
        relay.will(stage, act)
        number = letter(world, step)
        for _ in range(2):
            if message(world, number).state != "accepted":
                go_on(world)
        assert message(world, number).state == "accepted", stage
        assert [taken.recipients for taken in relay.taken] == [[crowd.person(step).email]] * len(relay.taken), stage
        assert len(relay.taken) == (2 if stage == "." and not answered else 1), stage
        assert relay.taken[-1].accepted


@pytest.mark.parametrize("reply", ["450 4.3.2 not now", "554 5.3.2 no service here"])
def test_a_refusal_for_good_ends_it_where_it_is_about_the_letter(world: World, relay: SmtpServer, reply: str) -> None:
    world.publish()
    relay.always("HELO", answer(reply))
    for step, stage in enumerate(STAGES):
        relay.will(stage, answer(reply))
        found = message(world, letter(world, step))
        about_it = stage not in {"connect", "EHLO"}
        assert found.state == ("refused" if reply[0] == "5" and about_it else "queued"), stage
        assert found.reply_code == int(reply[:3]), stage


@pytest.mark.parametrize("verdict", ["550 5.7.1 refused", "451 4.3.0 later"])
def test_a_reply_before_the_text_has_left_is_not_its_answer(world: World, relay: SmtpServer, verdict: str) -> None:
    world.publish()
    relay.will("DATA", Act(extra="250 2.0.0 queued already")).will(".", answer(verdict))
    number = letter(world, 0)
    assert message(world, number).state == "queued"
    assert not relay.taken


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "LEASE", timedelta(seconds=1.5))
    monkeypatch.setattr(ledger, "RENEW_SECONDS", 0.4)
    ledger._renewing.cache_clear()


def work_while_swept(world: World, seconds: float) -> None:
    """Workers at work, and beside them for so long the clock, which takes back what lapsed and rings for it."""
    stop = time.monotonic() + seconds

    def sweeps() -> None:
        while time.monotonic() < stop:
            world.sweep(datetime.now(UTC))
            time.sleep(0.1)

    thread = threading.Thread(target=sweeps)
    thread.start()
    world.work()
    thread.join()
    go_on(world)


@pytest.mark.usefixtures("short_lease")
@pytest.mark.settings(MAIL_TIMEOUT_SECONDS="30")
def test_a_letter_answered_later_than_its_lease_leaves_once(world: World, relay: SmtpServer) -> None:
    relay.will(".", Act(late=3))
    world.publish()
    world.sign(ANN)
    work_while_swept(world, 3.5)
    assert world.rows(select(Message.state)) == ["accepted"]
    assert len(relay.taken) == 1


@pytest.mark.usefixtures("short_lease")
def test_an_officials_letter_is_answered_as_late_as_the_standard_allows(world: World, relay: SmtpServer) -> None:
    """Later than its lease, and than the time-out of every other reply: it is not unsure, and leaves once."""
    relay.will(".", Act(late=3))
    order(world)
    work_while_swept(world, 4)
    assert world.rows(select(Message.state)) == ["accepted", "accepted"]
    assert sorted(taken.recipients[0] for taken in relay.taken) == ["chair@nec.example", "secretary@nec.example"]
