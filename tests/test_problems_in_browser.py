"""What needs an organiser, in a real browser: read, tried again and stopped by its buttons, wide and on a phone."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from service import deliveries, notices
from service.db import transaction
from service.models import Arrival, Failure, Import, Mailing, Message, Serving
from tests import crowd, studio
from tests.broken_tables import refusing
from tests.browser import LOOKS, Visitor, chromium, looks, site, visitor
from tests.people import ANN, OLIVE, SLUG
from tests.problem_list import try_once_more

NOW = datetime.now(UTC)


def order(visitor: Visitor) -> None:
    with transaction() as session:
        notice = notices.find(session, SLUG)
        assert notice.edition is not None
        deliveries.order(session, notice, notice.edition, datetime.now(UTC))
    visitor.world.work("notices")


FAILED = (
    ("read_import", "files", "OSError at intake.py:31"), ("take_in", "program", "KeyError at act.py:77"),
    ("shift", "relay", "our mail server cannot be used: the server takes no connections"),
    ("report", "time", "TimeoutError at reports.py:60"),
)  # fmt: skip
TOLD = (
    "could not be made; no letter of it has left", "Import 1 does not go on", "members of the harbour branch.csv",
    "Message 1 that came in was not acted on and lies in quarantine", "What happens next: Update 1 does not go on",
    "421 4.7.28 …@… is written to too often", "The report of update 1 could not be counted",
    "The clock cannot do one of its duties", "Letters have waited since",
)  # fmt: skip


def everything_wrong() -> None:
    """A row of each kind that has no story of its own here."""
    ago, quarantine = NOW - timedelta(hours=2), {"state": "quarantined", "folder": "quarantine"}
    with transaction() as session:
        for job, kind, place in FAILED:
            session.add(Failure(job=job, row_id=1, count=7, kind=kind, place=place, first_at=ago, last_at=NOW))
        session.add(Failure(job="count_days", row_id=0, count=3, kind="database", place="OperationalError at days.py:50",
                            first_at=ago, last_at=NOW))  # fmt: skip
        session.add(Import(list_id=1, organiser_id=1, state="judging", filename="members of the harbour branch.csv",
                           source="paper forms", columns={}, created_at=NOW))  # fmt: skip
        session.add(Arrival(source="lmtp", recipient="x", due_at=NOW, received_at=NOW, **quarantine))
        session.add(Mailing(slug="a", list_id=1, subject="What happens next", body="b", state="sending", created_at=NOW))
        session.add(Mailing(slug="b", list_id=1, subject="Stuck", body="b", state="paused", created_at=NOW,
                            paused_because="421 4.7.28 <ann@example.org> is written to too often"))  # fmt: skip
        session.execute(update(Message).where(Message.kind == "confirm").values(due_at=ago, created_at=ago))


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


__all__ = ["chromium", "looks", "site", "visitor"]
