"""Links that mail programs and hands spoil: what was glued on is taken off; what was cut says so, and claims nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from sqlalchemy import select

from service.core.db import transaction
from service.emails import links
from service.models import Delivery, OrganiserSession
from service.organisers import accounts
from service.web.letter_links import without_glue
from tests.stories.subscriptions.test_one_click import one_subscriber, press, states
from tests.support.people import ANN, OLIVE
from tests.support.world import World, text_of

GLUED_ON = {
    "full stop": "{}.", "comma": "{},", "bracket": "{})", "angle brackets": "<{}>", "square bracket": "{}]", "quotes": "“{}”",
    "straight quotes": '"{}"', "apostrophe": "{}'", "semicolon": "{};", "exclamation": "{}!", "ellipsis": "{}…",
    "asterisk": "*{}*", "underscore": "{}_", "space": "{} ", "words behind": "{} Thank you", "tab": "\t{}",
    "line break": "{}\r\n", "broken in two": "@@ @@", "broken by a line end": "@@\r\n@@", "soft line break": "@@=\r\n@@",
    "no-break space": "{}\u00a0", "zero width space": "{}\u200b", "a mark inside": "@@\u200b@@", "soft hyphen": "@@\u00ad@@",
    "byte order mark": "\ufeff{}", "encoded space": "{}%20", "equals": "{}=", "encoded equals": "{}=3D", "entity": "{}&amp;",
    "parameter": "{}&utm_source=mail", "closing tag": "{}</a>", "backslash": "{}\\", "slash": "{}/",
    "slash and more": "{}/?x=1", "NUL": "{}\0", "pipe": "{}|", "full-width stop": "{}。",
}  # fmt: skip


def spoilt(token: str, form: str) -> str:
    """The token as it arrives, in the address that a browser asks for."""
    half = len(token) // 2
    return quote(form.replace("@@", token[:half], 1).replace("@@", token[half:], 1).format(token), safe="/")


@pytest.mark.parametrize("what", GLUED_ON)
def test_what_was_glued_on_is_taken_off(world: World, what: str) -> None:
    path = one_subscriber(world)
    page = press(world, f"/unsubscribe/{spoilt(path.rpartition('/')[2], GLUED_ON[what])}")
    assert page.status_code == 200
    assert "You have left the list" in page.get_data(as_text=True)
    assert states(world) == ["left"]


@pytest.mark.parametrize("what", GLUED_ON)
def test_a_signed_token_comes_out_whole(world: World, what: str) -> None:
    token = links.sign("confirm", links.new_key())
    half = len(token) // 2
    arrived = GLUED_ON[what].replace("@@", token[:half], 1).replace("@@", token[half:], 1).format(token)
    assert without_glue(arrived) == token


@pytest.mark.parametrize("cut", [1, 3, 10, 25])
def test_a_cut_link_to_leave_changes_nothing_and_says_so(world: World, cut: int) -> None:
    path = one_subscriber(world)[:-cut]
    for page in (world.browser().get(path), press(world, path)):
        assert page.status_code == 200
        text = page.get_data(as_text=True)
        assert "Nothing was changed." in text
        assert "reply “unsubscribe”" in text
        assert "You have left" not in text
    assert states(world) == ["confirmed"]


PLACES = ("unsubscribe", "confirm", "organise/sign-in", "acknowledge", "objection")
SPOILT = ("", "/", "/é", "/%00", "/abc/def", "/" + "a" * 3000)
CASES = [(place, rest) for place in PLACES for rest in SPOILT if place != "organise/sign-in" or len(rest) > 1]
"""Without a token the form to sign in stands at its place."""


@pytest.mark.parametrize(("place", "rest"), CASES)
def test_every_place_has_the_one_page(world: World, place: str, rest: str) -> None:
    world.publish()
    page = world.get(f"/{place}{rest}")
    assert page.status_code == 200, page.get_data(as_text=True)
    assert "Nothing was changed." in page.get_data(as_text=True)


def test_a_confirmation_with_a_glued_bracket_counts(world: World) -> None:
    world.publish()
    world.sign(ANN)
    world.work()
    path = world.link(world.letter(ANN["email"], "confirm"), "confirm")
    assert world.get(f"{path})").status_code == 200
    world.post(f"{path}).")
    assert world.count() == 1


def test_a_manage_link_with_a_glued_stop_opens(world: World) -> None:
    world.publish()
    world.sign(ANN)
    world.confirm(ANN["email"])
    path = world.manage(ANN["email"])
    assert ANN["name"] in world.get(f"{path}.").get_data(as_text=True)


def test_a_sign_in_link_with_a_glued_stop_signs_in(world: World) -> None:
    with transaction() as session:
        accounts.add(session, OLIVE, "author", datetime.now(UTC))
        token = links.sign("sign-in", accounts.new_link(session, OLIVE, datetime.now(UTC)).key)
    assert world.post(f"/organise/sign-in/{token}.").status_code == 303
    assert len(world.rows(select(OrganiserSession))) == 1


def test_an_officials_links_bear_a_glued_stop(world: World) -> None:
    world.publish(milestones=(1,))
    world.sign(ANN)
    world.confirm(ANN["email"])
    world.sweep()
    world.work()
    letter = world.letter("chair@nec.example")
    assert "acknowledge" in text_of(letter)
    world.post(f"{world.link(letter, 'acknowledge')}.")
    assert [one for one in world.rows(select(Delivery.acknowledged_at)) if one]


def test_a_link_whose_request_was_forgotten_has_run_out(world: World) -> None:
    """The token verifies, so it was not spoilt: the page says what happened."""
    world.publish()
    page = world.get(f"/confirm/{links.sign('confirm', links.new_key())}")
    assert page.status_code == 404
    assert "has run out" in page.get_data(as_text=True)
