"""From a draft to its going: versions, differences, the minute of recall, a set time, the typed number, checks that stop it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from service.core.db import transaction
from service.mailings import mailing_lifecycle
from service.models import Mailing, MailingVersion, Message, Subscription
from service.subscriptions import subscribing
from tests.support.people import ANN, AUGUST, BEN, OLIVE, PETRA
from tests.support.world import World, text_of

NEW = "/organise/updates/new"
HELLO = {"list": "updates", "subject": "Hello", "body": "Hello {name|friend}."}


@pytest.fixture
def studio(world: World) -> World:
    """Two subscribers, one without a name; three organisers."""
    world.publish()
    world.add_organisers()
    subscribe(world, ANN, BEN | {"name": ""})
    return world


def subscribe(world: World, *people: dict[str, str]) -> None:
    with transaction() as session:
        updates = subscribing.find_list(session, "updates")
        lines = [subscribing.read_line(number, one) for number, one in enumerate(people)]
        assert not subscribing.take_in(session, updates, lines, "test", datetime.now(UTC) - timedelta(days=1))


def seen(world: World, where: str, client: FlaskClient) -> str:
    return world.get(where, client).text.split('name="seen" value="')[1].split('"')[0]


def press(world: World, where: str, act: str, client: FlaskClient, **fields: str) -> int:
    return world.post(where, {"act": act, "seen": seen(world, where, client)} | fields, client).status_code


def submitted(world: World, author: FlaskClient, **changes: str) -> str:
    where = world.post(NEW, HELLO | changes, author).headers["Location"]
    assert press(world, where, "submit", author) == 303
    return where


def state(world: World) -> str:
    return str(world.rows(select(Mailing.state))[0])


def test_every_save_is_a_version_and_the_same_again_is_none(studio: World) -> None:
    august = studio.sign_in(AUGUST)
    where = studio.post(NEW, HELLO, august).headers["Location"]
    for body in ("Hello there.", "Hello there.", "Hello all."):
        assert studio.post(f"{where}/edit", HELLO | {"body": body}, august).status_code == 303
    assert studio.rows(select(MailingVersion.number).order_by(MailingVersion.id)) == [1, 2, 3]
    page = studio.get(f"{where}/versions/3", august).text
    assert "<del>there.</del><ins>all.</ins>" in page
    assert studio.get(f"{where}/versions/9", august).status_code == 404


def test_an_unknown_placeholder_is_refused_with_its_place(studio: World) -> None:
    august = studio.sign_in(AUGUST)
    response = studio.post(NEW, HELLO | {"body": "Dear friend,\n\nyour {nmae|x}."}, august)
    assert response.status_code == 422
    assert "Line 3, column 6: {nmae|x} is no placeholder" in response.text
    assert "Dear friend," in response.text  # nothing that was entered is lost
    assert studio.post(NEW, HELLO | {"subject": "Dear {name}"}, august).status_code == 422


def test_an_approver_sees_what_changed_since_they_last_saw_it(studio: World) -> None:
    august, petra = studio.sign_in(AUGUST), studio.sign_in(PETRA)
    where = submitted(studio, august)
    before = seen(studio, where, petra)
    assert "for the first time" in studio.get(where, petra).text
    press(studio, where, "take back", august)
    studio.post(f"{where}/edit", HELLO | {"body": "Hello everybody."}, august)
    press(studio, where, "submit", august)
    refused = studio.post(where, {"act": "send", "seen": before}, petra)
    assert refused.status_code == 409
    assert "has changed since you saw it" in refused.text
    assert "<del>{name|friend}.</del><ins>everybody.</ins>" in refused.text
    assert "<ins>everybody.</ins>" in studio.get(where, petra).text
    assert state(studio) == "submitted"
    assert press(studio, where, "send", petra) == 303


@pytest.mark.settings(COOLING_SECONDS="60")
def test_a_mistake_is_recalled_within_the_minute_by_anybody(studio: World) -> None:
    august, petra = studio.sign_in(AUGUST), studio.sign_in(PETRA)
    where = submitted(studio, august)
    assert press(studio, where, "send", petra) == 303
    now = datetime.now(UTC)
    studio.sweep(now + timedelta(seconds=50))
    studio.work()
    assert (state(studio), studio.rows(select(Message.id).where(Message.mailing_id.is_not(None)))) == ("approved", [])
    assert "anybody can recall it" in studio.get(where, august).text
    assert studio.get("/news/hello").status_code == 404
    assert press(studio, where, "recall", august) == 303
    studio.sweep(now + timedelta(seconds=70))
    studio.work()
    assert state(studio) == "draft"
    assert studio.letters(ANN["email"]) == []


@pytest.mark.settings(COOLING_SECONDS="60")
def test_after_the_minute_it_goes_and_cannot_be_recalled(studio: World) -> None:
    august, petra = studio.sign_in(AUGUST), studio.sign_in(PETRA)
    where = submitted(studio, august)
    press(studio, where, "send", petra)
    at = datetime.now(UTC) + timedelta(seconds=61)
    with transaction() as session:
        assert mailing_lifecycle.fan_out(session, 1, at) is False
    assert state(studio) == "sending"
    assert press(studio, where, "recall", petra) == 409
    assert len(studio.rows(select(Message.id).where(Message.mailing_id == 1))) == 2


def test_it_goes_at_its_time_in_the_zone_of_its_organiser(studio: World) -> None:
    august, petra = studio.sign_in(AUGUST), studio.sign_in(PETRA)
    where = submitted(studio, august, send_day="2027-07-01", send_time="18:30")
    assert studio.rows(select(Mailing.send_at)) == [datetime(2027, 7, 1, 17, 30, tzinfo=UTC)]
    assert "1 July 2027, 18:30 BST" in studio.get(where, petra).text
    press(studio, where, "send", petra)
    studio.sweep(datetime(2027, 7, 1, 17, 29, tzinfo=UTC))
    studio.work()
    assert state(studio) == "approved"
    with transaction() as session:
        mailing_lifecycle.fan_out(session, 1, datetime(2027, 7, 1, 17, 30, tzinfo=UTC))
    assert state(studio) == "sending"


@pytest.mark.settings(TYPED_COUNT_ABOVE="1")
def test_above_a_set_size_the_number_is_typed(studio: World) -> None:
    august, petra = studio.sign_in(AUGUST), studio.sign_in(PETRA)
    where = submitted(studio, august)
    assert "type the number of recipients" in studio.get(where, petra).text
    assert press(studio, where, "send", petra) == 409
    assert press(studio, where, "send", petra, typed="3") == 409
    assert press(studio, where, "send", petra, typed="2") == 303


WRONG = {
    "a link that is not encrypted": {"body": "See [this](http://example.org)."},
    "a link that leads nowhere": {"body": "See [this](/news)."},
    "a hole where the name should be": {"body": "Dear {name},"},
    "a demand that is misquoted": {"body": "We demand:\n\n- that the account be publishd;"},
    "nobody to write to": {"clps": "Nowhere"},
    "longer than Gmail shows": {"body": "Fish & chips. " * 7_000},
    "a time that is over": {"send_day": "2026-01-01", "send_time": "10:00"},
}


def test_what_fails_a_serious_check_cannot_be_approved_by_a_crafted_request(studio: World) -> None:
    august, petra = studio.sign_in(AUGUST), studio.sign_in(PETRA)
    for name, wrong in WRONG.items():
        where = submitted(studio, august, **wrong)
        page = studio.get(where, petra).text
        assert "Stops it" in page, name
        assert "Approve and send" not in page, name
        assert press(studio, where, "send", petra) == 409, name
    assert set(studio.rows(select(Mailing.state))) == {"submitted"}


def test_a_misquoted_demand_is_found_and_a_right_one_is_well(studio: World) -> None:
    august = studio.sign_in(AUGUST)
    where = submitted(studio, august, body="We demand:\n\n> that the accounts be published;")
    assert "Stops it" not in studio.get(where, august).text


def test_those_who_could_approve_are_told(studio: World) -> None:
    petra = studio.sign_in(PETRA)
    submitted(studio, petra)
    studio.work()
    told = " ".join(text_of(studio.letter(OLIVE, "Waits for your approval: Hello")).split())
    assert "It would go to 2 people." in told
    assert studio.letters(PETRA, "Waits for") == studio.letters(AUGUST, "Waits for") == []


def test_what_changed_behind_an_approval_never_goes(studio: World) -> None:
    august, petra = studio.sign_in(AUGUST), studio.sign_in(PETRA)
    where = submitted(studio, august)
    press(studio, where, "send", petra)
    with transaction() as session:
        session.execute(update(Mailing).values(audience={"lists": [1], "offices": ["chair"]}))
    studio.work()
    assert state(studio) == "approved"
    assert studio.rows(select(Message.id).where(Message.mailing_id.is_not(None))) == []


def test_those_refused_for_a_passing_reason_are_written_to_again(studio: World) -> None:
    august, petra = studio.sign_in(AUGUST), studio.sign_in(PETRA)
    where = submitted(studio, august)
    press(studio, where, "send", petra)
    studio.work()
    assert studio.post(where, {"act": "again", "seen": ""}, august, page=f"{where}/report").status_code == 409
    with transaction() as session:
        ann = session.scalars(select(Subscription.id).where(Subscription.mailbox == ANN["email"])).one()
        values = {"state": "refused", "reply_code": 452, "reply_text": "4.2.2 mailbox full"}
        session.execute(update(Message).where(Message.subscription_id == ann).values(**values))
    again = studio.post(where, {"act": "again", "seen": ""}, august, page=f"{where}/report").headers["Location"]
    assert "It would go to fewer than 5 people" in studio.get(again, august).text
    press(studio, again, "submit", august)
    press(studio, again, "send", petra)
    studio.work()
    assert len(studio.letters(ANN["email"], "Hello")) == 2
    assert len(studio.letters(BEN["email"], "Hello")) == 1


def test_a_removed_approver_approves_nothing(studio: World) -> None:
    august, petra, olive = studio.sign_in(AUGUST), studio.sign_in(PETRA), studio.sign_in(OLIVE)
    where = submitted(studio, august)
    form = {"act": "send", "seen": seen(studio, where, petra)}
    studio.post("/organise/organisers", {"email": PETRA, "role": "author"}, olive)
    assert studio.post(where, form, petra).status_code == 400  # her session, and with it her form's token, is over
    assert state(studio) == "submitted"


def test_the_report_counts_by_reason_and_domain_and_opens_its_rows(studio: World) -> None:
    august, petra = studio.sign_in(AUGUST), studio.sign_in(PETRA)
    where = submitted(studio, august)
    press(studio, where, "send", petra)
    studio.work()
    with transaction() as session:
        ann = session.scalars(select(Subscription.id).where(Subscription.mailbox == ANN["email"])).one()
        values = {"state": "refused", "reply_code": 550, "reply_text": "5.1.1 no such person"}
        session.execute(update(Message).where(Message.subscription_id == ann).values(**values))
    olive = studio.sign_in(OLIVE)
    page = studio.get(f"{where}/report", olive).text
    assert "550 5.1.1 no such person" in page
    assert "100 % accepted after" in page
    assert "example.org" in page
    for browser in (august, petra):  # below administrator there are numbers, not addresses
        assert "/outcomes" not in studio.get(f"{where}/report", browser).text
    file = studio.post(f"{where}/outcomes.csv", {"state": "refused"}, olive, page=f"{where}/outcomes")
    assert file.text.splitlines()[1].startswith(f"{ANN['email']},refused,550,5.1.1 no such person")
