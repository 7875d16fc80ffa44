"""Confirming: nothing happens by looking, nothing without a page's token, and nobody's mailbox is flooded."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from service.core.db import transaction
from service.models import Base, Signature, Subscription
from tests.support.people import ANN, BEN, CHI, OLIVE, SLUG
from tests.support.world import World, text_of

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def everything(world: World) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with transaction() as session:
        return {name: [tuple(row) for row in session.execute(select(table))] for name, table in Base.metadata.tables.items()}


def all_links(world: World) -> set[str]:
    found: set[str] = set()
    for letter in world.letters():
        found |= set(re.findall(rf"{re.escape(world.settings.base_url)}(/\S+)", text_of(letter)))
    return found


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_following_every_link_of_every_letter_changes_nothing(world: World, method: str) -> None:
    world.publish(milestones=(1,))
    world.add_organisers()
    world.sign(ANN, updates="yes")
    world.confirm(ANN["email"])
    world.sign(BEN, updates="yes")
    world.post("/manage", {"email": CHI["email"]})
    world.post("/organise/sign-in", {"email": OLIVE})
    world.work()
    paths, before = all_links(world), everything(world)
    assert {path.split("/")[1] for path in paths} >= {"confirm", "manage", "unsubscribe", "organise", "notices"}
    for path in paths:
        assert world.browser().open(path, method=method).status_code in {200, 410}, path  # 410: one was pressed before
    assert everything(world) == before


def test_no_page_of_a_link_sends_itself(world: World) -> None:
    world.publish()
    world.sign(ANN)
    world.work()
    page = world.get(world.link(world.letter(ANN["email"], "confirm"), "confirm")).get_data(as_text=True)
    assert "<script" not in page
    assert "http-equiv" not in page
    assert "autofocus" not in page


def test_every_post_but_one_click_wants_the_token_of_its_page(world: World) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    before, seen = everything(world), 0
    for rule in world.app.url_map.iter_rules():
        if "POST" not in (rule.methods or set()) or rule.endpoint.startswith(("unsubscribe.", "hooks.")):
            continue
        path = re.sub(r"<(int:)?number>", "1", rule.rule).replace("<slug>", SLUG)
        path = re.sub(r"<\w+>", "x", re.sub(r"<any\((\w+)[^>]*>", r"\1", path))
        for data in ({}, {"csrf_token": "made-up"}):
            assert olive.post(path, data=data).status_code == 400, path
        seen += 1
    assert seen >= 12
    assert everything(world) == before


def test_the_token_of_another_browser_is_refused(world: World) -> None:
    page = world.get("/manage").get_data(as_text=True)
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    assert world.browser().post("/manage", data={"csrf_token": token, "email": ANN["email"]}).status_code == 400


def test_one_letter_confirms_all_of_one_form(world: World) -> None:
    world.publish(milestones=())
    world.sign(ANN, updates="yes")
    world.work()
    assert len(world.letters(ANN["email"])) == 1
    world.confirm(ANN["email"])
    assert world.rows(select(Signature.state)) == world.rows(select(Subscription.state)) == ["confirmed"]


def test_a_later_form_does_not_change_what_an_earlier_link_confirms(world: World) -> None:
    """A stranger who knows the name and the address sends another form; the letter in the mailbox stays what it was."""
    world.publish(milestones=())
    world.sign(ANN, clp="Harbour", display="count")
    world.work()
    link = world.link(world.letter(ANN["email"], "confirm"), "confirm")
    world.sign(ANN | {"name": "ANN ASHWORTH"}, clp="Strangers", display="public", updates="yes")
    assert "Harbour" in world.get(link).get_data(as_text=True)
    world.post(link)
    row: Signature = world.rows(select(Signature))[0]
    assert (row.name, row.clp, row.display, row.state) == (ANN["name"], "Harbour", "count", "confirmed")
    assert world.rows(select(Subscription.state)) == ["pending"]
