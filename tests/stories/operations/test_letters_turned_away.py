"""A letter that a mail server refuses for who we are waits: nobody whom it is for is blamed, and organisers are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from service.core.db import transaction
from service.emails import links
from service.models import Bounce, Message, Official, Request, Suppression
from service.notices import publishing
from service.operations import problems
from service.organisers import accounts
from service.servings import serving_lifecycle
from tests.support import crowd
from tests.support.people import ANN, PETRA, SLUG
from tests.support.servers.smtp_server import SmtpServer, answer
from tests.support.servers.three_servers import tiers
from tests.support.world import World

pytestmark = [pytest.mark.usefixtures("relay"), pytest.mark.settings(SECOND_FACTOR="off")]


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    return {"MAIL_TIMEOUT_SECONDS": "1"} | environment | {"MAIL_PORT": str(relay.port)}


def signed_in(world: World, email: str) -> FlaskClient:
    """By a link whose letter is not needed."""
    with transaction() as session:
        key = accounts.new_link(session, email, datetime.now(UTC)).key
    browser = world.browser()
    world.post(links.sign_in_url(key), {}, browser)
    return browser


def told(channel: str = problems.MAIL) -> dict[str, str]:
    return problems.in_words(channel, datetime.now(UTC))


def sign(world: World) -> None:
    world.publish()
    world.sign(ANN)


def serve(world: World) -> None:
    world.publish(milestones=(100,))
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        serving_lifecycle.order(session, notice, publishing.to_serve(session, notice, datetime.now(UTC)), datetime.now(UTC))


BOTH = pytest.mark.parametrize("write", [sign, serve], ids=["a signer's", "an official's"])
OF_US = {
    "the sender": ("MAIL", "553 5.1.8 Sender address rejected"),
    "the sender, as if it were a reader": ("MAIL", "550 5.1.1 User unknown"),
    "the sender, without a word": ("MAIL", "550"),
    "who may not relay": ("RCPT", "554 5.7.1 <ann@example.org>: Relay access denied"),
    "who connects": ("RCPT", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using dnsbl.example"),
    "who has not signed in": ("RCPT", "530 5.7.0 Authentication required"),
    "who connects, at once": ("connect", "554 5.7.1 no service for 192.0.2.1"),
    "who did not sign the text": (".", "550 5.7.26 this mail is unauthenticated"),
}
OF_THEM = {
    "no such reader": ("RCPT", "550 5.1.1 User unknown"),
    "somebody's policy": ("RCPT", "550 5.7.1 not wanted"),
    "the text": (".", "554 5.7.1 Message content rejected"),
}


@BOTH
@pytest.mark.parametrize(("stage", "reply"), OF_US.values(), ids=OF_US)
def test_what_is_refused_of_us_waits_and_is_told(
    world: World, relay: SmtpServer, stage: str, reply: str, write: Callable[[World], None]
) -> None:
    relay.always(stage, answer(reply))
    write(world)
    world.work()
    crowd.next_try(world)
    waiting = world.rows(select(Message))
    assert {(message.state, message.attempts, message.concern) for message in waiting} == {("queued", 0, "sender")}
    assert all(message.due_at > datetime.now(UTC) for message in waiting)
    assert world.rows(select(Bounce)) == world.rows(select(Suppression)) == []
    assert set(world.rows(select(Official.bounced_at))) == {None}
    [sentence] = told().values()
    assert "refuses us as the sender" in sentence
    assert "refuses us as the sender" in " ".join(world.get("/readyz").get_json().values())
    relay.always(stage, None)
    crowd.next_try(world)
    assert set(world.rows(select(Message.state))) == {"accepted"}
    accepted = [taken.recipients for taken in relay.taken if taken.accepted]
    assert len(accepted) == len(waiting)
    assert told() == {}


@BOTH
@pytest.mark.parametrize(("stage", "reply"), OF_THEM.values(), ids=OF_THEM)
def test_what_is_refused_of_the_reader_or_the_text_is_refused(
    world: World, relay: SmtpServer, stage: str, reply: str, write: Callable[[World], None]
) -> None:
    relay.always(stage, answer(reply))
    write(world)
    world.work("prompt", "notices")
    assert set(world.rows(select(Message.state).where(Message.kind.in_(("confirm", "serving"))))) == {"refused"}
    assert told() == {}


def test_a_signer_keeps_the_link_that_a_relay_did_not_take(world: World, relay: SmtpServer) -> None:
    relay.always("MAIL", answer("550 5.1.1 User unknown"))
    sign(world)
    world.work()
    assert len(world.rows(select(Request))) == 1
    relay.always("MAIL", None)
    crowd.next_try(world)
    [taken] = relay.taken
    assert taken.recipients == [ANN["email"]]


def test_the_organisers_see_it_and_can_try_again_or_stop(world: World, relay: SmtpServer) -> None:
    world.add_organisers()
    petra = signed_in(world, PETRA)
    relay.always("MAIL", answer("553 5.1.8 <bounce@lists.example.org>: Sender address rejected"))
    serve(world)
    world.work()
    page = world.get("/organise", petra).text
    assert "2 letters of serving 1 wait, because the mail server refuses us as the sender" in page
    assert "553 5.1.8 …@… Sender address rejected" in page
    relay.always("MAIL", None)
    key = "letters turned away of serving 1"
    assert world.post("/organise/problems", {"act": "try letters", "key": key}, petra, page="/organise").status_code == 303
    world.work()
    assert set(tiers(world).values()) == {"relay"}


def test_five_days_end_a_letter_that_somebody_waited_for_and_not_an_officials(world: World, relay: SmtpServer) -> None:
    relay.always("MAIL", answer("553 5.1.8 Sender address rejected"))
    sign(world)
    serve(world)
    world.work()
    with transaction() as session:
        session.execute(update(Message).values(created_at=datetime.now(UTC) - timedelta(days=6)))
    crowd.next_try(world)
    assert sorted(world.rows(select(Message.state))) == ["expired", "queued", "queued"]
    assert world.rows(select(Message.due_at).where(Message.state == "queued"))[0] > datetime.now(UTC) + timedelta(minutes=25)
    assert world.rows(select(Suppression)) == []
    assert set(world.rows(select(Official.bounced_at))) == {None}


@pytest.mark.settings(SECOND_FACTOR="off", MAIL_USERNAME="undersigned", MAIL_PASSWORD="open-sesame")
def test_a_password_that_is_refused_is_told_at_once(world: World, relay: SmtpServer) -> None:
    relay.offered.append("AUTH PLAIN")
    relay.always("AUTH", answer("535 5.7.8 Authentication credentials invalid"))
    sign(world)
    world.work()
    assert world.rows(select(Message.state)) == ["queued"]
    [sentence] = told().values()
    assert "refuses us as the sender" in sentence
