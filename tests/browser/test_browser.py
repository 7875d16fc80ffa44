"""The three stories in a real browser: wide and narrow, with scripts and without; axe finds nothing."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from service.core.db import transaction
from service.models import Subscription
from tests.support.browser import LOOKS, NARROW, WIDE, Look, Visitor
from tests.support.people import ANN, BEN, OLIVE, SLUG
from tests.support.world import World, text_of

everywhere = pytest.mark.parametrize("looks", LOOKS, ids=str)
scripts_on_or_off = pytest.mark.parametrize("looks", [Look(NARROW, True), Look(WIDE, False)], ids=str)
wide_or_narrow = pytest.mark.parametrize("looks", [Look(WIDE, True), Look(NARROW, True)], ids=str)


def whole_link(world: World, letter_to: str, subject: str, path: str) -> str:
    return world.link(world.letters(letter_to, subject)[-1], path)


@everywhere
def test_somebody_signs_confirms_and_withdraws(visitor: Visitor) -> None:
    page, world = visitor.page, visitor.world
    world.publish(milestones=(100,))
    visitor.open("/")
    visitor.follow("Sign this notice")
    page.get_by_label("Name", exact=True).fill(ANN["name"])
    page.get_by_label("E-mail", exact=True).fill(ANN["email"])
    page.get_by_label("Local party").fill("Harbour")
    page.get_by_label("Office held").select_option("chair")
    page.get_by_label("officials and on the public list").check()
    assert not page.get_by_label("I agree").is_checked()
    assert not page.get_by_label("updates").is_checked()
    page.get_by_label("I agree").check()
    page.get_by_label("updates").check()
    visitor.press("Sign")
    assert visitor.says("Look in your mailbox")
    world.work()
    visitor.open(whole_link(world, ANN["email"], "confirm", "confirm"))
    assert world.count() == 0
    visitor.press("Confirm")
    assert visitor.says("You are number 1 to sign")
    visitor.open(whole_link(world, ANN["email"], "confirm", "confirm"), 410)
    world.work()
    visitor.open(f"/notices/{SLUG}")
    assert visitor.says(f"{ANN['name']}, Harbour")
    visitor.follow("All public names")
    assert visitor.says("Harbour chair")
    receipt = whole_link(world, ANN["email"], "Your signature counts", "manage")
    visitor.open(receipt)
    assert not visitor.says(ANN["email"])
    manage = world.manage(ANN["email"])
    visitor.open(manage)
    for summary in page.locator("summary").all():
        summary.click()
    visitor.look()
    page.get_by_label("Count me").check()
    visitor.press("Save")
    assert page.get_by_role("status").inner_text().startswith("Saved")
    visitor.open(f"/notices/{SLUG}/signatures")
    assert visitor.says("No public names yet.")
    visitor.open(manage)
    visitor.press("Withdraw my signature")
    assert world.count() == 0
    page.get_by_label("cannot be undone").check()
    visitor.press("Erase everything")
    assert visitor.says("Everything is erased")


@wide_or_narrow
def test_the_register_shows_what_was_served(visitor: Visitor) -> None:
    world = visitor.world
    world.publish(milestones=(1, 2))
    visitor.open(f"/notices/{SLUG}/deliveries")
    assert visitor.says("It has not been served yet.")
    world.sign(ANN)
    world.confirm(ANN["email"])
    world.sweep()
    world.work()
    with transaction() as session:
        session.execute(text("UPDATE messages SET state = 'refused', reply_text = 'no such user' WHERE email LIKE 'chair@%'"))
    visitor.open("/")
    visitor.follow("The register of deliveries")
    assert visitor.says("1 signature")
    cells = visitor.page.get_by_role("row").filter(has_text="General Secretary").get_by_role("cell")
    assert cells.nth(1).inner_text() == "Accepted by our mail relay"
    assert "250" in cells.nth(3).inner_text()
    assert visitor.page.get_by_role("row").filter(has_text="Refused").count() == 1


@pytest.mark.settings(APPROVALS="0", SECOND_FACTOR="off")
@scripts_on_or_off
def test_an_organiser_writes_an_update_and_watches_it_go(visitor: Visitor) -> None:
    page, world = visitor.page, visitor.world
    world.publish()
    world.add_organisers()
    world.subscribe(BEN)
    world.confirm(BEN["email"])
    visitor.open("/organise/sign-in")
    visitor.press("Send me the link")
    assert visitor.says("There is a problem")
    page.get_by_label("E-mail").fill(OLIVE)
    visitor.press("Send me the link")
    world.work()
    visitor.open(whole_link(world, OLIVE, "sign-in", "organise/sign-in"))
    visitor.press("Sign in")
    assert visitor.says("What needs you now")
    visitor.follow("Write an update")
    visitor.press("Save and preview")
    assert visitor.says("There are problems")
    page.get_by_label("Subject").fill("The first week")
    page.get_by_label("Text").fill("Dear {name|friend},\n\nwe are **many**:\n\n- here\n- there\n\n> Indeed.")
    visitor.press("Save and preview")
    assert visitor.says("It would go to 1 person")
    visitor.press("Send a test to me")
    assert page.get_by_role("status").inner_text().startswith("A test is on its way")
    visitor.press("Send to 1 person")
    assert visitor.says("State: approved")
    world.work()
    if visitor.scripts:
        page.get_by_text("State: sent").wait_for()  # the page sees it by itself
    else:
        page.reload()
    visitor.look()
    assert visitor.says("1 of 1 settled; 1 accepted.")
    assert "Dear friend," in text_of(world.letter(OLIVE, "[Test] The first week"))
    assert f"Dear {BEN['name']}," in text_of(world.letter(BEN["email"], "The first week"))
    visitor.follow("See it on the web")
    assert visitor.says("Dear friend")
    visitor.open("/news")
    visitor.follow("The first week")
    visitor.open("/organise")
    visitor.press("Sign out")
    assert page.url.endswith("/organise/sign-in")


@scripts_on_or_off
def test_somebody_subscribes_and_leaves(visitor: Visitor) -> None:
    page, world = visitor.page, visitor.world
    world.publish()
    visitor.open("/news")
    visitor.follow("Updates")
    visitor.press("Subscribe")
    assert visitor.says("Enter an e-mail address")
    page.get_by_label("Name").fill(BEN["name"])
    page.get_by_label("E-mail").fill(BEN["email"])
    visitor.press("Subscribe")
    world.work()
    visitor.open(whole_link(world, BEN["email"], "confirm", "confirm"))
    visitor.press("Confirm")
    world.work()
    welcome = world.letter(BEN["email"], "You will get our updates")
    visitor.open(world.link(welcome, "manage"))
    leave = world.link(welcome, "unsubscribe")
    visitor.open(leave)
    visitor.press("Leave the list")
    assert visitor.says("You have left the list")
    with transaction() as session:
        assert session.get_one(Subscription, 1).state == "left"
    visitor.open(leave.replace("unsubscribe", "manage"))
    visitor.press("E-mail me a fresh link")
    assert visitor.says("Look in your mailbox")


@wide_or_narrow
def test_every_other_page_is_for_everybody(visitor: Visitor) -> None:
    visitor.open("/")
    assert visitor.says("No notice is in force")
    for path in (
        "/news",
        "/privacy",
        "/imprint",
        "/accessibility",
        "/manage",
        "/complaints",
        "/organise/sign-in",
        "/confirm/forged",
        "/manage/forged",
    ):
        visitor.open(path)
    for path in ("/nothing", "/notices/none", "/lists/none"):
        visitor.open(path, 404)
    visitor.open("/manage")
    visitor.press("Send me the link")
    visitor.open("/complaints")
    visitor.press("Send the complaint")
    assert visitor.says("There are problems")
    for label, words in (("Name", BEN["name"]), ("E-mail", BEN["email"]), ("What happened?", "Two letters.\n\nWhy?")):
        visitor.page.get_by_label(label).fill(words)
    visitor.press("Send the complaint")
    assert re.search(r"C-\d{4}-", visitor.page.locator("main").inner_text())


@pytest.mark.settings(SECOND_FACTOR="off", APPROVALS="0")
@wide_or_narrow
def test_a_complaint_and_a_waiting_serving_stand_on_the_dashboard(visitor: Visitor) -> None:
    page, world = visitor.page, visitor.world
    world.publish(milestones=(1,), wait=15)
    world.add_organisers()
    world.sign(ANN)
    world.confirm(ANN["email"])
    world.post("/complaints", BEN | {"text": "Two letters."})
    world.post("/organise/sign-in", {"email": OLIVE})
    world.work()
    visitor.open(whole_link(world, OLIVE, "sign-in", "organise/sign-in"))
    visitor.press("Sign in")
    assert visitor.says("answer due on")
    visitor.follow("Read it")
    assert visitor.says("Two letters.")
    visitor.look()
    visitor.press("Mark as answered")
    visitor.press("Stop this serving")
    assert not page.get_by_text("will be served on its officials").count()
    visitor.press("Serve it now")
    visitor.open("/organise")
    assert page.get_by_text("will be served on its officials").count() == 1
