"""Somebody to whom we had stopped writing asks for something, and is not answered with silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from service.core.db import reading, transaction
from service.emails import suppressions
from service.emails.links import again_address
from service.emails.suppressions import suppress
from service.inbound import bounces
from service.models import Arrival, Bounce, Message, Request, Signature, Subscription, Suppression
from service.people import person_search, retention
from service.workflows import erase
from tests.inbound.post import DOMAIN, letter, receive
from tests.support.people import ANN, BEN, OLIVE
from tests.support.world import World, html_of, text_of

QUESTION = "May we write to you again?"
pytestmark = pytest.mark.settings(LIMIT_GAP_MINUTES="0", APPROVALS="0", SECOND_FACTOR="off")


def stop_writing(mailbox: str, cause: suppressions.Cause) -> None:
    now = datetime.now(UTC) - timedelta(days=2)
    with transaction() as session:
        if cause == "erased":
            erase.erase(session, mailbox, now)
        elif cause == "organiser":
            person_search.suppress(session, mailbox, "asked by telephone", now)
        else:
            suppress(session, mailbox, bounces.REASONS[cause], now, cause)


def is_written_to(mailbox: str) -> bool:
    with reading() as session:
        return not suppressions.is_suppressed(session, mailbox)


def write_to_us(world: World, author: str, to: str = "", **headers: str) -> Arrival:
    to = to or again_address()
    receive(world, letter(author, to, "Hello", "Please.", **headers), to, author)
    arrival: Arrival = world.rows(select(Arrival).order_by(Arrival.id.desc()).limit(1))[0]
    return arrival


def press(world: World, email: str) -> str:
    """Opens the newest letter that asks whether we may write again, and presses its button."""
    page = world.post(world.link(world.letters(email, QUESTION)[-1], "confirm")).get_data(as_text=True)
    world.work()
    return page


@pytest.mark.parametrize("cause", suppressions.AFTER_FAILURE)
def test_who_signs_after_a_failure_is_told_once_and_signs_with_one_press(
    either_world: World, cause: suppressions.Cause
) -> None:
    world = either_world
    world.publish(milestones=())
    stop_writing(ANN["email"], cause)
    for _ in range(3):
        assert "Look in your mailbox" in world.sign(ANN, updates="yes").get_data(as_text=True)
        world.work()
    asked = world.letter(ANN["email"])
    assert asked["Subject"] == QUESTION
    for part in (text_of(asked), html_of(asked)):
        assert "came back" in part
        assert "Open the books" in part
        assert ANN["name"] not in part
    assert world.get(world.link(asked, "confirm")).status_code == 200
    assert not is_written_to(ANN["email"])  # a look changes nothing
    page = press(world, ANN["email"])
    assert "You are number <strong>1</strong>" in page
    assert "From now on we write to you again" in page
    assert is_written_to(ANN["email"])
    assert world.rows(select(Subscription.state)) == ["confirmed"]
    assert world.letter(ANN["email"], "Your signature counts")
    assert world.rows(select(Bounce.kind).where(Bounce.kind == "lifted")) == ["lifted"]


def test_who_subscribes_after_a_failure_is_told_too_and_again_after_thirty_days(world: World) -> None:
    world.publish()
    stop_writing(BEN["email"], "hard")
    world.subscribe(BEN)
    world.subscribe(BEN)
    world.work()
    assert len(world.letters(BEN["email"])) == 1
    with transaction() as session:
        for column in (Suppression.told_at, Message.created_at, Message.due_at):
            session.execute(update(column.class_).values({column: datetime.now(UTC) - timedelta(days=29.9)}))
    world.subscribe(BEN)
    world.work()
    assert len(world.letters(BEN["email"])) == 1
    with transaction() as session:
        session.execute(update(Suppression).values(told_at=datetime.now(UTC) - timedelta(days=30.1)))
    world.subscribe(BEN)
    world.work()
    assert len(world.letters(BEN["email"])) == 2
    assert "You will get updates" in press(world, BEN["email"])
    assert world.letter(BEN["email"], "You will get our updates")


def test_a_link_to_what_we_hold_is_asked_back_for_too(world: World) -> None:
    world.publish()
    stop_writing(ANN["email"], "soft")
    world.post("/manage", {"email": ANN["email"]})
    world.work()
    assert "this address came back" in text_of(world.letter(ANN["email"]))
    assert "please ask once more" in press(world, ANN["email"])
    world.post("/manage", {"email": ANN["email"]})
    world.work()
    assert world.link(world.letters(ANN["email"])[-1], "manage")


def test_the_link_still_lifts_when_what_was_asked_for_is_forgotten(either_world: World) -> None:
    world = either_world
    world.publish()
    stop_writing(ANN["email"], "hard")
    world.sign(ANN)
    world.work()
    for days in (8, 29):
        with transaction() as session:
            retention.run(session, datetime.now(UTC) + timedelta(days=days))
    assert world.rows(select(Signature)) == []
    assert "please ask once more" in press(world, ANN["email"])
    assert is_written_to(ANN["email"])
    with transaction() as session:
        retention.run(session, datetime.now(UTC) + timedelta(days=38))
    assert world.rows(select(Request)) == []


@pytest.mark.parametrize("cause", suppressions.SAID_NO)
def test_who_said_no_is_written_to_only_when_they_write_from_that_address(
    either_world: World, cause: suppressions.Cause
) -> None:
    world = either_world
    world.publish(milestones=())
    stop_writing(ANN["email"], cause)
    page = world.sign(ANN).get_data(as_text=True)
    assert f"mailto:{again_address()}" in page
    world.subscribe(ANN)
    world.post("/manage", {"email": ANN["email"]})
    world.work()
    assert world.letters(ANN["email"]) == []
    assert world.rows(select(func.count()).select_from(Signature)) == [0]
    for _ in range(3):
        came = write_to_us(world, ANN["email"])
    assert came.outcome == "not answered: told in the last 30 days how to be written to again"
    asked = world.letter(ANN["email"])
    assert ("unwanted" if cause == "complaint" else "erase") in text_of(asked)
    assert "please ask once more" in press(world, ANN["email"])
    assert is_written_to(ANN["email"])
    world.sign(ANN)
    assert "You are number <strong>1</strong>" in world.confirm(ANN["email"]).get_data(as_text=True)


def test_a_list_is_joined_by_e_mail_after_a_complaint_with_one_press(world: World) -> None:
    world.publish()
    stop_writing(ANN["email"], "complaint")
    write_to_us(world, ANN["email"], f"updates-subscribe@{DOMAIN}")
    assert "to get our updates by e-mail" in text_of(world.letter(ANN["email"]))
    assert "You will get updates" in press(world, ANN["email"])
    assert world.rows(select(Subscription.state)) == ["confirmed"]


@pytest.mark.parametrize("headers", [
    {"Auto_Submitted": "auto-replied"}, {"Precedence": "bulk"},
    {"Authentication_Results": f"{DOMAIN}; dmarc=fail header.from=example.org"},
])  # fmt: skip
def test_a_machine_or_a_forged_from_takes_back_nothing(world: World, headers: dict[str, str]) -> None:
    world.publish()
    stop_writing(ANN["email"], "complaint")
    write_to_us(world, ANN["email"], **headers)
    assert world.letters(ANN["email"]) == []


def test_what_an_organiser_decided_an_organiser_takes_back(world: World) -> None:
    world.publish()
    world.add_organisers()
    stop_writing(ANN["email"], "organiser")
    world.sign(ANN)
    came = write_to_us(world, ANN["email"])
    assert world.letters(ANN["email"]) == []
    assert came.folder == "replies"
    page = world.get("/organise/inbox", world.sign_in(OLIVE)).get_data(as_text=True)
    assert "an organiser had decided that we write to it no more" in page


def test_who_complains_while_the_letter_waits_does_not_get_it(world: World) -> None:
    world.publish()
    stop_writing(ANN["email"], "hard")
    world.sign(ANN)
    with transaction() as session:
        suppress(session, ANN["email"], bounces.REASONS["complaint"], datetime.now(UTC), "complaint")
    world.work()
    assert world.letters(ANN["email"]) == []
    assert world.rows(select(Message.state)) == ["suppressed"]


def test_a_no_that_was_said_after_the_letter_stands_against_its_press(world: World) -> None:
    world.publish()
    stop_writing(ANN["email"], "hard")
    world.sign(ANN)
    world.work()
    with transaction() as session:
        suppress(session, ANN["email"], bounces.REASONS["complaint"], datetime.now(UTC), "complaint")
    press(world, ANN["email"])
    assert not is_written_to(ANN["email"])


def test_who_can_be_written_to_is_told_that_nothing_stands_in_the_way(world: World) -> None:
    world.publish()
    write_to_us(world, ANN["email"])
    assert "Nothing keeps us from writing to this address" in text_of(world.letter(ANN["email"]))


def test_an_older_letters_press_shows_that_the_mailbox_lives(world: World) -> None:
    world.publish()
    world.subscribe(BEN)
    world.work()
    stop_writing(BEN["email"], "hard")
    world.post(world.link(world.letter(BEN["email"]), "confirm"))
    world.work()
    assert world.letter(BEN["email"], "You will get our updates")


def test_a_letter_that_comes_back_ends_what_waited_for_it(world: World) -> None:
    world.publish()
    stop_writing(ANN["email"], "hard")
    world.sign(ANN)
    world.work()
    (asked,) = world.rows(select(Message))
    with transaction() as session:
        bounces.returned(session, session.get_one(Message, asked.id), "hard", "5.1.1", "no", datetime.now(UTC), wait=False)
    assert world.rows(select(Signature)) == []
    assert not is_written_to(ANN["email"])


def test_an_organiser_whose_copy_came_back_can_still_sign_in(world: World) -> None:
    world.add_organisers()
    stop_writing(OLIVE, "hard")
    assert world.get("/organise", world.sign_in(OLIVE)).status_code == 200
