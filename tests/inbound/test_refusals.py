"""What a mail server says while we speak to it counts as its bounce would: the same classes, reasons and pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select, update

from service.core.config import settings
from service.core.db import engine_for, reading, transaction
from service.inbound import bounces, brake_decisions
from service.models import Bounce, Brake, Mailing, Message, OutcomeCount, Subscription, Suppression
from service.operations import problems
from service.people import timeline
from tests.inbound.cases import replies
from tests.inbound.test_bounces import readers, suppressed
from tests.inbound.test_brake import counts, decide, gone, refuse
from tests.inbound.test_stories import send_update
from tests.support.people import ANN, SLUG
from tests.support.servers.smtp_server import SmtpServer, answer
from tests.support.world import World

pytestmark = pytest.mark.settings(APPROVALS="0")
WITHOUT_BRAKE = pytest.mark.settings(APPROVALS="0", BRAKE_FAILURES="0", BRAKE_NEW_CAUSE="0")
READER = "p0@example.org"
GONE, FULL = "bounced: no such mailbox", "bounced: too many temporary failures"


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    return environment | {"MAIL_PORT": str(relay.port)}


REPLIES = [
    ("RCPT", "550 5.1.1 <p0@example.org> user unknown", "hard", GONE),
    ("RCPT", "550 no such user here", "hard", GONE),
    ("RCPT", "550 5.2.0 user unknown", "hard", GONE),
    (".", "550 5.1.1 user unknown", "hard", GONE),
    (".", "550 user unknown", "soft", None),
    ("RCPT", "552 5.2.2 mailbox full", "soft", None),
    ("RCPT", "550 Account <p0@example.org> does not have enough space", "soft", None),
    ("RCPT", "554 transaction failed", None, None),
]


@pytest.mark.parametrize(("stage", "reply", "kind", "reason"), REPLIES)
def test_a_refusal_counts_as_its_bounce_would(
    world: World, relay: SmtpServer, stage: str, reply: str, kind: str | None, reason: str | None
) -> None:
    relay.will(stage, answer(reply))
    (message,) = readers(world)
    assert message.state == "refused"
    assert world.rows(select(Bounce.kind)) == ([kind] if kind else [])
    assert suppressed(world, READER) == reason
    with reading() as session:
        happened = [one.what for one in timeline.of(session, READER)]
    assert ("Written to no more" in happened) == (reason is not None)
    assert (f"Came back: {kind}" in happened) == (kind is not None)


OF_US = [
    ("MAIL", "553 5.1.8 sender does not exist"),
    ("MAIL", "550 user unknown"),
    ("RCPT", "554 5.7.1 <p0@example.org> policy: user unknown to us, blocked using zen.spamhaus.org"),
    ("RCPT", "550 Mailing to remote domains not supported"),
    ("RCPT", "550 5.1.1 https://www.spamhaus.org/query/ip/192.0.2.4"),
    ("RCPT", "550 Too many invalid recipients"),
    (".", "550 5.7.1 rejected as spam"),
]


@pytest.mark.parametrize(("stage", "reply"), OF_US)
def test_a_refusal_of_us_counts_against_nobody(world: World, relay: SmtpServer, stage: str, reply: str) -> None:
    relay.will(stage, answer(reply))
    (message,) = readers(world)
    assert message.state == "queued"
    assert world.rows(select(Mailing.state)) == ["paused"]
    assert world.rows(select(Bounce)) == []
    assert suppressed(world, READER) is None


def test_one_bad_address_of_many_and_in_either_database(either_world: World, relay: SmtpServer) -> None:
    relay.will("RCPT", answer("550 5.1.1 user unknown"), answer("250 2.1.5 Ok"), answer("550 5.1.10 not found"))
    messages = readers(either_world, 6)
    refused = [one.subscription_id for one in messages if one.state == "refused"]
    named = either_world.rows(select(Subscription.mailbox).where(Subscription.id.in_(refused)))
    assert len(named) == 2
    assert {f"p{number}@example.org" for number in range(6) if suppressed(either_world, f"p{number}@example.org")} == {*named}
    assert either_world.rows(select(Mailing.state)) == ["sent"]


@pytest.mark.settings(SOFT_BOUNCES="3", APPROVALS="0")
def test_full_mailboxes_add_up_with_what_came_back_before(world: World, relay: SmtpServer) -> None:
    now = datetime.now(UTC)
    world.publish()
    hash = bounces.keyed_hash(READER)
    with transaction() as session:
        session.add_all(Bounce(hash=hash, kind="soft", at=now - timedelta(days=ago)) for ago in (2, 4))
    relay.will("RCPT", answer("552 5.2.2 mailbox full"))
    readers(world)
    assert suppressed(world, READER) == FULL


@pytest.mark.parametrize("reply", ["550 5.1.1 user unknown", "552 5.2.2 mailbox full"])
def test_a_confirmation_that_is_refused_ends_what_waits_for_it(world: World, relay: SmtpServer, reply: str) -> None:
    relay.will("RCPT", answer(reply))
    world.publish()
    world.sign(ANN, updates="yes")
    world.work()
    assert world.rows(select(Message.state)) == ["refused"]
    assert world.rows(select(Subscription)) == []
    assert ANN["name"] not in world.get(f"/notices/{SLUG}/signatures").text
    assert bool(suppressed(world, ANN["email"])) == reply.startswith("550")


@WITHOUT_BRAKE
def test_every_reply_counts_as_it_should(world: World) -> None:
    """The same table as for reports; what is about us, or not understood, is noted against nobody."""
    said = [(right, text) for right, text in replies.ALL if text.startswith("55")]
    messages = readers(world, len(said))
    with transaction() as session:
        numbers = {message.id: text for message, (_, text) in zip(messages, said, strict=True)}
        bounces.refused(session, numbers, datetime.now(UTC))
    noted = {bounce.message_id: bounce.kind for bounce in world.rows(select(Bounce))}
    for message, (right, text) in zip(messages, said, strict=True):
        kinds = {noted[message.id]} if message.id in noted else {"blocked", "unknown"}
        assert kinds & {*right}, f"{noted.get(message.id)}: {text}"


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement that is sent inside to change something."""
    seen: list[str] = []
    engine = engine_for(settings().database_url)
    event.listen(engine, "before_cursor_execute", note := lambda *given: seen.append(given[2]))
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@WITHOUT_BRAKE
def test_many_refusals_are_a_few_statements(world: World) -> None:
    messages = readers(world, 200)
    with statements() as seen, transaction() as session:
        bounces.refused(session, {one.id: "550 5.1.1 user unknown" for one in messages}, datetime.now(UTC))
    assert 10 < len(seen) < 16, seen
    assert suppressed(world, "p199@example.org") == GONE


@pytest.mark.parametrize("count", [12, 240])
def test_many_refusals_that_a_brake_holds_are_a_few_statements_too(either_world: World, count: int) -> None:
    messages = readers(either_world, count)
    with statements() as seen, transaction() as session:
        bounces.refused(session, {one.id: f"550 5.1.1 user unknown {one.id}" for one in messages}, datetime.now(UTC))
    assert 16 < len(seen) <= 22, seen
    assert suppressed(either_world, "p11@example.org") is None
    with statements() as seen, transaction() as session:
        assert brake_decisions.decide(session, 1, "dead", [], None, datetime.now(UTC)) == count
    assert 4 < len(seen) < 12, seen
    assert suppressed(either_world, "p11@example.org") == "bounced: an organiser judged it"


def test_a_brake_is_told_to_organisers_and_does_not_make_the_service_unready(world: World, relay: SmtpServer) -> None:
    refuse(relay, 10)
    readers(world, 100)
    now = datetime.now(UTC)
    assert "10 of 100 copies" in problems.in_words(problems.ALERT, now)["brake 1"]
    assert "brake 1" in problems.in_words(problems.MAIL, now)
    assert "brake 1" not in problems.in_words(problems.READYZ, now)
    assert "brake 1" not in world.get("/readyz").get_json()


@pytest.mark.settings(APPROVALS="0", BRAKE_FAILURES="0", BRAKE_NEW_CAUSE="0", REFUSED_SHARE="100")
def test_a_service_may_do_without_a_brake(world: World, relay: SmtpServer) -> None:
    refuse(relay, 30)
    readers(world, 100)
    assert counts(world) == (30, 0, 0)


@pytest.mark.settings(APPROVALS="0", BRAKE_FAILURES="3", BRAKE_SHARE="50", BRAKE_NEW_CAUSE="0", REFUSED_SHARE="100")
@pytest.mark.parametrize(("failing", "held"), [(4, 0), (5, 5)])
def test_an_organisation_chooses_what_is_usual(world: World, relay: SmtpServer, failing: int, held: int) -> None:
    refuse(relay, failing)
    readers(world, 10)
    assert counts(world)[:2] == (failing - held, held)


@pytest.mark.settings(APPROVALS="0", SECOND_FACTOR="off", BRAKE_NEW_CAUSE="0", REFUSED_SHARE="100")
def test_who_said_of_ten_that_they_are_dead_has_not_said_it_of_all(either_world: World, relay: SmtpServer) -> None:
    world = either_world
    refuse(relay, 10, 1)
    readers(world, 100)
    decide(world, "dead")
    assert counts(world) == (10, 0, 0)
    relay.always("RCPT", answer(gone(0)))  # now the relay itself says so of everybody
    with transaction() as session:
        session.execute(update(Suppression).values(at=datetime.now(UTC) - timedelta(days=1)))
        session.execute(update(OutcomeCount).values(hard=0))
        session.execute(update(Brake).values(subject="2"))
    send_update(world)
    suppressed, held, pulled = counts(world)
    assert (suppressed + held, pulled) == (100, 1)
    assert suppressed == 10 + 3 * 10
