"""Below administrator there are numbers, so coarse that they tell of no single person; who looks at people is in the audit."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from service.core.db import transaction
from service.models import AuditEntry, Edition, MailingList, OrganiserSession, Signature, Subscription
from service.organisers.small_counts import SMALLEST
from tests.support.people import ANN, AUGUST, BEN, OLIVE, PETRA
from tests.support.world import World

TOLD = re.compile(r"<strong>(?:at least ([\d,]+)|fewer than 5) people</strong>")


def add_readers(world: World, count: int, first: int = 0, **more: str) -> None:
    """Readers of whom every second signed, each with a local party, an office and a day of joining."""
    with transaction() as session:
        edition, mailing_list = session.scalars(select(Edition)).one(), session.scalars(select(MailingList)).first()
        assert mailing_list is not None
        for number in range(first, first + count):
            joined = datetime(2026, 11, 1 + number % 7, 12, tzinfo=UTC)
            address = f"reader{number}@d{number % 4}.example"
            same = {
                "email": address, "mailbox": address, "name": f"Sarah Secret {number}", "state": "confirmed",
                "created_at": joined, "confirmed_at": joined, "clp": f"Tinytown {number % 3}",
                "office": ("chair", "secretary", "")[number % 3],
            } | more  # fmt: skip
            session.add(Subscription(list_id=mailing_list.id, **same))
            if number % 2:
                signed = {"name_key": same["name"].casefold(), "display": "count", "sequence": number + 1}
                session.add(Signature(edition_id=edition.id, **signed, **same))


def told(world: World, browser: FlaskClient, asked: str) -> int:
    page = world.get(f"/organise/updates/count?list=updates&{asked}", browser).text
    assert "Secret" not in page
    assert "d0.example" not in page
    match = TOLD.search(page)
    assert match, page
    return int((match[1] or "0").replace(",", ""))


def test_an_author_finds_nobody_by_counting_with_and_without_them(world: World) -> None:
    """Every audience that can be asked for, and every two of them, at two moments."""
    world.publish()
    world.add_organisers()
    add_readers(world, 38)
    august = world.sign_in(AUGUST)
    parts = (
        ("", "signed=yes"), ("", "clps=Tinytown 0", "clps=Tinytown 1;Tinytown 2"), ("", "office=chair"),
        ("", "joined_after=2026-11-03"), ("", "joined_before=2026-11-05"),
    )  # fmt: skip
    audiences = ["&".join(part for part in chosen if part) for chosen in itertools.product(*parts)]
    before = {asked: told(world, august, asked) for asked in audiences}
    add_readers(world, 1, first=41)
    after = [told(world, august, asked) for asked in audiences]
    numbers = {*before.values(), *after}
    assert len(numbers) > 3
    assert {number % SMALLEST for number in numbers} == {0}


def test_a_name_an_address_or_a_row_is_for_administrators(world: World) -> None:
    world.publish()
    world.add_organisers()
    add_readers(world, 12)
    with transaction() as session:
        session.execute(update(Subscription).where(Subscription.name == "Sarah Secret 3").values(email="s@secret.example"))
    august, petra, olive = world.sign_in(AUGUST), world.sign_in(PETRA), world.sign_in(OLIVE)
    form = {"list": "updates", "subject": "Hello", "body": "Hello."}
    where = world.post("/organise/updates/new", form, august).headers["Location"]
    seen = world.get(where, august).text.split('name="seen" value="')[1].split('"')[0]
    world.post(where, {"act": "submit", "seen": seen}, august)
    assert "at least 10 people" in world.get(where, petra).text
    assert "12 people" in world.get(where, olive).text
    world.post(where, {"act": "send", "seen": seen}, petra)
    world.work()
    for browser in (august, petra):
        for path in ("/organise", where, f"{where}/report", f"{where}/preview", "/organise/brakes"):
            page = world.get(path, browser).text
            assert "secret" not in page.casefold(), path
        assert "10 accepted" in re.sub(r"</?strong>", "", world.get(f"{where}/report", browser).text)
        for path in (f"{where}/outcomes", "/organise/people/subscription/1", "/organise/inbox"):
            assert world.get(path, browser).status_code == 403, path
        assert world.post(f"{where}/outcomes.csv", {}, browser, page=where).status_code == 403
        assert world.post("/organise/people", {"words": "sarah"}, browser, page=where).status_code == 403
    assert "secret.example" in world.get(f"{where}/outcomes", olive).text


def test_looking_at_people_stands_in_the_audit_without_their_names(world: World) -> None:
    world.publish()
    world.add_organisers()
    world.subscribe(BEN)
    world.confirm(BEN["email"])
    world.post("/complaints", ANN | {"text": "Two letters."})
    olive = world.sign_in(OLIVE)
    with transaction() as session:
        before = len(list(session.scalars(select(AuditEntry))))
    world.post("/organise/people", {"words": "ben@"}, olive)
    for path in ("people/subscription/1", "inbox", "updates/1/outcomes"):
        world.get(f"/organise/{path}", olive)
    reference = world.get("/organise", olive).text.split("/organise/complaints/")[1].split('"')[0]
    world.get(f"/organise/complaints/{reference}", olive)
    entries = world.rows(select(AuditEntry).order_by(AuditEntry.id))[before:]
    assert [entry.act for entry in entries] == ["search people", "look at", "look at the inbox", "look at"]
    assert not [entry for entry in entries if "ben" in f"{entry.subject} {entry.details}".casefold()]


@pytest.mark.parametrize("path", ["people/subscription/1", "inbox", "updates/1/outcomes", "complaints/C-1"])
def test_looking_at_people_wants_the_second_factor_again(world: World, path: str) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    with transaction() as session:
        session.execute(update(OrganiserSession).values(proved_at=datetime.now(UTC) - timedelta(minutes=11)))
    answer = world.get(f"/organise/{path}", olive)
    assert answer.status_code == 303
    assert "/organise/account/second-factor" in answer.headers["Location"]
