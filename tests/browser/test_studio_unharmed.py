"""The editor at a real browser: hostile words run nothing and load nothing, and the keyboard alone is enough."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import insert

from service.core.db import transaction
from service.models import Subscription
from service.subscriptions import subscribing
from tests.support.browser import NARROW
from tests.support.people import BEN, OLIVE
from tests.support.studio import at_a_browser, crowd, sign_in, write
from tests.support.world import World

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
        olive.page.get_by_text("each once").first.wait_for()
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
        updates = subscribing.find_list(session, "updates")
        subscribing.take_in(session, updates, [subscribing.read_line(1, BEN)], "test", datetime.now(UTC))
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
