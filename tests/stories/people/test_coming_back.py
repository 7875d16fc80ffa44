"""Somebody who was erased learns how to come back."""

from __future__ import annotations

from service.emails.links import again_address
from tests.support.people import ANN
from tests.support.world import World


def test_erasing_says_how_to_come_back(world: World) -> None:
    world.publish()
    world.sign(ANN)
    world.confirm(ANN["email"])
    manage = world.manage(ANN["email"])
    assert again_address() in world.post(manage, {"act": "erase", "sure": "yes"}).get_data(as_text=True)
