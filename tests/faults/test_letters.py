"""One letter against a server that does as a script says: it arrives, or waits, or the reason is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from service.models import Message
from tests.faults.troubles import BROKEN, EXTRA, SLOW, STAGES
from tests.support import crowd
from tests.support.servers.smtp_server import Act, SmtpServer, answer
from tests.support.world import World


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    return {"MAIL_TIMEOUT_SECONDS": "1"} | environment | {"MAIL_PORT": str(relay.port)}


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


@pytest.mark.parametrize("name", BROKEN | SLOW | EXTRA)
def test_trouble_at_any_step_loses_no_letter(world: World, relay: SmtpServer, name: str) -> None:
    """A text that the server has leaves again only where its answer was lost, or was no."""
    act, answered = (BROKEN | SLOW | EXTRA)[name], name in SLOW | EXTRA
    world.publish()
    for step, stage in enumerate(STAGES):
        relay.taken.clear()
        relay.will(stage, act)
        number = letter(world, step)
        for _ in range(2):
            if message(world, number).state != "accepted":
                crowd.next_try(world)
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
        about_it = stage not in {"connect", "EHLO", "MAIL"}
        assert found.state == ("refused" if reply[0] == "5" and about_it else "queued"), stage
        assert found.reply_code == int(reply[:3]), stage


@pytest.mark.parametrize("verdict", ["550 5.7.1 refused", "451 4.3.0 later"])
def test_a_reply_before_the_text_has_left_is_not_its_answer(world: World, relay: SmtpServer, verdict: str) -> None:
    world.publish()
    relay.will("DATA", Act(extra="250 2.0.0 queued already")).will(".", answer(verdict))
    number = letter(world, 0)
    assert message(world, number).state == "queued"
    assert not relay.taken
