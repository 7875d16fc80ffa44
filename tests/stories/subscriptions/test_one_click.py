"""Leaving by one click (RFC 8058): whatever a mail program sends, at once, and whoever asks in whatever state."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from service.core.db import transaction
from service.emails import links
from service.mailings import mailing_lifecycle
from service.models import Consent, Mailing, Message, Subscription
from service.subscriptions import subscribing
from service.workflows import erase
from tests.conftest import wait_until
from tests.support.people import ANN, BEN
from tests.support.world import World, html_of
from workers.outbound.bulk import shifts
from workers.outbound.bulk.connections import pool

ONE_CLICK = "List-Unsubscribe=One-Click"
BOUNDARY = "----one-click"
MULTIPART = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--{BOUNDARY}--\r\n'
)  # fmt: skip
BODIES = {
    "form": ("application/x-www-form-urlencoded", ONE_CLICK),
    "form with charset": ("application/x-www-form-urlencoded; charset=utf-8", ONE_CLICK),
    "multipart": (f"multipart/form-data; boundary={BOUNDARY}", MULTIPART),
    "empty": (None, ""),
    "empty form": ("application/x-www-form-urlencoded", ""),
    "broken multipart": ("multipart/form-data", "x"),
    "other": ("text/plain", "hello"),
}


def one_subscriber(world: World) -> str:
    """Ben on the list; the path of his link to leave."""
    world.publish()
    world.subscribe(BEN)
    world.confirm(BEN["email"])
    return world.link(world.letter(BEN["email"], "You will get our updates"), "unsubscribe")


def states(world: World) -> list[str]:
    return world.rows(select(Subscription.state))


def press(world: World, path: str, kind: str = "form") -> TestResponse:
    """As a mail program does it: no page before, no cookie, no referrer."""
    content_type, body = BODIES[kind]
    return world.browser().post(path, data=body, content_type=content_type)


def test_it_acts_at_once_without_cookie_or_redirect(world: World) -> None:
    path = one_subscriber(world)
    for kind in BODIES:
        for ending in ("", "/"):
            response = press(world, path + ending, kind)
            assert response.status_code == 200, kind
            assert "Location" not in response.headers
            assert "Set-Cookie" not in response.headers
            assert states(world) == ["left"], kind
            with transaction() as session:
                session.execute(update(Subscription).values(state="confirmed"))


@pytest.mark.parametrize("ending", ["", "/"])
def test_looking_changes_nothing(world: World, ending: str) -> None:
    path = one_subscriber(world) + ending
    for method in ("GET", "HEAD", "OPTIONS"):
        response = world.browser().open(path, method=method)
        assert response.status_code == 200, method
        assert "Set-Cookie" not in response.headers
    for method in ("PUT", "DELETE", "PATCH"):
        assert world.browser().open(path, method=method).status_code == 405
    page = world.browser().get(path).get_data(as_text=True)
    assert '<form method="post">' in page
    assert "<script" not in page
    assert states(world) == ["confirmed"]


def test_it_may_be_pressed_as_often_as_one_likes(world: World) -> None:
    path = one_subscriber(world)
    answers = [press(world, path) for _ in range(3)]
    assert {one.status_code for one in answers} == {200}
    assert len({one.get_data() for one in answers}) == 1
    assert world.rows(select(Consent.act).where(Consent.act == "withdrawn")) == ["withdrawn"]


@pytest.mark.parametrize("token", ["a" * 32, "nonsense", "%00", "%0d%0aX:y", "é", "a" * 5000])
def test_an_unknown_token_changes_nothing_and_claims_nothing(world: World, token: str) -> None:
    one_subscriber(world)
    page = press(world, f"/unsubscribe/{token}")
    assert page.status_code == 200
    assert "Location" not in page.headers
    assert "Set-Cookie" not in page.headers
    assert "Nothing was changed." in page.get_data(as_text=True)
    assert "You have left" not in page.get_data(as_text=True)
    assert states(world) == ["confirmed"]


def test_a_good_token_answers_alike_whoever_is_still_there(world: World) -> None:
    """On the list, gone from it, or erased: the pages say no more to whoever has the link."""
    path = one_subscriber(world)
    shown = {world.browser().get(path).get_data()}
    pressed = {press(world, path).get_data()}
    shown.add(world.browser().get(path).get_data())
    with transaction() as session:
        erase.erase(session, session.scalars(select(Subscription.mailbox)).one(), datetime.now(UTC))
    shown.add(world.browser().get(path).get_data())
    pressed.add(press(world, path).get_data())
    assert (len(shown), len(pressed)) == (1, 1)


def test_the_link_is_good_in_either_case_and_after_a_rotation(world: World) -> None:
    path = one_subscriber(world)
    token = path.rpartition("/")[2]
    assert press(world, f"/unsubscribe/{token.upper()}").status_code == 200
    assert states(world) == ["left"]
    assert links.read_compact("unsubscribe", token) == links.read_compact("unsubscribe", token.upper())


def test_coming_back_takes_a_new_confirmation(world: World) -> None:
    path = one_subscriber(world)
    press(world, path)
    world.subscribe(BEN)
    assert states(world) == ["pending"]
    assert press(world, path).status_code == 200
    assert states(world) != ["confirmed"]


def an_approved_mailing(world: World) -> int:
    now = datetime.now(UTC)
    with transaction() as session:
        mailing = mailing_lifecycle.draft(
            session, subscribing.find_list(session, "updates"), "News", "Hello {name|you}.", None, now
        )
        mailing_lifecycle.submit(mailing)
        session.flush()
        mailing_lifecycle.approve(session, mailing, None, mailing_lifecycle.content_hash(mailing), now)
        return mailing.id


@pytest.mark.settings(APPROVALS="0")
def test_no_update_arrives_after_leaving_between_fan_out_and_sending(world: World) -> None:
    path = one_subscriber(world)
    world.subscribe(ANN)
    world.confirm(ANN["email"])
    number = an_approved_mailing(world)
    with transaction() as session:
        mailing_lifecycle.fan_out(session, number, datetime.now(UTC))
    assert world.rows(select(Message.state).where(Message.mailing_id == number)) == ["queued", "queued"]
    press(world, path)
    world.work()
    assert world.letters(BEN["email"], "News") == []
    assert len(world.letters(ANN["email"], "News")) == 1
    assert sorted(world.rows(select(Message.state).where(Message.mailing_id == number))) == ["accepted", "suppressed"]
    assert world.rows(select(Mailing.state)) == ["sent"]


@pytest.mark.settings(APPROVALS="0")
def test_no_update_arrives_after_leaving_between_claim_and_text(world: World) -> None:
    """The worker has leased the message already; it looks once more before the text leaves."""
    path = one_subscriber(world)
    number = an_approved_mailing(world)
    with transaction() as session:
        mailing_lifecycle.fan_out(session, number, datetime.now(UTC))
    with world.app.app_context():
        shift = shifts.Shift(number, pool(), taken_before=False, failing=None)
        wait_until(lambda: bool(pool().listen(0.01) or pool().pipes))
        shift.supply.claim()
        assert shift.supply.left == 1
        press(world, path)
        shift.watch.next_at = 0.0  # its fifth of a second has passed
        shift.work()
    assert world.rows(select(Message.state).where(Message.mailing_id == number)) == ["suppressed"]
    world.work()
    assert world.letters(BEN["email"], "News") == []


@pytest.mark.settings(APPROVALS="0")
def test_every_copy_carries_the_headers_and_the_same_link(world: World) -> None:
    one_subscriber(world)
    an_approved_mailing(world)
    world.work()
    copy = world.letter(BEN["email"], "News")
    link = str(copy["List-Unsubscribe"]).partition(">")[0].strip("<")
    assert link.startswith(f"{world.settings.base_url}/unsubscribe/")
    assert link in html_of(copy)
    assert "/manage/" not in html_of(copy)
    assert copy["List-Unsubscribe-Post"] == ONE_CLICK
    assert press(world, link.removeprefix(world.settings.base_url)).status_code == 200
    assert states(world) == ["left"]


def test_a_person_erased_or_gone_gets_the_same_answer(world: World) -> None:
    path = one_subscriber(world)
    known = press(world, path).get_data()
    with transaction() as session:
        session.execute(update(Message).values(subscription_id=None))
        session.delete(session.scalars(select(Subscription)).one())
    assert press(world, path).get_data() == known
