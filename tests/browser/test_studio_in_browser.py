"""Two organisers at real browsers: an update to 5,000 written, approved, sent and watched; a mistake recalled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from service.models import Mailing, Message
from tests.support.browser import NARROW
from tests.support.people import ANN, AUGUST, OLIVE, PETRA
from tests.support.studio import at_a_browser, crowd, sign_in, write
from tests.support.world import World

TEXT = "Dear {name|friend},\n\nthe committee has **answered**.\n\n- The accounts will be published.\n- The minutes will not."


@pytest.mark.settings(COOLING_SECONDS="1", TYPED_COUNT_ABOVE="1000")
def test_an_update_to_5000_is_written_approved_sent_and_watched_to_its_end(chromium: Browser, site: World) -> None:
    site.publish()
    site.add_organisers()
    crowd(5_000)
    with at_a_browser(chromium, site) as august, at_a_browser(chromium, site, NARROW) as petra:
        sign_in(august, AUGUST)
        sign_in(petra, PETRA)
        write(august, "What the committee answered", TEXT)
        assert august.says("It would go to at least 5,000 people")
        for view in ("On a phone", "Dark", "Text"):
            august.page.get_by_role("link", name=view).click()
        august.page.frame_locator("iframe").get_by_text("Read this on the web:").wait_for()
        august.press("Submit for approval")
        where = august.page.url
        petra.open("/organise")
        assert petra.says("WAITS FOR APPROVAL")
        petra.follow("What the committee answered")
        petra.page.get_by_label("type the number of recipients").fill("5000")
        petra.press("Approve and send to at least 5,000 people")
        assert petra.says("Until then anybody can recall it") or petra.says("It goes now")
        august.open(where)
        site.sweep(datetime.now(UTC) + timedelta(seconds=2))
        hand_over(site)
        for one in (august, petra):
            one.page.get_by_text("State: sent").wait_for()  # the pages see it by themselves
            one.look()
            assert one.says("5,000 of 5,000 settled; 5,000 accepted.")
        petra.follow("Report")
        assert petra.says("100 % accepted after")
        assert not petra.page.get_by_role("link", name="5,000").count()  # below administrator there are numbers alone


def hand_over(site: World) -> None:
    """The workers of mailings, until all is settled."""
    for _ in range(5):
        site.work("bulk")
        if site.rows(select(Mailing.state)) == ["sent"]:
            return
        site.sweep()


@pytest.mark.settings(COOLING_SECONDS="60")
def test_a_mistake_is_recalled_and_an_approval_of_changed_words_is_refused(chromium: Browser, site: World) -> None:
    site.publish()
    site.add_organisers()
    crowd(3)
    with at_a_browser(chromium, site, NARROW) as august, at_a_browser(chromium, site) as petra:
        sign_in(august, AUGUST)
        sign_in(petra, PETRA)
        write(august, "Hello", "We meet on Monday.")
        august.press("Submit for approval")
        where = august.page.url
        petra.open(where)
        august.press("Take back to draft")
        august.follow("Change")
        august.page.get_by_label("Text", exact=True).fill("We meet on Tuesday.")
        august.press("Save and preview")
        august.press("Submit for approval")
        petra.press("Approve and send to fewer than 5 people")  # of the page that still shows Monday
        assert petra.says("The update has changed since you saw it")
        assert petra.page.locator("del").inner_text() == "Monday."
        assert petra.page.locator("ins").inner_text() == "Tuesday."
        petra.press("Approve and send to fewer than 5 people")
        assert petra.says("Until then anybody can recall it")
        august.open(where)
        august.press("Recall it")
        assert august.says("State: draft")
        assert site.rows(select(Message.id).where(Message.mailing_id.is_not(None))) == []


def test_a_stolen_session_is_ended_and_every_page_of_an_administrator_is_for_everybody(chromium: Browser, site: World) -> None:
    site.publish()
    site.add_organisers()
    site.sign(ANN)
    site.confirm(ANN["email"])
    with at_a_browser(chromium, site, NARROW) as thief, at_a_browser(chromium, site) as olive:
        sign_in(thief, OLIVE)
        sign_in(olive, OLIVE)
        olive.follow("Account")
        olive.press("End all other sessions")
        thief.open("/organise")
        assert thief.page.url.endswith("/organise/sign-in")
        for path in ("/organise/people", "/organise/organisers", "/organise/imports", "/organise/audit"):
            olive.open(path)
        olive.open("/organise/people")
        olive.press("Search")
        assert olive.says("There is a problem")
        olive.page.get_by_label("Address or name").fill("ann")
        olive.press("Search")
        olive.follow(ANN["name"])
        olive.page.get_by_text("Never write to it again").first.click()
        olive.page.locator("#reason-suppress").fill("asked by telephone")
        olive.press("Never write to it again")
        assert olive.says("We must not write to this mailbox")
        olive.open("/organise/imports")
        olive.page.get_by_label("File").set_input_files(
            {"name": "people.csv", "mimeType": "text/csv", "buffer": b"email,name\nben@example.org,Ben\nnobody,\n"}
        )
        olive.page.get_by_label("Where and when").fill("paper forms, 2026")
        olive.press("Send the file")
        olive.press("Judge every line")
        site.work("bulk")
        olive.page.get_by_role("button", name="Add 1 person").wait_for()
        olive.look()
        olive.press("Add 1 person")
        site.work("bulk")
        olive.page.get_by_text("State: done").wait_for()
        assert olive.says("1 people added") or olive.says("1 person added")
