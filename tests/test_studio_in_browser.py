"""Two organisers at real browsers: an update to 5,000 written, approved, sent and watched; a mistake recalled; what is hostile
comes out harmless. Every page passes axe, on a phone's width as well, and works by keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import insert, select

from service import subscriptions
from service.db import transaction
from service.models import Mailing, MailingList, Message, Subscription
from tests.browser import NARROW, WIDE, Visitor, chromium, site
from tests.people import ANN, AUGUST, BEN, OLIVE, PETRA
from tests.smtp_server import SmtpServer
from tests.world import OFFER, SECRET, World

TEXT = "Dear {name|friend},\n\nthe committee has **answered**.\n\n- The accounts will be published.\n- The minutes will not."


@pytest.fixture
def relay() -> Iterator[SmtpServer]:
    """Takes 5,000 letters in the time that the postbox takes for a hundred."""
    with SmtpServer() as server:
        yield server


@contextmanager
def at_a_browser(chromium: Browser, site: World, width: int = WIDE) -> Iterator[Visitor]:
    context = chromium.new_context(viewport={"width": width, "height": 900}, locale="en-GB", color_scheme="light")
    context.set_default_timeout(10_000)
    yield Visitor(context.new_page(), site, scripts=True)
    context.close()


def sign_in(visitor: Visitor, email: str) -> None:
    """By the link and the authenticator, as the pages ask."""
    page, world = visitor.page, visitor.world
    visitor.open("/organise/sign-in")
    page.get_by_label("E-mail").fill(email)
    visitor.press("Send me the link")
    world.work("prompt")
    visitor.open(world.link(world.letters(email, "sign-in")[-1], "organise/sign-in"))
    visitor.press("Sign in")
    if "second-factor/new" in page.url:
        world.secrets[email] = SECRET.findall(page.content())[0]
        assert OFFER.search(page.content())
        page.get_by_label("Code").fill(world.code(email))
        visitor.press("Set it up")
        assert visitor.says("Keep these recovery codes")
        visitor.follow("I have them, go on")


def write(visitor: Visitor, subject: str, body: str) -> None:
    visitor.follow("Write an update")
    visitor.page.get_by_label("Subject").fill(subject)
    visitor.page.get_by_label("Text", exact=True).fill(body)
    visitor.press("Save and preview")


def crowd(count: int) -> None:
    now = datetime.now(UTC) - timedelta(days=1)
    with transaction() as session:
        same = {"list_id": session.scalars(select(MailingList.id)).one(), "state": "confirmed"}
        same |= {"created_at": now, "confirmed_at": now}
        addresses = [f"reader{number}@example.org" for number in range(count)]
        session.execute(insert(Subscription), [same | {"email": one, "mailbox": one} for one in addresses])


@pytest.mark.settings(COOLING_SECONDS="1", TYPED_COUNT_ABOVE="1000")
def test_an_update_to_5000_is_written_approved_sent_and_watched_to_its_end(chromium: Browser, site: World) -> None:
    site.publish()
    site.add_organisers()
    crowd(5_000)
    with at_a_browser(chromium, site) as august, at_a_browser(chromium, site, NARROW) as petra:
        sign_in(august, AUGUST)
        sign_in(petra, PETRA)
        write(august, "What the committee answered", TEXT)
        assert august.says("It would go to 5,000 people")
        for view in ("On a phone", "Text", "HTML"):
            august.follow(view)
        august.press("Submit for approval")
        where = august.page.url
        petra.open("/organise")
        assert petra.says("WAITS FOR APPROVAL")
        petra.follow("What the committee answered")
        petra.page.get_by_label("type the number of recipients").fill("5000")
        petra.press("Approve and send to 5,000 people")
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
        petra.follow("5,000")
        assert petra.says("reader0@example.org")


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
        petra.press("Approve and send to 3 people")  # of the page that still shows Monday
        assert petra.says("The update has changed since you saw it")
        assert petra.page.locator("del").inner_text() == "Monday."
        assert petra.page.locator("ins").inner_text() == "Tuesday."
        petra.press("Approve and send to 3 people")
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
        sign_in_again(olive, OLIVE)
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


def sign_in_again(visitor: Visitor, email: str) -> None:
    """Whose second factor is set up already."""
    page, world = visitor.page, visitor.world
    visitor.open("/organise/sign-in")
    page.get_by_label("E-mail").fill(email)
    visitor.press("Send me the link")
    world.work("prompt")
    visitor.open(world.link(world.letters(email, "sign-in")[-1], "organise/sign-in"))
    visitor.press("Sign in")
    page.get_by_label("Code").fill(world.code(email))
    visitor.press("Go on")


HOSTILE = """\
<script>document.title = 'owned'</script><img src=x onerror="document.title='owned'"><style>body{display:none}</style>

[a](javascript:document.title='owned') [b](data:text/html,<script>1</script>) <a href="javascript:alert(1)">c</a>
<iframe src="https://elsewhere.example/"></iframe> <svg onload=alert(1)> \u202etxet\u202c `{{ 7*7 }}`

<link rel=stylesheet href=https://elsewhere.example/s.css> [d](https://example.org/"onmouseover="alert(1))
"""


@pytest.mark.settings(SECOND_FACTOR="off", APPROVALS="0")
def test_hostile_markdown_runs_nothing_and_loads_nothing(chromium: Browser, site: World) -> None:
    site.publish()
    site.add_organisers()
    crowd(1)
    with at_a_browser(chromium, site) as olive:
        asked: list[str] = []
        sign_in(olive, OLIVE)
        olive.page.on("request", lambda request: asked.append(request.url))
        write(olive, "<b>Hello</b> \u2603", HOSTILE)
        frame = olive.page.frames[-1]
        frame.wait_for_load_state()
        assert "owned" not in olive.page.title()
        letter = frame.content().partition("<main>")[2]
        assert "\u202e" not in letter
        assert not re.search(r"<(script|img|iframe|svg|link|style)\b", letter)
        assert not [one for one in frame.locator("*").evaluate_all(HANDLERS) if one]
        assert not [one for one in frame.locator("a").evaluate_all("all => all.map(a => a.protocol)") if one not in OURS]
        assert {url.partition("//")[2].partition("/")[0].partition(":")[0] for url in asked} == {"localhost"}
        with transaction() as session:
            session.execute(insert(Subscription), [HOSTILE_NAME])
        olive.open("/organise/updates/new")
        olive.page.get_by_text("Among them").wait_for()
        assert "owned" not in olive.page.title()


HANDLERS = "all => all.flatMap(e => [...e.attributes].map(a => a.name).filter(name => name.startsWith('on')))"
OURS = {"https:", "http:", "mailto:"}


HOSTILE_NAME = {
    "list_id": 1, "email": "x@example.org", "mailbox": "x@example.org", "state": "confirmed", "created_at": datetime.now(UTC),
    "confirmed_at": datetime.now(UTC), "name": "<img src=x onerror=\"document.title='owned'\">",
}  # fmt: skip


@pytest.mark.settings(SECOND_FACTOR="off", APPROVALS="0")
def test_an_update_is_written_and_sent_by_keyboard_alone(chromium: Browser, site: World) -> None:
    site.publish()
    site.add_organisers()
    with transaction() as session:
        updates = subscriptions.find_list(session, "updates")
        subscriptions.take_in(session, updates, [subscriptions.read_line(1, BEN)], "test", datetime.now(UTC))
    with at_a_browser(chromium, site, NARROW) as olive:
        sign_in(olive, OLIVE)
        page = olive.page
        reach(page, "Write an update")
        page.keyboard.press("Enter")
        page.wait_for_url("**/updates/new")
        reach(page, "Subject")
        page.keyboard.type("By keyboard")
        page.keyboard.press("Tab")
        page.keyboard.type("Hello.")
        reach(page, "Save and preview")
        page.keyboard.press("Enter")
        page.wait_for_url("**/updates/1")
        reach(page, "Send to 1 person")
        page.keyboard.press("Enter")
        page.get_by_text("State: approved").wait_for()
        olive.look()


FOCUSED = "() => { const e = document.activeElement; return (e.labels && e.labels[0] || e).textContent.trim() }"


def reach(page: Page, name: str) -> None:
    """Presses Tab until the focus is on what has this name."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED) == name:
            return
    raise AssertionError(f"{name} cannot be reached")


__all__ = ["chromium", "site"]
