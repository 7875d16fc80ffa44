"""A reader whom a brake holds: letters wait, the person is answered, and what is known of it is theirs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, update

from service.core.db import transaction
from service.core.keyed_hashes import keyed_hash
from service.inbound import brake_decisions
from service.models import Bounce, Brake, Hold, Message, OutcomeCount, ReplyPattern, Signature, Subscription
from service.people import retention
from service.subscriptions import subscribing
from tests.inbound.test_bounces import back, readers
from tests.inbound.test_brake import counts, decide, gone
from tests.stories.people.test_retention import holding
from tests.support.crowd import at_once
from tests.support.people import ANN, OLIVE
from tests.support.world import World
from workers.outbound import leases
from workers.outbound.smtp.outcome import Answer

HELD = "p0@example.org"
pytestmark = pytest.mark.settings(APPROVALS="0", SECOND_FACTOR="off", LIMIT_GAP_MINUTES="0", BRAKE_NEW_CAUSE="0")


def held_readers(world: World, count: int = 10) -> list[Message]:
    messages = readers(world, 100)
    for number, message in enumerate(messages[:count]):
        back(world, message, "5.1.1", gone(number))
    assert counts(world) == (0, count, 1)
    return messages


def test_who_is_held_and_subscribes_again_is_asked_once_and_is_free_with_one_press(either_world: World) -> None:
    world = either_world
    held_readers(world)
    for _ in range(2):
        world.subscribe({"name": "Pat Quill", "email": HELD})
        world.work()
    asked = world.letter(HELD, "May we write to you again?")
    assert "From now on we write to you again" in world.post(world.link(asked, "confirm")).get_data(as_text=True)
    assert counts(world) == (0, 9, 1)


def test_a_letter_to_a_held_mailbox_waits_and_goes_once_it_is_lifted(either_world: World) -> None:
    world = either_world
    world.publish()
    world.subscribe({"name": "Pat Quill", "email": HELD})
    now = datetime.now(UTC)
    held = {"hash": keyed_hash(HELD), "brake_id": 1, "pattern_id": 1, "cause": "hard", "domain": "example.org", "at": now}
    with transaction() as session:
        brake = {"scope": "hour", "subject": "2026-11-26T10", "state": "open", "hard": 9, "settled": 99, "pulled_at": now}
        session.execute(insert(Brake), [brake])
        session.execute(insert(Hold), [held])
    world.post("/complaints", {"name": "Pat Quill", "email": HELD, "text": "Why do I hear nothing?"})
    world.work()
    assert world.letters(HELD) == []
    assert world.rows(select(Message.state)) == ["queued", "queued"]
    assert min(world.rows(select(Message.due_at))) > now + timedelta(minutes=5)  # nobody asks every second
    with transaction() as session:
        brake_decisions.decide(session, 1, "lift", [], None, datetime.now(UTC))
        session.execute(update(Message).values(due_at=datetime.now(UTC) - timedelta(seconds=6)))
    world.sweep()
    world.work()
    assert world.letter(HELD, "confirm")
    assert len(world.letters(HELD)) == 2


def test_a_wish_whose_letter_fails_where_a_brake_holds_is_not_lost(world: World) -> None:
    held_readers(world)
    with transaction() as session:
        session.execute(update(Brake).values(scope="hour", subject="2026-11-26T10"))
    world.sign(ANN)
    world.work()
    (asked,) = world.rows(select(Message).where(Message.email == ANN["email"]))
    back(world, asked, "5.1.1", gone(1))
    assert counts(world) == (0, 11, 1)
    assert world.rows(select(Signature.state)) == ["pending"]
    world.post(world.link(world.letter(ANN["email"]), "confirm"))  # it had come all the same
    assert world.count() == 1
    assert counts(world) == (0, 10, 1)


def test_an_import_takes_in_whom_a_brake_holds(world: World) -> None:
    held_readers(world)
    with transaction() as session:
        other = subscribing.find_list(session, "updates")
        session.execute(Subscription.__table__.delete())
        line = subscribing.read_line(2, {"email": HELD})
        assert subscribing.take_in(session, other, [line], "paper", datetime.now(UTC)) == {}


def test_an_organiser_who_is_held_still_signs_in(world: World) -> None:
    held_readers(world)
    with transaction() as session:
        session.execute(update(Hold).where(Hold.hash == keyed_hash(HELD)).values(hash=keyed_hash(OLIVE)))
    olive = world.sign_in(OLIVE)
    assert world.get("/organise/came-back", olive).status_code == 200


def test_a_held_person_is_told_of_on_their_page_and_may_be_lifted_alone(world: World) -> None:
    held_readers(world)
    olive = world.sign_in(OLIVE)
    where = world.person(HELD, olive)
    page = world.get(where, olive).get_data(as_text=True)
    assert "until an organiser has looked" in page
    assert world.post(where, {"act": "lift", "reason": "wrote to us"}, olive).status_code == 303
    assert counts(world) == (0, 9, 1)
    assert "Suppression lifted" in world.get(where, olive).get_data(as_text=True)


def test_what_failed_is_exported_and_erased(either_world: World) -> None:
    world = either_world
    held_readers(world)
    world.post("/manage", {"email": HELD})
    world.work()
    world.post(world.link(world.letter(HELD, "May we write"), "confirm"))
    world.post("/manage", {"email": HELD})
    world.work()
    manage = world.link(world.letters(HELD)[-1], "manage")
    with transaction() as session:
        row = {"brake_id": 1, "pattern_id": 1, "cause": "hard", "domain": "example.org", "at": datetime.now(UTC)}
        session.execute(insert(Hold), [row | {"hash": keyed_hash(HELD)}])
    held = json.loads(world.post(manage, {"act": "export"}).get_data())
    assert [one["kind"] for one in held["failures"]] == ["hard", "lifted"]
    assert held["not_written_to"]["because"] == "hard"
    world.post(manage, {"act": "erase", "sure": "yes"})
    assert holding(keyed_hash(HELD)) == {"suppressions"}
    assert holding(HELD) == set()


def test_two_workers_that_settle_at_once_see_each_others_failures(either_world: World) -> None:
    world = either_world
    numbers = [one.id for one in readers(world, 100)]
    with transaction() as session:
        session.execute(update(OutcomeCount).values(settled=0))
        session.execute(update(Message).where(Message.id.in_(numbers)).values(state="sending", lease="x"))

    def settle(part: list[int]) -> None:
        answers = [Answer(one, "refused", 550, f"5.1.1 no such user {'here' * (one % 3)}") for one in part[:6]]
        answers += [Answer(one, "accepted", 250, "Ok") for one in part[6:]]
        with transaction() as session:
            leases.record_and_tally(session, "x", answers, datetime.now(UTC))

    results = at_once([lambda part=numbers[start::4]: settle(part) for start in range(4)])
    assert results == [None] * 4
    assert counts(world) == (0, 24, 1)
    counted = (OutcomeCount.scope == "mailing", OutcomeCount.settled == 100, OutcomeCount.hard == 0)
    assert world.rows(select(func.count()).select_from(OutcomeCount).where(*counted)) == [1]


def test_temporary_failures_suppress_nobody_where_a_brake_holds(world: World) -> None:
    messages = held_readers(world)
    now = datetime.now(UTC)
    hash = keyed_hash("p50@example.org")
    with transaction() as session:
        session.add_all(Bounce(hash=hash, kind="soft", at=now - timedelta(days=ago)) for ago in range(1, 6))
    back(world, messages[50], "4.2.2", "452 4.2.2 mailbox full")
    assert counts(world) == (0, 11, 1)
    assert world.rows(select(Hold.cause).where(Hold.hash == hash)) == ["soft"]


def test_what_is_not_needed_any_more_to_weigh_failures_is_forgotten(either_world: World) -> None:
    world = either_world
    held_readers(world)
    decide(world, "dead")
    for days, domains, scopes, brakes, patterns in (
        (6, 1, 4, 1, 3), (8, 1, 1, 1, 3), (31, 0, 0, 1, 3), (364, 0, 0, 1, 3), (366, 0, 0, 0, 0),
    ):  # fmt: skip
        with transaction() as session:
            retention.run(session, datetime.now(UTC) + timedelta(days=days))
            retention.run(session, datetime.now(UTC) + timedelta(days=days))
        left = (
            select(func.count(func.distinct(func.nullif(Bounce.domain, "")))),
            select(func.count(func.distinct(OutcomeCount.scope))), select(func.count()).select_from(Brake),
            select(func.count()).select_from(ReplyPattern),
        )  # fmt: skip
        assert tuple(world.rows(statement)[0] for statement in left) == (domains, scopes, brakes, patterns), days
    assert counts(world) == (10, 0, 0)
