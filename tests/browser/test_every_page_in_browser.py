"""Every page of the studio in a real browser, on a phone: empty, filled, and with errors; axe finds nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.core.db import transaction
from service.models import Brake, Complaint, Hold, Official, ReplyPattern, Suppression
from tests.stories.organisers.test_guards import routes
from tests.support import studio
from tests.support.browser import NARROW, Look, Visitor
from tests.support.people import ANN, BEN, OLIVE
from tests.support.world import World

FORMS = {
    "/organise/updates/new": "Save and preview",
    "/organise/people": "Search",
    "/organise/imports": "Send the file",
    "/organise/organisers": "Save",
    "/organise/officials": "Propose it",
    "/organise/account": "Set the password",
    "/organise/account/second-factor": "Go on",
    "/organise/account/second-factor/new": "Set it up",
}
"""Pages whose form is sent as it stands, and refused."""
NO_PAGES = {"updates.preview", "writing.count", "inbox.message"}
"""A letter for a frame, a region for a page, a file: the stories in which they stand look at them."""


def pages(world: World) -> list[tuple[str, str]]:
    return [(line, path) for line, method, path in routes(world) if method == "GET" and line not in NO_PAGES]


@pytest.mark.parametrize("looks", [Look(NARROW, True)], ids=str)
def test_every_page_is_for_everybody_empty_filled_and_with_errors(visitor: Visitor) -> None:
    world = visitor.world
    world.add_organisers()
    studio.sign_in(visitor, OLIVE)
    for line, path in pages(world):
        response = visitor.page.goto(world.settings.base_url + path)
        assert response is not None
        assert response.status in {200, 404}, line
        visitor.look()
    filled(visitor)
    for _, path in pages(world):
        visitor.open(path)
    for path, button in FORMS.items():
        visitor.open(path)
        visitor.press(button)
        assert visitor.says("There is a problem") or visitor.says("There are problems"), path


def came_back() -> None:
    """Two causes that a brake holds, and one for which somebody was suppressed."""
    now = datetime.now(UTC)
    with transaction() as session:
        brake = Brake(scope="domain", subject="mail.example", state="open", hard=12, settled=60, pulled_at=now)
        causes = [
            ReplyPattern(key=str(one), reason="no such user", status="5.1.1", example="550 5.1.1 unknown", first_at=now)
            for one in range(3)
        ]
        session.add_all([brake, *causes])
        session.flush()
        held = {"brake_id": brake.id, "cause": "hard", "domain": "mail.example", "at": now}
        session.add_all(Hold(hash=str(one), pattern_id=causes[one].id, **held) for one in range(2))
        session.add(Suppression(hash="s", cause="hard", reason="bounced", at=now, pattern_id=causes[2].id))


def a_complaint() -> None:
    now = datetime.now(UTC)
    with transaction() as session:
        session.add(Complaint(reference="C-1", name="Ben", email="ben@example.org", text="Why?", state="open", received_at=now,
                              due_at=now + timedelta(days=30)))  # fmt: skip


def failed_official() -> None:
    """With another address, which two organisers may let letters go to."""
    with transaction() as session:
        official = session.get_one(Official, 1)
        official.bounced_at, official.bounced_because = datetime.now(UTC), "550 5.1.1 unknown"
        official.fallback_email = "other@nec.example"


def filled(visitor: Visitor) -> None:
    """A notice that was served, a subscriber, an update with its version, a file whose columns wait to be told apart."""
    world = visitor.world
    world.publish(milestones=(1,))
    world.subscribe(ANN)
    world.confirm(ANN["email"])
    world.sign(BEN)
    world.confirm(BEN["email"])
    world.sweep()
    world.work()
    came_back()
    a_complaint()
    failed_official()
    visitor.open("/organise")
    studio.write(visitor, "Hello", "Dear {name|friend},\n\nwe go on.")
    visitor.open("/organise/imports")
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": b"email,name\nben@example.org,Ben\n"}
    visitor.page.get_by_label("File").set_input_files(file)  # type: ignore[arg-type]
    visitor.page.get_by_label("Where and when").fill("paper forms, 2026")
    visitor.press("Send the file")
    assert visitor.says("Which column is which?")
