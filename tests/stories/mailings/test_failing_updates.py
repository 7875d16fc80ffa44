"""Updates that cannot be stored or sent: who is told, and what the buttons do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from service.core.db import reading, transaction
from service.mailings import mailing_lifecycle, pausing
from service.models import Failure, Mailing
from service.operations import problems
from tests.conftest import wait_until
from tests.inbound.post import DOMAIN
from tests.support.broken_tables import refusing
from tests.support.crowd import mailing_to
from tests.support.people import AUGUST
from tests.support.problem_list import press, ready, try_once_more
from tests.support.servers.smtp_server import SmtpServer
from tests.support.world import World, text_of
from workers import clock
from workers.outbound.bulk import batch, shifts

pytestmark = pytest.mark.settings(SECOND_FACTOR="off", APPROVALS="0")
ASK = f"updates-subscribe@{DOMAIN}"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize(
    ("event", "where"),
    [("INSERT ON messages", "NEW.kind = 'mailing'"), ("UPDATE ON messages", "NEW.kind = 'mailing' AND NEW.state = 'sending'")],
    ids=["fan-out", "shift"],
)
def test_an_update_that_cannot_be_sent_is_told_and_can_be_paused(
    either_world: World, monkeypatch: pytest.MonkeyPatch, event: str, where: str
) -> None:
    monkeypatch.setattr(shifts, "SHIFT_SECONDS", 1)
    world = either_world
    world.publish()
    world.add_organisers()
    august = world.sign_in(AUGUST)
    with refusing(event, where):
        number = mailing_to(5, now())
        try_once_more(world, 2)
        assert f"Update {number} does not go on. It failed" in ready(world)[f"mailing {number}"]
        assert "because the database did not do what was asked" in ready(world)[f"mailing {number}"]
        assert "Pause it" in world.get("/organise", august).text or "Take it back" in world.get("/organise", august).text
        assert press(world, "try mailing", f"mailing {number}", august) == 303
        assert f"mailing {number}" not in ready(world)
        try_once_more(world, 2)
    assert press(world, "try mailing", f"mailing {number}", august) == 303
    world.work()
    assert world.rows(select(Mailing.state)) == ["sent"]
    with transaction() as session:
        clock.forget_failures(session, now())
    assert world.rows(select(Failure)) == []


def test_a_shift_that_fails_each_time_is_rung_for_by_the_clock_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each failure leaves a journal, and whoever takes one over rings for every mailing on its way."""

    def fails(_shift: shifts.Shift) -> None:
        raise RuntimeError("an error in the program")

    monkeypatch.setattr(shifts.Shift, "work", fails)
    number = mailing_to(5, now())
    with transaction() as session:
        mailing_lifecycle.fan_out(session, number, now())
    try_once_more(world, 3)  # ends
    assert "because there is an error in the program" in ready(world)[f"mailing {number}"]
    [failure] = world.rows(select(Failure).where(Failure.job == "shift"))
    assert failure.count <= 6


def test_an_update_is_stopped_by_taking_it_back_or_by_pausing_it(world: World) -> None:
    world.publish()
    world.add_organisers()
    august = world.sign_in(AUGUST)
    with refusing("INSERT ON messages", "NEW.kind = 'mailing'"):
        number = mailing_to(5, now())
        try_once_more(world, 1)
        assert press(world, "stop mailing", f"mailing {number}", august) == 303
    assert world.rows(select(Mailing.state)) == ["draft"]
    assert press(world, "stop mailing", f"mailing {number}", august) == 409
    assert press(world, "stop mailing", "mailing 7", august) == 404
    assert press(world, "stop mailing", "mailing ²", august) == 404
    assert press(world, "stop everything", "mailing 1", august) == 403


class TestRelay:
    @pytest.fixture
    def environment(self, environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
        return environment | {"MAIL_PORT": str(relay.port), "MAIL_TIMEOUT_SECONDS": "1"}

    def test_an_update_whose_relay_is_away_is_told_after_ten_minutes_and_goes_on_by_itself(
        self, world: World, relay: SmtpServer
    ) -> None:
        relay.close()
        number = mailing_to(5, now())
        try_once_more(world, 2)
        assert f"mailing {number}" not in ready(world)  # a relay may start again
        with transaction() as session:
            session.execute(update(Failure).values(first_at=now() - timedelta(minutes=11)))
        assert "because the mail server could not be reached" in ready(world)[f"mailing {number}"]
        with SmtpServer(relay.port):
            wait_until(lambda: (try_once_more(world), world.rows(select(Mailing.state)))[1] == ["sent"])
        assert f"mailing {number}" not in ready(world)


def test_what_is_over_is_forgotten_also_where_somebody_else_ended_it(world: World) -> None:
    number = mailing_to(5, now())
    with refusing("INSERT ON messages", "NEW.kind = 'mailing'"):
        try_once_more(world, 2)
    with transaction() as session:
        mailing_lifecycle.recall(session, mailing_lifecycle.find(session, number))
        clock.forget_failures(session, now())
    assert world.rows(select(Failure)) == []
    with reading() as session:
        assert problems.present(session, datetime.now(UTC)) == []


def test_an_update_of_which_no_letter_can_be_made_pauses_and_says_why(world: World) -> None:
    world.publish()
    world.add_organisers()
    number = mailing_to(3, now())
    with transaction() as session:
        mailing_lifecycle.fan_out(session, number, now())
        session.execute(update(Mailing).values(approved_at=None))  # so that nothing can be made of it
    batch.stencil_of.cache_clear()
    world.sweep()
    world.work()
    assert world.rows(select(Mailing.state)) == ["paused"]
    [because] = world.rows(select(Mailing.paused_because))
    assert because.startswith("no letter can be made of its text (")
    assert because in text_of(world.letters(AUGUST, "Paused")[0])
    assert "no letter can be made of its text" in world.get("/organise", world.sign_in(AUGUST)).text
    with transaction() as session:
        session.execute(update(Mailing).values(approved_at=now()))
        pausing.resume(session, number)
    world.work()
    assert world.rows(select(Mailing.state)) == ["sent"]
