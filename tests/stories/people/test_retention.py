"""What we forget, and when: each rule at its time and not before; and nothing of a person who asked to be erased."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from service.core.db import reading, transaction
from service.models import (
    Base,
    Complaint,
    Consent,
    Enclosure,
    Letter,
    MailingList,
    Message,
    OrganiserSession,
    Request,
    Signature,
    SignInLink,
    Subscription,
)
from service.notices import publishing
from service.organisers import accounts
from service.people import complaints, retention
from service.people.retention_rules import RULES
from service.subscriptions import subscribing
from tests.support.people import ANN, BEN, OLIVE, SLUG
from tests.support.world import World

DAY = timedelta(days=1)


def forget(days: float) -> dict[str, int]:
    """Runs retention as it will run so many days from now."""
    with transaction() as session:
        found = retention.run(session, datetime.now(UTC) + timedelta(days=days))
    return {name: count for name, count in found.items() if count}


def count(world: World, model: type[Any], *where: Any) -> int:
    return int(world.rows(select(func.count()).select_from(model).where(*where))[0])


def holding(text: str) -> set[str]:
    """The tables in which this text stands anywhere, in any case."""
    found = set()
    with reading() as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(select(table)):
                if text.casefold() in repr(tuple(row)).casefold():
                    found.add(table.name)
    return found


def test_every_table_has_a_rule_and_every_rule_a_table() -> None:
    assert set(RULES) == set(Base.metadata.tables)
    assert all(rule.strip() for rule in RULES.values())


def test_the_privacy_page_tells_every_rule(world: World) -> None:
    page = world.get("/privacy").get_data(as_text=True)
    assert all(f"<td>{table.replace('_', ' ')}</td>" in page for table in RULES)
    assert "UNCONFIRMED_DAYS" not in page
    assert "PSEUDONYMISE_DAYS" not in page


def test_what_nobody_confirmed_vanishes_after_seven_days(either_world: World) -> None:
    either_world.publish()
    either_world.sign(ANN, updates="yes")
    either_world.subscribe(BEN)
    either_world.work()
    assert holding(ANN["email"]) >= {"signatures", "subscriptions", "requests", "messages", "consents"}
    assert forget(6.9) == {}
    gone = forget(7.1)
    assert gone["unconfirmed signatures"] == 1
    assert gone["unconfirmed subscriptions"] == 2
    for text in (ANN["email"], ANN["name"], BEN["email"], BEN["name"]):
        assert holding(text) == set()


def test_what_was_confirmed_stays(world: World) -> None:
    world.publish()
    world.sign(ANN, updates="yes")
    world.confirm(ANN["email"])
    forget(60)
    assert (count(world, Signature), count(world, Subscription)) == (1, 1)
    assert count(world, Consent, Consent.act == "confirmed") == 2
    assert count(world, Consent, Consent.act == "asked") == 2
    assert count(world, Request, Request.expires_at.is_(None)) == 2


def test_somebody_who_left_and_never_confirmed_again_has_still_left(world: World) -> None:
    world.publish()
    world.subscribe(BEN)
    world.confirm(BEN["email"])
    with transaction() as session:
        subscribing.leave(session, 1, datetime.now(UTC))
        session.execute(update(Message).values(created_at=Message.created_at, due_at=datetime.now(UTC) - 3 * DAY))
    world.subscribe(BEN)
    assert world.rows(select(Subscription.state)) == ["pending"]
    forget(8)
    assert world.rows(select(Subscription.state)) == ["left"]
    with transaction() as session:
        line = subscribing.read_line(2, BEN)
        updates = session.scalars(select(MailingList)).one()
        assert subscribing.take_in(session, updates, [line], "x", datetime.now(UTC)) == {2: "has left this list"}
    forget(729)
    assert count(world, Subscription) == 1
    forget(731)
    assert count(world, Subscription) == 0


def test_letters_go_after_a_month_and_their_messages_after_three(world: World) -> None:
    world.publish()
    world.sign(ANN)
    world.confirm(ANN["email"])
    mine = (Message.mailbox == ANN["email"], Message.kind == "receipt")
    assert count(world, Message, *mine) == 1
    forget(29)
    assert count(world, Letter, Letter.to_name == ANN["name"]) >= 1
    forget(31)
    assert count(world, Letter, Letter.to_name == ANN["name"]) == 0
    assert count(world, Message, *mine) == 1
    forget(91)
    assert count(world, Message, *mine) == 0
    assert count(world, Message, Message.kind == "serving") == 2
    assert count(world, Letter) == 2


def test_a_letter_that_was_cancelled_goes_as_well(world: World) -> None:
    world.publish()
    world.sign(ANN)
    with transaction() as session:
        session.execute(update(Message).values(state="cancelled", kind="receipt"))
    forget(91)
    assert count(world, Message) == 0


def test_consents_go_six_years_after_they_were_withdrawn(world: World) -> None:
    world.publish()
    for person in (ANN, BEN):
        world.subscribe(person)
        world.confirm(person["email"])
    with transaction() as session:
        subscribing.leave(session, 1, datetime.now(UTC))
    forget(6 * 365 - 1)
    assert count(world, Consent, Consent.mailbox == ANN["email"]) == 3
    forget(6 * 365 + 1)
    assert count(world, Consent, Consent.mailbox == ANN["email"]) == 0
    assert count(world, Consent, Consent.mailbox == BEN["email"]) == 2


def test_complaints_go_six_years_after_the_answer(world: World) -> None:
    fields = {"name": ANN["name"], "email": ANN["email"], "text": "Why?"}
    with transaction() as session:
        answered = complaints.take(session, fields, datetime.now(UTC))
        complaints.take(session, fields, datetime.now(UTC))
        complaints.answer(session, answered.reference, datetime.now(UTC))
    forget(6 * 365 - 1)
    assert count(world, Complaint) == 2
    forget(6 * 365 + 1)
    assert world.rows(select(Complaint.state)) == ["open"]


def test_links_and_sessions_go_a_day_after_they_ran_out(world: World) -> None:
    world.add_organisers()
    world.sign_in(OLIVE)
    forget(1)
    assert (count(world, SignInLink), count(world, OrganiserSession)) == (1, 1)
    forget(1.1)
    assert (count(world, SignInLink), count(world, OrganiserSession)) == (0, 1)
    forget(1.6)
    assert count(world, OrganiserSession) == 0


def test_names_go_half_a_year_after_the_notice_closed(world: World) -> None:
    world.publish()
    for person in (ANN, BEN):
        world.sign(person)
        world.confirm(person["email"])
    forget(400)
    assert count(world, Signature, Signature.name == ANN["name"]) == 1
    with transaction() as session:
        publishing.close(session, SLUG, datetime.now(UTC))
    forget(182)
    assert count(world, Signature, Signature.name == ANN["name"]) == 1
    assert forget(184)["names"] == 2
    assert world.count() == 2
    assert world.rows(select(Signature.sequence).order_by(Signature.id)) == [1, 2]
    assert count(world, Enclosure, Enclosure.content != b"") == 0
    assert holding(ANN["email"]) == set()
    assert forget(184).get("names") is None


def test_much_is_forgotten_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction() as session:
        accounts.add(session, OLIVE, "author", datetime.now(UTC))
        at = datetime.now(UTC) - 3 * DAY
        session.add_all(SignInLink(key=str(n), organiser_id=1, created_at=at, expires_at=at) for n in range(25))
    monkeypatch.setattr(retention, "BATCH", 10)
    assert [forget(0).get("sign-in links") for _ in range(4)] == [10, 10, 5, None]


def test_a_person_who_is_erased_is_in_no_table_any_more(either_world: World) -> None:
    world = either_world
    world.publish()
    world.sign(ANN, updates="yes")
    world.confirm(ANN["email"])
    world.sign(BEN)
    world.confirm(BEN["email"])
    world.sweep(datetime.now(UTC) + DAY)
    world.work()
    with transaction() as session:
        server_said(session, ANN["email"])
    manage = world.manage(ANN["email"])
    assert world.post(manage, {"act": "erase", "sure": "yes"}).status_code == 200
    assert holding(ANN["email"]) == set()
    assert holding(ANN["name"]) == {"enclosures"}  # what was handed over, until the notice has been closed for long
    assert "signatures" in holding(BEN["name"])
    assert world.count() == 1


def server_said(session: Session, address: str) -> None:
    """As some servers do, the answer repeats the address."""
    text = f"2.1.5 <{address}> recipient ok"
    session.execute(update(Message).where(Message.mailbox == address).values(reply_text=text))
