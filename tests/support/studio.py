"""Organisers at real browsers: one for each, signed in by link and authenticator; and a crowd to write to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Browser
from sqlalchemy import insert, select

from service.core.db import transaction
from service.models import MailingList, Subscription
from tests.support.browser import WIDE, Visitor
from tests.support.world import OFFER, SECRET, World


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
    elif "second-factor" in page.url:
        page.get_by_label("Code").fill(world.code(email))
        visitor.press("Go on")


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
