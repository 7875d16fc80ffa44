"""What needs an organiser, in a real browser: read, tried again and stopped by its buttons, wide and on a phone."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from service.core.db import transaction
from service.models import Serving
from service.notices import publishing
from service.servings import serving_lifecycle
from tests.support import crowd, studio
from tests.support.broken_tables import refusing
from tests.support.browser import LOOKS, Visitor
from tests.support.people import ANN, OLIVE, SLUG
from tests.support.problem_list import everything_wrong, try_once_more


def order(visitor: Visitor) -> None:
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC))
    visitor.world.work("notices")


TOLD = (
    "could not be made; no letter of it has left", "Import 1 does not go on", "members of the harbour branch.csv",
    "Message 1 that came in was not acted on and lies in quarantine", "What happens next: Update 1 does not go on",
    "421 4.7.28 …@… is written to too often", "The report of update 1 could not be counted",
    "The clock cannot do one of its duties", "Letters have waited since",
)  # fmt: skip


@pytest.mark.parametrize("looks", LOOKS, ids=str)
def test_what_is_wrong_is_read_tried_again_and_stopped(visitor: Visitor) -> None:
    world = visitor.world
    world.publish(milestones=(100,))
    world.add_organisers()
    crowd.sign(range(3))
    studio.sign_in(visitor, OLIVE)
    with refusing("INSERT ON enclosures"):
        order(visitor)
        try_once_more(world)
        world.sign(ANN)
        everything_wrong()
        visitor.open("/organise")
        for told in TOLD:
            assert visitor.says(told), told
        if folder := os.environ.get("PICTURES_OF_PROBLEMS"):
            size = visitor.page.viewport_size
            visitor.page.screenshot(path=f"{folder}/dashboard-{size['width'] if size else 0}.png", full_page=True)
        with visitor.page.expect_navigation():
            visitor.page.get_by_role("button", name="Stop this serving").click()
        visitor.look()
        assert not visitor.says("no letter of it has left")
        assert world.rows(select(Serving.state)) == ["stopped"]
        order(visitor)
        try_once_more(world)
    visitor.open("/organise/servings/2")
    assert visitor.says("could not be made; no letter of it has left")
    with visitor.page.expect_navigation():
        visitor.page.get_by_role("button", name="Try again now").click()
    world.work("notices")
    assert world.rows(select(Serving.state)) == ["stopped", "written"]
    visitor.open("/organise/servings/1")
    assert visitor.says("It was stopped by organiser 1")
