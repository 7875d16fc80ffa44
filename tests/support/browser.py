"""A real browser in front of a real server: Debian's Chromium, the site served in a thread, axe-core on every page passed.

Every test may ask for its fixtures: tests/conftest.py names this module as a plugin.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Browser, Page, Response, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.support.world import World

WIDE, NARROW = 1280, 390
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
TOKENS = re.compile(r'(?<=name="csrf_token" value=")[^"]+|:\d{5}\b')
passed: set[tuple[str, str]] = set()
"""Pages that axe has seen in this run, by width and content."""
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


class Quiet(WSGIRequestHandler):
    def log(self, *_: Any, **__: Any) -> None:
        """Says nothing: a test's output is its failures."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; skipped, with the reason, where it is not installed.

    Once a module, not once a session: Playwright's event loop would stand in the way of other tests' own.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def site(world: World) -> Iterator[World]:
    """The world, its pages served for real at BASE_URL; `world.work()` still runs the workers in this thread."""
    server = make_server("127.0.0.1", world.settings.web_port, world.app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield world
    server.shutdown()
    thread.join(10)
    server.server_close()


@dataclass
class Visitor:
    """Somebody at a browser. Every page that passes by is looked at: its title, its width, and by axe in light and dark."""

    page: Page
    world: World
    scripts: bool

    def open(self, path: str, status: int = 200) -> Response:
        response = self.page.goto(self.world.settings.base_url + path.removeprefix(self.world.settings.base_url))
        assert response is not None
        assert response.status == status, path
        self.look()
        return response

    def press(self, name: str) -> None:
        """Presses the button of this name and waits for the page that follows."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name).click()
        self.look()

    def follow(self, name: str) -> None:
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=name).first.click()
        self.look()

    def look(self) -> None:
        """What holds for every page: a heading, a title, nothing wider than the window, and nothing that axe finds."""
        assert self.page.title()
        assert self.page.locator("h1").count() == 1, self.page.url
        if not self.scripts:
            return
        assert not self.page.evaluate(SIDEWAYS), f"{self.page.url} scrolls sideways"
        seen = str(self.page.viewport_size), TOKENS.sub("", self.page.content())
        if seen not in passed:
            if not self.page.evaluate("Boolean(window.axe)"):
                self.page.evaluate(AXE_SCRIPT)
            self._axe("light", {})
            self._axe("dark", {"runOnly": ["color-contrast"]})  # nothing else depends on the colours
            self.page.emulate_media(color_scheme="light")
            passed.add(seen)

    def _axe(self, scheme: Literal["light", "dark"], options: dict[str, Any]) -> None:
        self.page.emulate_media(color_scheme=scheme)
        found = AxeResults(
            self.page.evaluate("options => axe.run(document, options)", options | {"resultTypes": ["violations"]})
        )
        assert found.violations_count == 0, f"{self.page.url} in {scheme}:\n{found.generate_report()}"

    def says(self, text: str) -> bool:
        return text in " ".join(self.page.locator("main").inner_text().split())


@dataclass(frozen=True)
class Look:
    width: int
    scripts: bool

    def __str__(self) -> str:
        return f"{self.width}-{'with' if self.scripts else 'without'}-scripts"


LOOKS = [Look(WIDE, True), Look(NARROW, True), Look(WIDE, False), Look(NARROW, False)]


@pytest.fixture
def looks() -> Look:
    """How the visitor looks at it; a test parametrises it."""
    return Look(WIDE, True)


@pytest.fixture
def visitor(chromium: Browser, site: World, looks: Look) -> Iterator[Visitor]:
    context = chromium.new_context(
        viewport={"width": looks.width, "height": 900}, java_script_enabled=looks.scripts, locale="en-GB", color_scheme="light"
    )
    context.set_default_timeout(10_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    yield Visitor(page, site, looks.scripts)
    context.close()
    assert not complaints
