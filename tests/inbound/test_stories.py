"""The story of a member who uses e-mail alone: join, confirm by reply, get an update, bounce, complain, leave."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from service.core.db import transaction
from service.emails import links
from service.mailings import mailing_lifecycle
from service.models import Arrival, Message, Subscription
from service.subscriptions import subscribing
from tests.inbound.post import DOMAIN, bounce, complaint, letter, receive
from tests.support.people import ANN, BEN, OLIVE
from tests.support.world import World, text_of

ASK = f"updates-subscribe@{DOMAIN}"


def state(world: World, email: str) -> str | None:
    return next(iter(world.rows(select(Subscription.state).where(Subscription.email == email))), None)


def last(world: World) -> Arrival:
    return world.rows(select(Arrival).order_by(Arrival.id.desc()))[0]


def join(world: World, email: str) -> None:
    """Asks by e-mail, and answers the letter that asks back."""
    receive(world, letter(email, ASK), ASK, email)
    asked = world.letters(email, "confirm")[-1]
    receive(
        world,
        letter(email, asked["Reply-To"], f"Re: {asked['Subject']}", "Yes, please.", In_Reply_To=asked["Message-ID"]),
        asked["Reply-To"],
        email,
    )


def send_update(world: World) -> int:
    with transaction() as session:
        mailing = mailing_lifecycle.draft(
            session, subscribing.find_list(session, "updates"), "The first week", "News.", None, datetime.now(UTC)
        )
        mailing_lifecycle.submit(mailing)
        session.flush()
        mailing_lifecycle.approve(session, mailing, None, mailing_lifecycle.content_hash(mailing), datetime.now(UTC))
    world.work()
    return mailing.id


def test_joining_by_e_mail_is_confirmed_by_a_reply(either_world: World) -> None:
    world = either_world
    world.publish()
    receive(world, letter(f"Ann Ashworth <{ANN['email']}>", ASK), ASK, ANN["email"])
    assert state(world, ANN["email"]) == "pending"
    asked = world.letter(ANN["email"], "confirm")
    assert asked["Auto-Submitted"] == "auto-replied"
    assert asked["In-Reply-To"] == asked["References"] == "<a-person-wrote-this@mail.example.org>"
    assert "answer this e-mail" in text_of(asked)
    answer = letter(ANN["email"], asked["Reply-To"].upper(), "Re: confirm", "Yes.")
    receive(world, answer, asked["Reply-To"].upper(), ANN["email"])
    assert state(world, ANN["email"]) == "confirmed"
    assert world.letter(ANN["email"], "You will get our updates")


@pytest.mark.settings(APPROVALS="0")
def test_a_members_whole_way_stands_on_the_timeline(world: World) -> None:
    world.publish()
    world.add_organisers()
    join(world, ANN["email"])
    join(world, BEN["email"])
    send_update(world)
    copies = world.rows(select(Message).where(Message.kind == "mailing").order_by(Message.id))
    receive(world, bounce("4.2.2", "452 4.2.2 mailbox full"), links.bounce_address(copies[0].id), "")
    receive(world, complaint(copies[1].id), f"fbl@{DOMAIN}", "feedback@provider.example")
    assert (state(world, ANN["email"]), state(world, BEN["email"])) == ("confirmed", "left")
    leave = world.letter(ANN["email"], "The first week")["List-Unsubscribe"].split("mailto:")[1].strip(">")
    receive(world, letter(ANN["email"], leave, Auto_Submitted="auto-generated"), leave.upper(), ANN["email"])
    assert state(world, ANN["email"]) == "left"
    olive = world.sign_in(OLIVE)
    page = world.get(world.person(ANN["email"], olive), olive).get_data(as_text=True)
    for step in (
        "Asked for the list updates",
        "Confirmed the list updates",
        "by email",
        "The first week",
        "mailbox full",
        "Took back the list updates",
    ):
        assert step in page, step
    page = world.get(world.person(BEN["email"], olive), olive).get_data(as_text=True)
    assert "Called it spam" in page
    assert "Written to no more" in page
