"""The brake: where far more fails than is usual, nobody is suppressed for it until an organiser has looked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from service.core.db import transaction
from service.emails import links
from service.models import (
    AuditEntry,
    Bounce,
    Brake,
    Hold,
    Mailing,
    Message,
    OutcomeCount,
    ReplyPattern,
    Subscription,
    Suppression,
)
from service.organisers import accounts
from tests.inbound.post import DOMAIN, complaint, receive
from tests.inbound.test_bounces import back, readers
from tests.inbound.test_stories import send_update
from tests.support.people import OLIVE
from tests.support.servers.smtp_server import SmtpServer, answer
from tests.support.world import World

GONE = "550 5.1.1 <someone@example.org>: Recipient address rejected: User unknown in virtual mailbox table"
pytestmark = pytest.mark.settings(APPROVALS="0", SECOND_FACTOR="off", LIMIT_GAP_MINUTES="0", REFUSED_SHARE="100")


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    return environment | {"MAIL_PORT": str(relay.port)}


def gone(number: int, words: int = 3) -> str:
    """A refusal in one of so many wordings, so that no single cause is behind them."""
    return f"550 5.1.1 no such user here {'now ' * (number % words)}(id {number})"


def refuse(relay: SmtpServer, count: int, wordings: int = 3) -> None:
    relay.will("RCPT", *(answer(gone(number, wordings)) for number in range(count)))


def counts(world: World) -> tuple[int, int, int]:
    """How many are suppressed, how many are held, and how many brakes are pulled."""
    pulled = select(func.count()).select_from(Brake).where(Brake.state == "open")
    tables = [select(func.count()).select_from(table) for table in (Suppression, Hold)]
    suppressed, held, brakes = (world.rows(statement)[0] for statement in (*tables, pulled))
    return suppressed, held, brakes


def sign_in(world: World) -> FlaskClient:
    """By a link from the shell: the relay of these tests keeps its letters."""
    with transaction() as session:
        link = links.sign_in_url(accounts.new_link(session, OLIVE, datetime.now(UTC)).key)
    client = world.browser()
    world.post(link, {}, client)
    return client


def decide(world: World, verdict: str, cause: int = 0) -> int:
    """An organiser presses a button for all that waits, or for one cause of it."""
    olive = sign_in(world)
    fields: dict[str, Any] = {"act": verdict, "brake": world.rows(select(Brake.id).where(Brake.state == "open"))}
    return world.post("/organise/came-back", fields | ({"cause": cause} if cause else {}), olive).status_code


def states_of(world: World, mailing_id: int) -> dict[str, int]:
    rows = world.rows(select(Message.state).where(Message.mailing_id == mailing_id))
    return {state: rows.count(state) for state in sorted(set(rows))}


def look_again(world: World) -> None:
    """The time has come at which what waits for an organiser is asked again."""
    with transaction() as session:
        session.execute(
            update(Message).where(Message.state == "queued").values(due_at=datetime.now(UTC) - timedelta(seconds=6))
        )
    world.sweep()
    world.work()


def test_ten_failures_of_a_hundred_wait_until_an_organiser_has_looked(either_world: World, relay: SmtpServer) -> None:
    world = either_world
    refuse(relay, 10)
    readers(world, 100)
    assert counts(world) == (0, 10, 1)
    assert world.rows(select(Bounce.kind).distinct()) == ["hard"]
    second = send_update(world)
    assert states_of(world, second) == {"accepted": 90, "queued": 10}  # not written to, and not lost
    waits_until = min(world.rows(select(Message.due_at).where(Message.state == "queued")))
    assert waits_until > datetime.now(UTC) + timedelta(minutes=5)
    olive = sign_in(world)
    dashboard = world.get("/organise", olive).get_data(as_text=True)
    assert "10 of 100 copies of update 1 failed" in dashboard
    page = world.get("/organise/came-back", olive).get_data(as_text=True)
    for told in ("10 readers are not written to", "no such user (5.1.1)", "no such user here now now", "example.org: 4"):
        assert told in page, told
    assert "@example.org" not in page
    assert decide(world, "dead") == 303
    assert counts(world) == (10, 0, 0)
    look_again(world)
    assert states_of(world, second) == {"accepted": 90, "suppressed": 10}
    assert world.rows(select(Mailing.state)) == ["sent", "sent"]
    acts = world.rows(select(AuditEntry).where(AuditEntry.subject == "brake 1"))
    assert [(one.act, one.details["mailboxes"]) for one in acts] == [("suppress", 10)]


def test_what_was_not_their_fault_is_lifted_and_what_waited_goes(either_world: World, relay: SmtpServer) -> None:
    world = either_world
    refuse(relay, 12)
    readers(world, 100)
    second = send_update(world)
    assert decide(world, "lift") == 303
    assert counts(world) == (0, 0, 0)
    look_again(world)
    assert states_of(world, second) == {"accepted": 100}
    (brake,) = world.rows(select(Brake))
    assert (brake.state, brake.decided_by_id, brake.hard, brake.settled) == ("judged", 1, 12, 100)


@pytest.mark.parametrize(("failing", "of"), [(9, 100), (10, 201)])
def test_what_is_usual_suppresses_at_once(world: World, relay: SmtpServer, failing: int, of: int) -> None:
    refuse(relay, failing)
    readers(world, of)
    assert counts(world) == (failing, 0, 0)


def test_the_tenth_takes_the_first_nine_with_it(either_world: World) -> None:
    world = either_world
    messages = readers(world, 100)
    for number, message in enumerate(messages[:10]):
        back(world, message, "5.1.1", gone(number))
        assert counts(world) == ((number + 1, 0, 0) if number < 9 else (0, 10, 1))


def test_five_failures_with_a_cause_that_nobody_had_before_wait(either_world: World) -> None:
    world = either_world
    messages = readers(world, 120)
    for number, message in enumerate(messages[:5]):
        back(world, message, "5.1.1", f"550 5.1.1 our postal robot says: no such user {number}")
        assert counts(world) == ((number + 1, 0, 0) if number < 4 else (0, 5, 1))
    assert world.rows(select(Brake.scope)) == ["cause"]
    with transaction() as session:
        session.execute(update(ReplyPattern).values(first_at=datetime.now(UTC) - timedelta(days=2)))
    decide(world, "dead")
    back(world, messages[5], "5.1.1", "550 5.1.1 our postal robot says: no such user 6")
    assert counts(world) == (6, 0, 0)


def test_a_cause_that_others_had_before_is_usual(world: World) -> None:
    messages = readers(world, 120)
    back(world, messages[0], "5.1.1", GONE)
    with transaction() as session:
        session.execute(update(ReplyPattern).values(first_at=datetime.now(UTC) - timedelta(days=2)))
    for message in messages[1:6]:
        back(world, message, "5.1.1", GONE)
    assert counts(world) == (6, 0, 0)


@pytest.mark.settings(APPROVALS="0", SECOND_FACTOR="off", BRAKE_NEW_CAUSE="0", REFUSED_SHARE="100")
def test_one_receiving_domain_that_fails_is_held_alone(either_world: World) -> None:
    """Twelve of twenty at one provider, and a dead address elsewhere: 13 of 300 are not too many for the update."""
    world = either_world
    readers(world, 280)
    with transaction() as session:
        for one in session.scalars(select(Subscription).order_by(Subscription.id).limit(20)):
            one.mailbox = one.email = f"p{one.id}@odd.example"
    second = send_update(world)
    messages = world.rows(select(Message).where(Message.mailing_id == second).order_by(Message.subscription_id))
    for number, message in enumerate([*messages[:12], messages[-1]]):
        back(world, message, "5.1.1", gone(number))
    assert counts(world) == (1, 12, 1)
    (brake,) = world.rows(select(Brake))
    assert (brake.scope, brake.subject, brake.settled) == ("domain", "odd.example", 20)


@pytest.mark.settings(APPROVALS="0", SECOND_FACTOR="off", BRAKE_NEW_CAUSE="0", REFUSED_SHARE="100")
def test_many_small_updates_that_fail_within_an_hour_are_seen_together(world: World, relay: SmtpServer) -> None:
    readers(world, 25)
    with transaction() as session:
        for number, one in enumerate(session.scalars(select(Subscription))):
            one.mailbox = one.email = f"p{number}@d{number}.example"
    refuse(relay, 6)
    send_update(world)
    assert counts(world) == (6, 0, 0)
    refuse(relay, 6)
    send_update(world)
    assert counts(world) == (0, 12, 1)
    assert world.rows(select(Brake.scope)) == ["hour"]


def test_complaints_and_leavings_act_where_a_brake_holds(either_world: World) -> None:
    world = either_world
    messages = readers(world, 100)
    for number, message in enumerate(messages[:11]):
        back(world, message, "5.1.1", gone(number))
    assert counts(world) == (0, 11, 1)
    receive(world, complaint(messages[0].id), f"fbl@{DOMAIN}", "feedback@provider.example")
    assert counts(world) == (1, 10, 1)
    assert world.rows(select(Suppression.cause)) == ["complaint"]
    receive(world, complaint(messages[50].id), f"fbl@{DOMAIN}", "feedback@provider.example")
    assert counts(world) == (2, 10, 1)
    decide(world, "lift")
    assert counts(world) == (2, 0, 0)


@pytest.mark.settings(APPROVALS="0", SECOND_FACTOR="off", BRAKE_NEW_CAUSE="0", REFUSED_SHARE="100")
def test_a_decision_goes_for_what_fails_later_for_the_same_cause(either_world: World) -> None:
    world = either_world
    messages = readers(world, 100)
    for number, message in enumerate(messages[:10]):
        back(world, message, "5.1.1", gone(number, 2))
    dead, lifted = world.rows(select(Hold.pattern_id).distinct().order_by(Hold.pattern_id))
    assert decide(world, "dead", dead) == 303
    assert counts(world) == (5, 5, 1)
    assert decide(world, "lift", lifted) == 303
    assert counts(world) == (5, 0, 0)
    for number, message in enumerate(messages[10:30]):
        back(world, message, "5.1.1", gone(number, 2))
    assert counts(world) == (15, 0, 0)
    causes = world.rows(select(Suppression.cause).distinct())
    assert causes == ["judged"]
    assert world.rows(select(OutcomeCount.hard).where(OutcomeCount.scope == "mailing")) == [0]
    for number, message in enumerate(messages[30:41]):  # another cause is looked at by itself
        back(world, message, "5.1.10", f"550 5.1.10 recipient not found by lookup {number}")
    assert counts(world) == (15, 11, 1)


def test_a_decision_that_comes_twice_is_refused_the_second_time(world: World, relay: SmtpServer) -> None:
    refuse(relay, 10)
    readers(world, 100)
    decide(world, "lift")
    olive = sign_in(world)
    for fields, status in (
        ({"brake": 1, "act": "dead"}, 409), ({"brake": 1, "act": "burn"}, 409), ({"brake": 2, "act": "dead"}, 404),
        ({"brake": 2**63, "act": "dead"}, 404), ({"brake": "x", "act": "lift"}, 409),
    ):  # fmt: skip
        assert world.post("/organise/came-back", fields, olive).status_code == status, fields
    assert counts(world) == (0, 0, 0)
