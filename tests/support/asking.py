"""Asking at a time of our choosing, and pressing at one time: what several files of tests need beside the world."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select

from service.confirmations import confirmation_requests
from service.core.db import transaction
from service.models import Letter, Message, Request
from service.notices import publishing
from service.signatures import signing
from service.subscriptions import subscribing
from service.text import email_addresses
from tests.support.people import SLUG
from tests.support.world import TOKEN, World


def sign_at(person: dict[str, str], now: datetime, **changes: str) -> None:
    """The sign form of this person, as it would arrive at `now`."""
    fields = person | {"clp": "Harbour", "office": "none", "display": "public", "consent": "yes"} | changes
    with transaction() as session:
        signing.ask(session, publishing.find_public(session, SLUG), signing.read_form(fields), now)


def subscribe_at(person: dict[str, str], now: datetime) -> None:
    with transaction() as session:
        wanted = [subscribing.find_list(session, "updates")]
        subscribing.ask(session, wanted, subscribing.read_form(person), now)


def ask_for_link_at(email: str, now: datetime) -> None:
    with transaction() as session:
        confirmation_requests.manage_link(session, email_addresses.parse(email), now)


def confirm_at(world: World, email: str, now: datetime) -> None:
    """Presses the newest open confirmation of this mailbox, at `now`."""
    key = email_addresses.mailbox(email)
    with transaction() as session:
        mine = select(Request).where(Request.mailbox == key, Request.purpose == "confirm", Request.used_at.is_(None))
        found = session.scalars(mine.order_by(Request.id.desc())).first()
        assert found is not None
        confirmation_requests.use(session, found, now)
        signing.confirm(session, found, now)
        subscribing.confirm(session, found, now)


def asked_for(world: World, email: str) -> list[tuple[str, str, datetime]]:
    """Kind, state and time of each letter that was asked for with this mailbox, the first first."""
    mine = (
        Message.mailbox == email_addresses.mailbox(email),
        Message.kind.in_(("confirm", "already", "manage_link", "complaint")),
    )
    rows: list[Message] = world.rows(select(Message).where(*mine).order_by(Message.id))
    return [(row.kind, row.state, row.due_at) for row in rows]


def request_of(world: World, number: int) -> Request:
    """The request behind the letter of this message."""
    found = world.rows(select(Request).join(Letter, Letter.request_id == Request.id).where(Letter.message_id == number))
    assert isinstance(found[0], Request)
    return found[0]


def press_at_one_time(world: World, path: str, times: int) -> list[int]:
    """So many browsers load the page and press its button together; the statuses, sorted."""
    ready = [_loaded(world, path) for _ in range(times)]
    return sorted(at_one_time([lambda one=one: one[0].post(path, data=one[1]).status_code for one in ready]))


def _loaded(world: World, path: str) -> tuple[object, dict[str, str]]:
    browser = world.browser()
    found = TOKEN.search(browser.get(path).get_data(as_text=True))
    return browser, {"csrf_token": found[1] if found else ""}


def at_one_time(acts: list[Callable[[], int]]) -> list[int]:
    gate, results = threading.Barrier(len(acts)), []

    def run(act: Callable[[], int]) -> None:
        gate.wait(30)
        results.append(act())

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == len(acts), "a press never came back"
    return results
