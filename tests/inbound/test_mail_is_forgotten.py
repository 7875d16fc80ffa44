"""What people wrote to us is forgotten: in its time, and with whoever is erased."""

from __future__ import annotations

import pytest

from tests.inbound.post import DOMAIN, letter, receive
from tests.inbound.test_bounces import back, readers
from tests.stories.people.test_retention import forget, holding
from tests.support.people import ANN
from tests.support.world import World

pytestmark = pytest.mark.settings(APPROVALS="0")


def test_what_came_in_is_forgotten_in_its_time(world: World) -> None:
    (message,) = readers(world)
    back(world, message, "5.1.1", "550 5.1.1 user unknown")
    left = {days: forget(days) for days in (29, 31, 89, 91, 364, 366)}
    found = [[name for name in ("bytes that came in", "mail that came in", "bounces") if name in one] for one in left.values()]
    assert found == [[], ["bytes that came in"], [], ["mail that came in"], [], ["bounces"]]


def test_an_erasure_takes_what_came_in_with_it(world: World) -> None:
    world.publish()
    world.sign(ANN)
    world.confirm(ANN["email"])
    to = f"notices@{DOMAIN}"
    receive(world, letter(ANN["email"], to, "Re: The first week", "I agree with you."), to, ANN["email"])
    assert "arrivals" in holding(ANN["email"])
    manage = world.manage(ANN["email"])
    assert "I agree with you." in world.post(manage, {"act": "export"}).get_data(as_text=True)
    world.post(manage, {"act": "erase", "sure": "yes"})
    assert holding(ANN["email"]) == set()
    assert holding("I agree with you.") == set()
