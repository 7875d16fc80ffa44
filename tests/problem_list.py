"""The list of what is wrong, as /readyz tells it and as its buttons are pressed."""

from __future__ import annotations

from flask.testing import FlaskClient

from tests.world import World


def ready(world: World) -> dict[str, str]:
    return dict(world.get("/readyz").get_json())


def press(world: World, act: str, key: str, browser: FlaskClient) -> int:
    return world.post("/organise/problems", {"act": act, "key": key}, browser, page="/organise").status_code


def try_once_more(world: World, times: int = 1) -> None:
    """The clock rings, and the workers try."""
    for _ in range(times):
        world.sweep()
        world.work()
