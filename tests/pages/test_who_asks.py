"""What one visitor, one mail server, or all together can make us write to others: counted in SQL, and asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from service.core.db import reading, transaction
from service.models import Day, Message, WaitingForm
from service.people import retention
from service.rate_limits import domain_breakers
from tests.inbound.post import DOMAIN, letter, receive
from tests.support.people import OLIVE, SLUG
from tests.support.world import TOKEN, World

FIELDS = {"clp": "", "office": "none", "display": "public", "consent": "yes"}
HOUR = timedelta(hours=1)
few = pytest.mark.settings(LIMIT_ASKED="5")


def sign_from(world: World, address: str, email: str) -> None:
    where: dict[str, Any] = {"environ_base": {"REMOTE_ADDR": address}}
    path = f"/notices/{SLUG}/sign"
    found = TOKEN.search(world.client.get(path, **where).text)
    assert found
    fields = FIELDS | {"name": "Ann Ashworth", "email": email, "csrf_token": found[1]}
    assert world.client.post(path, data=fields, **where).status_code == 200


def left(world: World) -> int:
    return int(world.rows(select(func.count()).where(Message.kind == "confirm", Message.state == "accepted"))[0])


def a_day_ago() -> None:
    """As if all that was sent, or waits, had been so a day earlier."""
    then = datetime.now(UTC) - 25 * HOUR
    with transaction() as session:
        session.execute(update(Message).values(due_at=then))
        session.execute(update(Message).where(Message.settled_at.is_not(None)).values(settled_at=then))


@few
def test_one_visitor_has_so_many_sent_a_day_and_the_rest_waits_its_turn(either_world: World) -> None:
    world = either_world
    world.publish(milestones=())
    for number in range(12):
        sign_from(world, "203.0.113.7", f"victim{number}@p{number}.example")
    sign_from(world, "203.0.113.8", "somebody@p.example")
    world.work()
    assert left(world) == 5 + 1
    with transaction() as session:  # their hour is over
        session.execute(update(Message).where(Message.state == "queued").values(due_at=datetime.now(UTC) - HOUR / 2))
    world.sweep()
    world.work()
    assert left(world) == 5 + 1
    a_day_ago()
    world.sweep()
    world.work()
    assert left(world) == 10 + 1


@few
def test_letters_that_are_answered_do_not_count(world: World) -> None:
    """A meeting signs from one connection."""
    world.publish(milestones=())
    for number in range(12):
        sign_from(world, "203.0.113.7", f"member{number}@p{number}.example")
        world.work()
        world.confirm(f"member{number}@p{number}.example")
    assert left(world) == 12


@few
def test_one_mail_server_has_so_many_sent_a_day(world: World) -> None:
    world.publish(milestones=())
    for number in range(8):
        to = f"updates-subscribe@{DOMAIN}"
        hop = b"Received: from x (x [203.0.113.9]) by mx; x\r\n"
        receive(world, hop + letter(f"victim{number}@p{number}.example", to), to, f"x@p{number}.example", work=False)
    world.work()
    assert left(world) == 5


@few
def test_the_mark_of_who_asked_is_gone_after_two_days(either_world: World) -> None:
    world = either_world
    world.publish(milestones=())
    sign_from(world, "203.0.113.7", "ann@example.org")
    world.work()
    [mark] = world.rows(select(Message.asked_by))
    assert mark
    assert "203" not in mark
    with transaction() as session:
        assert retention.run(session, datetime.now(UTC) + timedelta(days=1))["marks of who asked"] == 0
    with transaction() as session:
        assert retention.run(session, datetime.now(UTC) + timedelta(days=3))["marks of who asked"] == 1
    assert world.rows(select(Message.asked_by)) == [None]
    assert world.rows(select(WaitingForm)) == []


def test_where_nobody_answers_all_wait_for_an_hour_but_those_of_known_places(either_world: World) -> None:
    world = either_world
    world.publish(milestones=())
    world.add_organisers()
    now = datetime.now(UTC)
    with transaction() as session:
        for host, confirmed in (("others", 300), ("signers.example", 20)):
            session.add(Day(day=now.date(), what="signatures", domain=host, requested=3_000, confirmed=confirmed))
    sign_from(world, "203.0.113.7", "ann@signers.example")
    sign_from(world, "203.0.113.8", "ben@rare.example")
    world.work()
    assert left(world) == 1
    page = world.get("/organise", world.sign_in(OLIVE)).text
    assert "5,680 letters of these four days" in page
    world.sweep(now + 2 * HOUR)
    assert world.rows(select(Message.due_at).where(Message.state == "queued"))[0] <= now + 2 * HOUR
    with transaction() as session:
        session.execute(update(Message).where(Message.state == "queued").values(due_at=now))
    world.work()
    world.sweep()
    world.work()
    assert left(world) == 2  # it waited once


def test_a_campaign_that_is_answered_waits_for_nothing(world: World) -> None:
    world.publish()
    now = datetime.now(UTC)
    with transaction() as session:
        session.add(Day(day=now.date(), what="signatures", domain="others", requested=90_000, confirmed=20_000))
    with reading() as session:
        assert domain_breakers.nobody_answers(session, now) == 0
