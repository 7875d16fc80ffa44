"""Many people at once: signers and subscribers by the stories themselves, and the same act by many threads together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from service.confirmations import confirmation_requests
from service.core.db import transaction
from service.mailings import mailing_lifecycle
from service.models import Mailing, MailingList, Message, Request, Subscription
from service.notices import publishing
from service.signatures import signing
from tests.support.people import SLUG
from tests.support.world import World


def at_once(acts: list[Callable[[], Any]]) -> list[Any]:
    """Runs the acts in as many threads, let go together; returns what each returned, or the exception that it raised."""
    start = threading.Barrier(len(acts))
    results: list[Any] = [None] * len(acts)

    def run(number: int, act: Callable[[], Any]) -> None:
        start.wait()
        try:
            results[number] = act()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def person(number: int) -> signing.Form:
    letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
    return signing.Form(f"Signer {letters}", f"signer{number}@p{number}.example", "Harbour", "", "public", False)


def ask(numbers: range, now: datetime | None = None) -> list[str]:
    """These people ask to sign; the keys of their requests."""
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        for number in numbers:
            signing.ask(session, notice, person(number), now or datetime.now(UTC))
        emails = [person(number).email for number in numbers]
        found = session.scalars(select(Request).where(Request.purpose == "confirm", Request.email.in_(emails)))
        return [request.key for request in found]


def confirm(key: str, now: datetime | None = None) -> None:
    now = now or datetime.now(UTC)
    with transaction() as session:
        request = session.scalars(select(Request).where(Request.key == key)).one()
        confirmation_requests.use(session, request, now)
        signing.confirm(session, request, now)


def sign(numbers: range, now: datetime | None = None) -> None:
    for key in ask(numbers, now):
        confirm(key, now)


def mailing_to(
    count: int, now: datetime, domains: tuple[str, ...] = ("example.org",), *, subject: str = "News",
    body: str = "Hello {name|friend}.",
) -> int:  # fmt: skip
    """An approved mailing to a list of so many at these domains in turn, of which every tenth has left; its number."""
    with transaction() as session:
        listed = MailingList(slug="crowd", title="Crowd", created_at=now)
        session.add(listed)
        session.flush()
        for number in range(count):
            address = f"reader{number}@{domains[number % len(domains)]}"
            left = number % 10 == 9
            session.add(
                Subscription(list_id=listed.id, email=address, mailbox=address, created_at=now, confirmed_at=now,
                             state="left" if left else "confirmed", left_at=now if left else None)
            )  # fmt: skip
        mailing = mailing_lifecycle.draft(session, listed, subject, body, None, now)
        mailing_lifecycle.submit(mailing)
        session.flush()
        mailing_lifecycle.approve(session, mailing, None, mailing_lifecycle.content_hash(mailing), now)
        assert session.get_one(Mailing, mailing.id).state == "approved"
        return mailing.id


def next_try(world: World, *queues: str) -> None:
    """What waits for its next attempt is due, and the clock finds it."""
    with transaction() as session:
        session.execute(update(Message).where(Message.state == "queued").values(due_at=datetime.now(UTC)))
    world.sweep(datetime.now(UTC) + timedelta(seconds=6))
    world.work(*queues)
