"""Many people at once: signers and subscribers by the stories themselves, and the same act by many threads together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from service import mailings, notices, requests, signatures
from service.db import transaction
from service.models import Mailing, MailingList, Request, Subscription
from tests.people import SLUG


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


def person(number: int) -> signatures.Form:
    letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
    return signatures.Form(f"Signer {letters}", f"signer{number}@p{number}.example", "Harbour", "", "public", False)


def ask(numbers: range, now: datetime | None = None) -> list[str]:
    """These people ask to sign; the keys of their requests."""
    with transaction() as session:
        notice = notices.find(session, SLUG)
        for number in numbers:
            signatures.ask(session, notice, person(number), now or datetime.now(UTC))
        emails = [person(number).email for number in numbers]
        found = session.scalars(select(Request).where(Request.purpose == "confirm", Request.email.in_(emails)))
        return [request.key for request in found]


def confirm(key: str, now: datetime | None = None) -> None:
    now = now or datetime.now(UTC)
    with transaction() as session:
        request = session.scalars(select(Request).where(Request.key == key)).one()
        requests.use(session, request, now)
        signatures.confirm(session, request, now)


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
        mailing = mailings.draft(session, listed, subject, body, None, now)
        mailings.submit(mailing)
        session.flush()
        mailings.approve(session, mailing, None, mailings.content_hash(mailing), now)
        assert session.get_one(Mailing, mailing.id).state == "approved"
        return mailing.id
