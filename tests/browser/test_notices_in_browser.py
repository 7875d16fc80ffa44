"""Serving with proof in a real browser: the official's pages, the check, the organisers' notices; axe finds nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from service.core.db import transaction
from service.models import Message, Notice, Official, Proposal
from service.notices import publishing, source_file
from tests.support import crowd, studio
from tests.support.browser import NARROW, WIDE, Look, Visitor
from tests.support.people import NOTICE, OLIVE, PETRA, SLUG
from tests.support.world import World, text_of

narrow = pytest.mark.parametrize("looks", [Look(NARROW, True)], ids=str)
wide = pytest.mark.parametrize("looks", [Look(WIDE, True)], ids=str)
PAGE = f"/organise/notices/{SLUG}"


def served(world: World) -> None:
    world.publish(milestones=(1,))
    crowd.sign(range(1))
    world.work("notices")


def sign_in(visitor: Visitor, who: str) -> None:
    visitor.page.context.clear_cookies()
    studio.sign_in(visitor, who)


@narrow
def test_an_official_acknowledges_and_asks_for_no_more(visitor: Visitor) -> None:
    served(visitor.world)
    letter = visitor.world.letter("chair@nec.example")
    visitor.open(visitor.world.link(letter, "acknowledge"))
    visitor.press("The letter has arrived")
    assert visitor.says("Acknowledged. Thank you.")
    visitor.follow("The register of deliveries")
    assert visitor.says("Acknowledged")
    visitor.open(visitor.world.link(letter, "objection"))
    visitor.press("Send nothing more")
    assert visitor.says("You get nothing more")
    assert sum(one is not None for one in visitor.world.rows(select(Official.objected_at))) == 1


@narrow
def test_a_stranger_checks_a_letter_on_the_page(visitor: Visitor, tmp_path: Path) -> None:
    served(visitor.world)
    letter = tmp_path / "letter.eml"
    letter.write_bytes(visitor.world.letter("chair@nec.example").as_bytes())
    other = tmp_path / "other.eml"
    other.write_bytes(letter.read_bytes().replace(b"accounts be published", b"accounts be forgotten"))
    visitor.open("/verify")
    visitor.press("Check")
    assert visitor.says("Choose at least one file.")
    for file, said in ((letter, "Everything that could be checked holds."), (other, "We could not confirm this.")):
        visitor.page.get_by_label("Files").set_input_files(file)
        visitor.press("Check")
        assert visitor.says(said)
    assert "/verify" in text_of(visitor.world.letter("chair@nec.example"))


@wide
def test_two_organisers_repair_an_address_and_look_at_the_evidence(visitor: Visitor) -> None:
    page, world = visitor.page, visitor.world
    served(world)
    world.add_organisers()
    with transaction() as session:
        old = datetime.now(UTC) - timedelta(days=300)
        values = {"bounced_at": old, "bounced_because": "550 5.1.1 unknown", "verified_on": old.date()}
        session.execute(update(Official).where(Official.office == "General Secretary").values(**values))
        session.execute(update(Message).where(Message.kind == "serving").values(state="unsure"))
    sign_in(visitor, OLIVE)
    visitor.follow("Officials")
    assert visitor.says("A letter did not arrive")
    visitor.follow("Change")
    page.get_by_label("E-mail").fill("new@nec.example")
    page.get_by_label("Verified on").fill("tomorrow")
    visitor.press("Propose it")
    assert visitor.says("Write verified_on like")
    page.get_by_label("Verified on").fill("2026-11-20")
    visitor.press("Propose it")
    assert visitor.says("Another organiser must approve it.")
    sign_in(visitor, PETRA)
    visitor.follow("Notices")
    visitor.press("Approve")
    assert visitor.says("new@nec.example")
    assert world.rows(select(Proposal.state)) == ["approved"]
    visitor.open(PAGE)
    visitor.follow(f"{datetime.now(UTC).day} ")
    for summary in page.locator("summary").all():
        summary.click()
    visitor.look()
    with page.expect_navigation():
        page.get_by_role("button", name="It arrived").first.click()
    assert page.get_by_role("button", name="It arrived").count() == 1


@narrow
def test_a_notice_from_rehearsal_to_a_new_edition(visitor: Visitor) -> None:
    page, world = visitor.page, visitor.world
    with transaction() as session:
        publishing.take_in(session, source_file.read_file(NOTICE), datetime.now(UTC))
    world.add_organisers()
    sign_in(visitor, PETRA)
    visitor.open(PAGE)
    visitor.press("Rehearse")
    visitor.press("Propose to go live")
    sign_in(visitor, OLIVE)
    visitor.open("/organise/notices")
    visitor.press("Approve")
    assert world.rows(select(Notice.state)) == ["live"]
    with transaction() as session:
        publishing.take_in(session, source_file.read_file(NOTICE.replace("every month", "every week")), datetime.now(UTC))
        publishing.publish(session, SLUG, datetime.now(UTC))
    visitor.open(PAGE)
    page.locator("summary").first.click()
    visitor.look()
    page.get_by_label("Milestones").fill("5, many")
    visitor.press("Propose this schedule")
    assert visitor.says("There is a problem")
    page.get_by_label("Met on").first.fill("2026-11-20")
    visitor.page.get_by_role("button", name="Mark as met").first.click()
    page.get_by_text("Met on 20 November 2026").first.wait_for()
    visitor.look()
