"""The link of a receipt takes back what the receipt is about, for ever and by a button, and shows nothing of what we hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select

from service.core.db import transaction
from service.models import Message, RequestItem, Signature, Subscription
from tests.support.people import ANN, BEN
from tests.support.world import World
from workers import clock

DAY = timedelta(days=1)


def receipt_link(world: World) -> str:
    world.publish(milestones=(100,))
    world.sign(ANN)
    world.confirm(ANN["email"])
    return world.link(world.letter(ANN["email"], "Your signature counts"), "manage")


def test_years_later_a_receipt_still_withdraws(either_world: World) -> None:
    world = either_world
    path = receipt_link(world)
    for days in (40, 400, 800):
        with transaction() as session:
            clock.forget(session, datetime.now(UTC) + days * DAY)
    world.get(path)  # a scanner opens it
    assert world.count() == 1
    assert "Your signature is withdrawn" in world.post(path, {"act": "withdraw", "id": "1"}).text
    assert "That is so already" in world.post(path, {"act": "withdraw", "id": "1"}).text
    assert world.count() == 0


@pytest.mark.settings(LIMIT_GAP_MINUTES="0")
def test_the_link_to_a_welcome_leaves_the_list_and_no_other(world: World) -> None:
    world.publish(milestones=(100,))
    world.sign(BEN)
    world.confirm(BEN["email"])
    world.subscribe(BEN)
    world.confirm(BEN["email"])
    path = world.link(world.letter(BEN["email"], "You will get our updates"), "manage")
    assert "Open the books" not in world.get(path).text  # it is about the list alone
    world.post(path, {"act": "withdraw", "id": "1"})
    assert world.count() == 1
    assert "You have left the list" in world.post(path, {"act": "leave", "id": "1"}).text
    assert world.rows(select(Subscription.state)) == ["left"]


@pytest.mark.parametrize(
    "form",
    [{"act": "export"}, {"act": "erase", "sure": "yes"}, {"act": "display", "id": "1", "display": "count"},
     {"act": "receipt", "id": "1"}, {"act": "fresh link"}, {}],
)  # fmt: skip
def test_whoever_is_forwarded_a_receipt_sees_and_changes_nothing(world: World, form: dict[str, str]) -> None:
    path = receipt_link(world)
    page = world.get(path).text
    answer = world.post(path, form).text
    for shown in (page, answer):
        assert ANN["name"] not in shown
        assert ANN["email"] not in shown
        assert "Harbour" not in shown.split("<main")[1].split("</main>")[0]
    assert "Look in your mailbox" in answer
    assert world.rows(select(Signature.display)) == ["public"]
    assert world.rows(select(Message.email).where(Message.kind == "manage_link")) == [ANN["email"]]


def test_a_receipt_of_an_earlier_version_withdraws_too(world: World) -> None:
    path = receipt_link(world)
    with transaction() as session:
        session.execute(delete(RequestItem))  # it named no rows then
    assert "Signature number 1 counts" in world.get(path).text
    world.post(path, {"act": "withdraw", "id": "1"})
    assert world.count() == 0
