"""Fraud is seen as groups of signatures, makes a milestone wait for a look, and is struck out by two organisers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from service.core.db import reading, transaction
from service.emails import links
from service.models import Edition, Proposal, Request, Serving, Signature
from service.people.retention_rules import RULES
from service.rate_limits import visitors
from service.servings import signature_groups
from tests.support.asking import sign_at
from tests.support.people import OLIVE, PETRA, SLUG
from tests.support.world import World
from workers import clock

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def signed_from(world: World, address: str, host: str, count: int, first: int = 0) -> None:
    """So many people sign at this domain, and confirm at one connection."""
    for number in range(first, first + count):
        name = f"Member {LETTERS[number // 26]}{LETTERS[number % 26].lower()}"
        person = {"name": name, "email": f"p{number}@{host}"}
        sign_at(person, datetime.now(UTC))
        key = world.rows(select(Request.key).order_by(Request.id.desc()))[0]
        confirm(world, key, address)


def confirm(world: World, key: str, address: str) -> int:
    where: dict[str, Any] = {"environ_base": {"REMOTE_ADDR": address}}
    page = world.client.get(f"/confirm/{links.sign('confirm', key)}", **where).text
    token = page.split('name="csrf_token" value="')[1].split('"')[0] if "csrf_token" in page else ""
    return world.client.post(f"/confirm/{links.sign('confirm', key)}", data={"csrf_token": token}, **where).status_code


def groups_of(world: World) -> dict[tuple[str, str], tuple[int, int]]:
    with reading() as session:
        edition = session.scalars(select(Edition)).one()
        return {(group.kind, group.value): (group.size, group.share) for group in signature_groups.find(session, edition)}


@pytest.mark.settings(GROUP_SIZE="5")
def test_one_person_with_a_domain_of_their_own_is_seen(world: World) -> None:
    """The attack: addresses at one catch-all domain, confirmed from one connection; beside it, a crowd of members."""
    world.publish(milestones=(1000,))
    signed_from(world, "203.0.113.7", "catchall.example", 6)
    for number in range(6, 18):
        signed_from(world, f"198.51.100.{number}", "gmail.com", 1, number)
    found = groups_of(world)
    assert found[("domain", "catchall.example")] == (6, 33)
    visitor = visitors.mark("203.0.113.7")
    assert visitor is not None
    assert found[("visitor", visitor)] == (6, 33)
    assert {kind for kind, _ in found} <= {"domain", "visitor"}  # gmail.com is everybody's
    world.add_organisers()
    page = world.get("/organise", world.sign_in(OLIVE)).text
    assert "from the domain catchall.example: 33 % of the newest" in page
    assert "203.0.113.7" not in page
    assert visitor not in page.split("<details>")[0]


@pytest.mark.settings(GROUP_SIZE="5")
def test_a_milestone_that_a_group_reached_waits_for_a_look_and_a_crowds_does_not(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(6,))
    world.add_organisers()
    signed_from(world, "203.0.113.7", "catchall.example", 6)
    world.sweep()
    world.work()
    assert world.rows(select(Serving.state)) == ["due"]
    assert world.letters("secretary@nec.example") == []
    petra = world.sign_in(PETRA)
    assert "waits until an organiser has looked" in world.get("/organise", petra).text
    assert world.post("/organise/servings/1/looked-at", {}, petra, "/organise").status_code == 303
    world.work()
    assert world.rows(select(Serving.state)) == ["written"]
    assert len(world.letters("secretary@nec.example")) == 1


@pytest.mark.settings(GROUP_SIZE="5")
def test_a_crowd_reaches_its_milestone_by_itself(world: World) -> None:
    world.publish(milestones=(12,))
    for number in range(12):
        signed_from(world, f"198.51.100.{number}", f"d{number % 4}.example", 1, number)
    world.sweep()
    world.work()
    assert world.rows(select(Serving.state)) == ["written"]


@pytest.mark.settings(GROUP_SIZE="5")
def test_a_whole_group_is_struck_out_by_two(world: World) -> None:
    world.publish(milestones=(1000,))
    world.add_organisers()
    signed_from(world, "203.0.113.7", "catchall.example", 6)
    signed_from(world, "198.51.100.1", "gmail.com", 1, 7)
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    group = {"kind": "domain", "value": "catchall.example", "reason": "one person"}
    assert world.post(f"/organise/notices/{SLUG}/groups", group | {"reason": ""}, olive, "/organise").status_code == 409
    assert world.post(f"/organise/notices/{SLUG}/groups", group, petra, "/organise").status_code == 403
    assert world.post(f"/organise/notices/{SLUG}/groups", group, olive, "/organise").status_code == 303
    assert world.count() == 7
    [number] = world.rows(select(Proposal.id).where(Proposal.state == "open"))
    assert world.post(f"/organise/proposals/{number}", {"act": "approve"}, petra, "/organise/notices").status_code == 303
    assert world.count() == 1
    assert groups_of(world) == {}


@pytest.mark.settings(LIMIT_CONFIRM="3 per minute")
def test_confirmations_of_one_visitor_have_a_ceiling(world: World) -> None:
    world.publish(milestones=())
    signed_from(world, "203.0.113.7", "gmail.com", 5)
    assert world.count() == 3


def test_a_mark_tells_visitors_apart_and_nothing_else(world: World) -> None:
    assert visitors.mark("203.0.113.7") == visitors.mark("::ffff:203.0.113.7") != visitors.mark("203.0.113.8")
    assert visitors.mark("2001:db8::1") == visitors.mark("2001:db8::2:3") != visitors.mark("2001:db8:0:1::1")
    assert visitors.mark("127.0.0.1") is visitors.mark("no address") is visitors.mark("::1") is None
    assert "203" not in (visitors.mark("203.0.113.7") or "")


def test_marks_are_forgotten_after_thirty_days_as_the_privacy_page_says(world: World) -> None:
    world.publish(milestones=())
    signed_from(world, "203.0.113.7", "gmail.com", 2)
    with transaction() as session:
        session.execute(update(Signature).where(Signature.id == 1).values(confirmed_at=datetime.now(UTC) - timedelta(days=31)))
    with transaction() as session:
        clock.forget(session, datetime.now(UTC))
    assert world.rows(select(func.count()).where(Signature.visitor.is_not(None))) == [1]
    assert "mark of the visitor who confirmed" in RULES["signatures"]
    assert "mark of the visitor who confirmed" in world.get("/privacy").text
