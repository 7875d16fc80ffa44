"""A mailing as its organiser sees it: how far, how fast, and what became of each message."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from service.core.db import reading, transaction
from service.mailings import mailing_lifecycle, progress, speed
from service.subscriptions import subscribing
from tests.support.people import ANN, BEN, OLIVE
from tests.support.servers.smtp_server import SmtpServer, answer
from tests.support.world import World

WAITS = {"APPROVALS": "0"}


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    return environment | WAITS | {"MAIL_PORT": str(relay.port), "MAIL_CONNECTIONS": "1"}


def mailing_to(world: World, *people: dict[str, str]) -> int:
    """An update to these people, sent."""
    world.publish()
    world.add_organisers()
    now = datetime.now(UTC)
    with transaction() as session:
        updates = subscribing.find_list(session, "updates")
        lines = [subscribing.read_line(number, {**one, "clp": "", "office": ""}) for number, one in enumerate(people)]
        subscribing.take_in(session, updates, lines, "test", now)
        mailing = mailing_lifecycle.draft(session, updates, "Hello", "Hello.", None, now)
        mailing_lifecycle.submit(mailing)
        session.flush()
        mailing_lifecycle.approve(session, mailing, None, mailing_lifecycle.content_hash(mailing), now + timedelta(seconds=1))
    return mailing.id


def test_each_outcome_is_found_by_state_and_by_words(world: World, relay: SmtpServer) -> None:
    relay.will("RCPT", answer("550 5.1.1 no such person"))
    number = mailing_to(world, ANN, BEN)
    world.work()
    with reading() as session:
        mailing = mailing_lifecycle.find(session, number)
        rows = progress.outcomes(session, mailing).rows
        assert (rows[0].email, rows[0].state, rows[0].reply_code) == (ANN["email"], "refused", 550)
        assert [row.state for row in rows] == ["refused", "accepted"]
        assert [row.email for row in progress.outcomes(session, mailing, state="accepted").rows] == [BEN["email"]]
        assert [row.email for row in progress.outcomes(session, mailing, words="NO SUCH").rows] == [ANN["email"]]
        assert progress.outcomes(session, mailing, words="%").rows == []
        assert progress.of(session, mailing, datetime.now(UTC)).counts == {"accepted": 1, "refused": 1}
    result = world.app.test_cli_runner().invoke(args=["mailings", "outcomes", str(number), "--state", "refused"])
    assert [row["reply"] for row in csv.DictReader(io.StringIO(result.stdout))] == ["5.1.1 no such person"]


def test_the_page_shows_outcomes_to_organisers_alone(world: World, relay: SmtpServer) -> None:
    number = mailing_to(world, ANN)
    world.work()
    assert world.get(f"/organise/updates/{number}/outcomes").status_code == 303


def test_rate_and_time_left_follow_from_the_counts() -> None:
    going = progress.Progress("sending", {"accepted": 300, "queued": 100}, True, "", timedelta(seconds=30))
    assert (going.total, going.settled, going.per_second, going.left) == (400, 300, 10.0, timedelta(seconds=10))
    again = progress.Progress("sending", {"accepted": 300, "queued": 100}, True, "", timedelta(hours=9), now_per_second=50.0)
    assert (again.per_second, again.left) == (50.0, timedelta(seconds=2))
    stands = progress.Progress("sending", {"accepted": 300, "queued": 100}, True, "", timedelta(hours=9), now_per_second=0.0)
    assert stands.left is None
    done = progress.Progress("sent", {"accepted": 400}, True, "", timedelta(seconds=30))
    assert done.left is None


def test_its_speed_is_that_of_the_last_minute(world: World, relay: SmtpServer) -> None:
    number = mailing_to(world, ANN, BEN)
    now = datetime.now(UTC)
    assert speed.per_second(number, now) is None
    world.work("bulk")
    assert 0 < (speed.per_second(number, datetime.now(UTC)) or 0) <= 2
    assert speed.note(number, 600, now + timedelta(seconds=60))
    assert speed.per_second(number, now + timedelta(seconds=70)) == pytest.approx(600 / 12, rel=0.3)
    assert speed.per_second(number, now + timedelta(seconds=300)) is None


def test_the_rate_counts_from_when_it_went_not_from_its_approval(world: World, relay: SmtpServer) -> None:
    number, now = mailing_to(world, ANN), datetime.now(UTC)
    with transaction() as session:
        mailing = mailing_lifecycle.find(session, number)
        mailing.approved_at, mailing.goes_at = now - timedelta(days=2), now - timedelta(seconds=30)
        assert progress.of(session, mailing, now).elapsed == timedelta(seconds=30)


def test_a_provider_that_turns_us_away_pauses_the_mailing_and_organisers_hear_of_it(world: World, relay: SmtpServer) -> None:
    relay.will("RCPT", answer("421 4.7.28 our system has detected an unusual rate of mail"))
    number = mailing_to(world, ANN, BEN)
    world.work("bulk")
    with reading() as session:
        mailing = mailing_lifecycle.find(session, number)
        assert mailing.state == "paused"
        assert "4.7.28" in mailing.paused_because
        assert progress.of(session, mailing, datetime.now(UTC)).counts == {"queued": 2}
    world.work("prompt")
    told = [one for one in relay.taken if one.recipients == [OLIVE]]
    assert len(told) == 1
    assert b"Paused: Hello" in told[0].content
