"""Bulk connections against a server that does as a script says: everybody gets one letter, or the reason is kept."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update

from service.core.db import transaction
from service.mailings import mailing_lifecycle, pausing, tallies
from service.models import Mailing, Message, Subscription
from service.subscriptions import subscribing
from tests.conftest import wait_until
from tests.faults.troubles import ANSWERED, BROKEN, EXTRA, SLOW, STAGES
from tests.support import crowd
from tests.support.servers.smtp_server import Act, SmtpServer, answer
from tests.support.world import World
from workers.outbound.bulk import connections
from workers.outbound.smtp import pipelined

READERS = 45


@pytest.fixture(params=[True, False], ids=["pipelining", "one by one"])
def relay(request: pytest.FixtureRequest) -> Iterator[SmtpServer]:
    with SmtpServer(pipelining=request.param) as server:
        yield server


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    own = {"MAIL_TIMEOUT_SECONDS": "1", "APPROVALS": "0", "MAIL_PORT": str(relay.port)}
    return own | environment | {"MAIL_PORT": str(relay.port)}


def send(world: World, count: int = READERS * 10 // 9) -> int:
    number = crowd.mailing_to(count, datetime.now(UTC))
    world.sweep()
    world.work()
    return number


def meanwhile(world: World, act: Callable[[], None]) -> None:
    """Workers run here, for they want the main thread's signals, and the act beside them."""
    thread = threading.Thread(target=act)
    thread.start()
    world.work()
    thread.join()


def states(world: World) -> Counter[str]:
    return Counter(world.rows(select(Message.state)))


def mailing(world: World) -> Mailing:
    return world.rows(select(Mailing))[0]  # type: ignore[no-any-return]


def got(relay: SmtpServer) -> Counter[str]:
    return Counter(one for taken in relay.taken for one in taken.recipients if taken.accepted)


def tallied(world: World, number: int) -> dict[str, int]:
    with transaction() as session:
        return tallies.read(session, number)


@pytest.mark.parametrize("name", BROKEN | EXTRA)
@pytest.mark.parametrize("stage", STAGES)
def test_trouble_at_any_step_loses_nobody(
    world: World, relay: SmtpServer, stage: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelined, "TEXT_SECONDS", 1)
    act = (BROKEN | EXTRA)[name]
    relay.will(stage, act, Act(), Act(), act)
    number = send(world)
    for _ in range(3):
        if mailing(world).state != "sent":
            crowd.next_try(world)
    assert states(world) == {"accepted": READERS}
    assert mailing(world).state == "sent"
    assert tallied(world, number) == {"accepted": READERS}
    texts = {one for taken in relay.taken for one in taken.recipients}
    assert sorted(texts) == sorted(world.rows(select(Subscription.email).where(Subscription.state == "confirmed")))
    assert sum(got(relay).values()) - READERS <= (2 if (stage, name) == (".", "stall") else 1)


@pytest.mark.parametrize("act", SLOW.values(), ids=SLOW)
def test_a_server_slow_at_every_step_is_waited_for(world: World, relay: SmtpServer, act: Act) -> None:
    for stage in STAGES:
        relay.will(stage, act, Act(), Act(), act)
    assert tallied(world, send(world)) == {"accepted": READERS}
    assert sorted(got(relay).values()) == [1] * READERS


@pytest.mark.parametrize("stage", ["connect", "EHLO"])
def test_a_server_that_wants_nobody_is_no_fault_of_the_readers(
    world: World, relay: SmtpServer, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "RETRY_SECONDS", 0.2)
    for command in (stage, "HELO"):
        relay.always(command, answer("554 5.3.2 no service here"))
    send(world)
    assert states(world) == {"queued": READERS}
    relay.always(stage, None)
    wait_until(lambda: time.monotonic() > connections.pool().retry_at)
    crowd.next_try(world)
    assert sorted(got(relay).values()) == [1] * READERS


@pytest.mark.parametrize("act", BROKEN.values(), ids=BROKEN)
def test_trouble_while_a_refused_envelope_is_taken_back(world: World, relay: SmtpServer, act: Act) -> None:
    relay.will("RCPT", answer("550 5.1.1 no such person")).will("RSET", act)
    send(world)
    crowd.next_try(world)
    assert states(world) == {"accepted": READERS - 1, "refused": 1}
    assert sorted(got(relay).values()) == [1] * (READERS - 1)


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "."])
def test_one_bad_recipient_spoils_no_other(world: World, relay: SmtpServer, stage: str) -> None:
    relay.will(stage, answer("550 5.1.1 no such person"))
    send(world)
    assert states(world) == {"accepted": READERS - 1, "refused": 1}
    [refused] = world.rows(select(Message).where(Message.state == "refused"))
    assert (refused.reply_code, refused.reply_text) == (550, f"5.1.1 no such person{ANSWERED[stage]}")
    assert set(got(relay).values()) == {1}
    if stage in {"RCPT", "DATA"}:  # the refused envelope is taken back before the next
        assert "RSET" in relay.commands


def test_greylisting_gives_exactly_one_letter(world: World, relay: SmtpServer) -> None:
    relay.will("RCPT", *[answer("451 4.2.0 greylisted")] * READERS)
    send(world)
    assert states(world) == {"queued": READERS}
    crowd.next_try(world)
    assert sorted(got(relay).values()) == [1] * READERS


@pytest.mark.parametrize("known", [True, False])
def test_addresses_outside_ascii(world: World, relay: SmtpServer, known: bool) -> None:
    if not known:
        relay.offered.remove("SMTPUTF8")
    number = crowd.mailing_to(5, datetime.now(UTC))
    with transaction() as session:
        session.execute(update(Subscription).where(Subscription.email == "reader2@example.org").values(email="zoë@example.org"))
    world.sweep()
    world.work()
    assert tallied(world, number) == {"accepted": 5} if known else {"accepted": 4, "refused": 1}
    assert ("zoë@example.org" in got(relay)) == known


@pytest.mark.parametrize(
    "words", ["421 4.7.28 Gmail has detected an unusual rate", "550 5.7.26 unauthenticated", "451 4.7.500 ok"]
)
def test_a_provider_that_blames_the_sender_pauses_the_mailing(world: World, relay: SmtpServer, words: str) -> None:
    relay.will(".", Act(), answer(words))
    send(world)
    if "4.7.500" in words:
        assert mailing(world).state == "sending"
        return
    assert mailing(world).state == "paused"
    assert words.split()[1] in mailing(world).paused_because
    assert set(states(world)) == {"accepted", "queued"}
    with transaction() as session:
        pausing.resume(session, mailing(world).id)
    crowd.next_try(world)
    assert sorted(got(relay).values()) == [1] * READERS


def test_too_many_refusals_pause_the_mailing(world: World, relay: SmtpServer) -> None:
    relay.always("RCPT", answer("550 5.1.1 unknown"))
    send(world, 600)
    assert mailing(world).state == "paused"
    assert "refused" in mailing(world).paused_because


@pytest.mark.settings(LIMIT_MAILING="100")
@pytest.mark.parametrize("act", ["pause", "cancel"])
def test_pause_and_cancel_take_effect_at_once(world: World, relay: SmtpServer, act: str) -> None:
    number = crowd.mailing_to(300, datetime.now(UTC))
    world.sweep()
    at: list[float] = []

    def organiser() -> None:
        wait_until(lambda: len(relay.taken) > 60)
        with transaction() as session:
            if act == "pause":
                pausing.pause(session, number, "an organiser asked")
            else:
                pausing.cancel(session, mailing_lifecycle.hold(session, number), datetime.now(UTC))
        at.append(time.time())

    meanwhile(world, organiser)
    assert max(taken.at for taken in relay.taken) < at[0] + 0.5
    if act == "pause":
        with transaction() as session:
            pausing.resume(session, number)
    world.work()
    assert set(states(world)) == ({"accepted"} if act == "pause" else {"accepted", "cancelled"})
    assert set(got(relay).values()) == {1}


@pytest.mark.settings(LIMIT_MAILING="100")
def test_who_leaves_gets_nothing_a_second_later(world: World, relay: SmtpServer) -> None:
    number = crowd.mailing_to(667, datetime.now(UTC))
    world.sweep()
    left: dict[str, float] = {}

    def leaving() -> None:
        for row in world.rows(select(Subscription).where(Subscription.state == "confirmed").order_by(Subscription.id))[::10]:
            with transaction() as session:
                subscribing.leave(session, row.id, datetime.now(UTC))
            left[row.email] = time.time()
            time.sleep(0.05)

    meanwhile(world, leaving)
    assert len(left) >= 60
    late = [taken for taken in relay.taken if taken.at > left.get(taken.recipients[0], 1e12) + 1]
    assert not late
    counts = tallied(world, number)
    assert counts["suppressed"] > 20
    assert counts["accepted"] + counts["suppressed"] == len(world.rows(select(Message.id)))
