"""The README's pictures of the studio: two organisers, an update to the people of the import, from the editor to its report."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
from playwright.sync_api import Browser, Page

from service.core.config import settings
from service.core.db import transaction
from service.emails import links
from service.models import Day
from service.organisers import accounts
from tests.support.world import SECRET

TEXT = """\
Dear {name|friend},

the committee has **answered**. Of our five demands it takes up two:

- the suspensions will be looked at again, one by one;
- local parties may talk about what they choose.

We publish [its letter and our reply](https://example.org/reply), and we go on asking for the rest.
"""


def take(browser: Browser, folder: Path) -> None:
    _asked_and_confirmed()
    august, petra = _signed_in(browser, "august@example.org", "author"), _signed_in(browser, "petra@example.org", "approver")
    august.get_by_role("link", name="Write an update").first.click()
    august.get_by_label("Subject").fill("What the committee answered")
    august.get_by_label("Text", exact=True).fill(TEXT)
    august.get_by_text("each once").first.wait_for()
    august.set_viewport_size({"width": 1060, "height": 1120})
    august.screenshot(path=folder / "editor.png")
    august.get_by_role("button", name="Save and preview").click()
    august.get_by_role("button", name="Submit for approval").click()
    petra.goto(f"{settings().base_url}/organise")
    petra.screenshot(path=folder / "dashboard.png")
    petra.get_by_role("link", name="What the committee answered").first.click()
    count = petra.get_by_text("It would go to").inner_text().split("go to ")[1].split(" people")[0]
    petra.get_by_label("type the number").fill(count)
    petra.get_by_role("button", name=f"Approve and send to {count} people").click()
    petra.set_viewport_size({"width": 1060, "height": 520})
    petra.get_by_text("about").and_(petra.get_by_text("left")).first.wait_for()
    petra.screenshot(path=folder / "progress.png")
    petra.get_by_text("State: sent").wait_for(timeout=90_000)
    petra.get_by_role("link", name="Report").click()
    petra.set_viewport_size({"width": 1060, "height": 760})
    petra.screenshot(path=folder / "report.png")


def _asked_and_confirmed() -> None:
    """A month of requests, as the clock would have counted them."""
    chance, today = random.Random(7), datetime.now(UTC).date()
    with transaction() as session:
        for back in range(30):
            for what in ("signatures", "subscriptions"):
                asked = chance.randrange(4, 40)
                session.merge(Day(day=today - timedelta(days=back), what=what, domain="example.org", requested=asked,
                                confirmed=asked - asked // chance.randrange(4, 9)))  # fmt: skip


def _signed_in(browser: Browser, email: str, role: str) -> Page:
    now = datetime.now(UTC)
    with transaction() as session:
        accounts.add(session, email, role, now)
        link = links.sign_in_url(accounts.new_link(session, email, now).key)
    page = browser.new_context(viewport={"width": 1060, "height": 900}, color_scheme="light").new_page()
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    if "second-factor" in page.url:
        page.get_by_label("Code").fill(pyotp.TOTP(SECRET.findall(page.content())[0]).now())
        page.get_by_role("button", name="Set it up").click()
        page.get_by_role("link", name="I have them, go on").click()
    return page
