"""How often a mailbox, a visitor and a receiving domain are written to; and how many people one mailbox is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from service.models import Message, Signature
from service.rate_limits import windows
from service.text import email_addresses
from tests.support import asking
from tests.support.asking import asked_for, sign_at
from tests.support.people import ANN, SLUG
from tests.support.world import World, text_of

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def minutes_of(world: World, email: str) -> list[int]:
    return [round((due_at - T0) / MINUTE) for _, state, due_at in asked_for(world, email) if state != "cancelled"]


def test_one_letter_in_fifteen_minutes_and_three_a_day_the_rest_held_back(world: World) -> None:
    world.publish()
    for number in range(5):
        sign_at(ANN, T0 + 20 * number * MINUTE, name=f"Ann {'ABCDE'[number]}")
    assert minutes_of(world, ANN["email"]) == [0, 20, 40, 24 * 60]


def test_limits_are_per_mailbox_over_everything_asked_for(world: World) -> None:
    world.publish()
    gmail = {"name": "Ann", "email": "a.nn+x@gmail.com"}
    sign_at(gmail, T0)
    asking.subscribe_at({"name": "", "email": "ann@googlemail.com"}, T0 + MINUTE)
    asking.ask_for_link_at("A.N.N@gmail.com", T0 + 2 * MINUTE)
    assert [kind for kind, _, _ in asked_for(world, "ann@gmail.com")] == ["confirm", "confirm", "manage_link"]
    assert minutes_of(world, "ann@gmail.com") == [0, 15, 30]


def test_a_held_letter_goes_when_its_time_has_come(world: World) -> None:
    world.publish()
    start = datetime.now(UTC) - 16 * MINUTE
    sign_at(ANN, start)
    sign_at(ANN, start + MINUTE, clp="Hill")
    world.sweep(start + 2 * MINUTE)
    world.work()
    assert len(world.letters(ANN["email"], "confirm")) == 1
    world.sweep(start + 16 * MINUTE)
    world.work()
    assert len(world.letters(ANN["email"], "confirm")) == 2


def test_a_double_submit_makes_one_letter_and_at_most_one_that_waits(world: World) -> None:
    world.publish()
    for _ in range(6):
        world.sign(ANN)
    world.work()
    assert len(world.letters(ANN["email"])) == 1
    assert len(asked_for(world, ANN["email"])) == 2
    assert len(world.rows(select(Signature.id))) == 1


def test_after_the_confirmation_what_was_held_is_cancelled_for_good(world: World) -> None:
    world.publish(milestones=())
    now = datetime.now(UTC)
    for number in range(3):
        sign_at(ANN, now + number * MINUTE, clp=f"CLP {number}")
    world.work()
    world.post(world.link(world.letter(ANN["email"], "confirm"), "confirm"))
    rows: list[Message] = world.rows(select(Message).where(Message.kind == "confirm").order_by(Message.id))
    assert [row.state for row in rows] == ["accepted", "cancelled", "cancelled"]
    assert all(row.settled_at for row in rows), "without it, nothing says when it may be forgotten"
    asking.ask_for_link_at(ANN["email"], now + 20 * MINUTE)
    assert asked_for(world, ANN["email"])[-1][2] == now + 20 * MINUTE, "letters that never went count for nothing"


def test_a_link_told_of_later_is_good_when_it_arrives(world: World) -> None:
    """Held back for fifteen minutes or a day, "already signed" brings a link that works an hour from then."""
    world.publish(milestones=())
    sign_at(ANN, T0)
    asking.confirm_at(world, ANN["email"], T0)
    for minutes in (1, 20, 40):
        sign_at(ANN, T0 + minutes * MINUTE)
    for number in world.rows(select(Message.id).where(Message.kind == "already")):
        due_at = world.rows(select(Message.due_at).where(Message.id == number))[0]
        expires_at = asking.request_of(world, number).expires_at
        assert expires_at is not None
        assert expires_at - due_at == timedelta(hours=1)


def test_a_waiting_letter_of_another_kind_drops_nothing(world: World) -> None:
    world.publish(milestones=())
    sign_at(ANN, T0)
    sign_at(ANN, T0 + MINUTE, clp="Hill")
    asking.ask_for_link_at(ANN["email"], T0 + 2 * MINUTE)
    assert [kind for kind, _, _ in asked_for(world, ANN["email"])] == ["confirm", "confirm", "manage_link"]


def test_complaints_flood_nobody_either(world: World) -> None:
    for _ in range(8):
        fields = {"name": "Ann", "email": ANN["email"], "text": "Hello"}
        assert "C-" in world.post("/complaints", fields).get_data(as_text=True)
    world.work()
    assert len(world.letters(ANN["email"])) == 1
    assert len(asked_for(world, ANN["email"])) <= 4


def test_forms_that_arrive_together_make_one_letter(either_world: World) -> None:
    world = either_world
    world.publish()

    people = [ANN | {"name": f"Ann {letter}"} for letter in "ABCDEFGHIJKLMNOP"]
    assert asking.at_one_time([lambda one=one: _sign_from(world, one) for one in people]) == [200] * 16
    due = sorted(due_at for _, state, due_at in asked_for(world, ANN["email"]) if state != "cancelled")
    assert len(due) <= 2
    assert all(b - a >= 14.9 * MINUTE for a, b in pairwise(due))
    world.work("prompt")
    assert len(world.letters(ANN["email"])) == 1


def _sign_from(world: World, fields: dict[str, str]) -> int:
    more = {"clp": "Harbour", "office": "none", "display": "public", "consent": "yes"}
    return world.post(f"/notices/{SLUG}/sign", fields | more, world.browser()).status_code


@pytest.mark.settings(LIMIT_VISITOR="3 per minute")
def test_a_visitor_over_the_ceiling_is_told_so(world: World) -> None:
    world.publish()
    statuses = [world.sign({"name": "Ann", "email": f"p{number}@example.org"}).status_code for number in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert world.post("/manage", {"email": ANN["email"]}).status_code == 429
    assert len(world.rows(select(Signature.id))) == 3
    assert world.get(f"/notices/{SLUG}").status_code == 200


@pytest.mark.settings(LIMIT_VISITOR="2 per minute")
def test_an_ipv6_network_is_one_visitor(world: World) -> None:
    for address, room in (("2001:db8::1", True), ("2001:db8::2:3", True), ("2001:db8::ffff", False), ("2001:db8:0:1::1", True)):
        try:
            windows.visitor(address)
            assert room, address
        except windows.TooMany:
            assert not room, address


@pytest.mark.settings(LIMIT_DOMAIN="2 per hour")
def test_a_receiving_domain_has_a_ceiling(world: World) -> None:
    world.publish()
    now = datetime.now(UTC)
    for number in range(4):
        sign_at({"name": "Ann", "email": f"p{number}@big.example"}, now)
    held = [due_at > now for due_at in world.rows(select(Message.due_at).order_by(Message.id))]
    assert held == [False, False, True, True]


def test_a_household_has_two_names_and_the_third_hears_by_letter(world: World) -> None:
    world.publish(milestones=())
    for number, name in enumerate(("Ann Ashworth", "Bea Ashworth")):
        sign_at(ANN, T0 + number * 16 * MINUTE, name=name)
        asking.confirm_at(world, ANN["email"], T0 + number * 16 * MINUTE)
    assert world.count() == 2
    sign_at(ANN, T0 + 32 * MINUTE, name="Cat Ashworth")
    assert [kind for kind, _, _ in asked_for(world, ANN["email"])] == ["confirm", "confirm", "already"]
    world.sweep()
    world.work()
    assert "signed" in text_of(world.letter(ANN["email"], "About what you asked for"))
    assert world.count() == 2


def test_a_third_name_that_also_wants_updates_hears_of_both(world: World) -> None:
    world.publish(milestones=())
    for number, name in enumerate(("Ann Ashworth", "Bea Ashworth")):
        sign_at(ANN, T0 + number * 16 * MINUTE, name=name)
        asking.confirm_at(world, ANN["email"], T0 + number * 16 * MINUTE)
    sign_at(ANN, T0 + 48 * 60 * MINUTE, name="Cat Ashworth", updates="yes")
    assert [kind for kind, _, _ in asked_for(world, ANN["email"])][2:] == ["confirm", "already"]


def test_three_pending_names_cannot_all_be_confirmed(world: World) -> None:
    world.publish(milestones=())
    now = datetime.now(UTC)
    for number, name in enumerate(("Ann", "Bea", "Cat")):
        sign_at(ANN, now - (60 - 16 * number) * MINUTE, name=name)
    world.sweep(now)
    world.work()
    links = [world.link(letter, "confirm") for letter in world.letters(ANN["email"], "confirm")]
    assert [world.post(link).status_code for link in links] == [200, 200, 409]
    assert world.count() == 2


@pytest.mark.parametrize(("one", "other"), [
    ("ann.ashworth@gmail.com", "AnnAshworth+notice@googlemail.com"), ("ann@outlook.com", "ann+x@outlook.com"),
    ("Ann@example.org", "ann@EXAMPLE.org"), ("a.n.n@proton.me", "ann+1@pm.me"), ("ann@me.com", "ann+2@icloud.com"),
])  # fmt: skip
def test_one_mailbox_signs_once_under_one_name(world: World, one: str, other: str) -> None:
    world.publish(milestones=())
    sign_at({"name": "Ann Ashworth", "email": one}, T0)
    asking.confirm_at(world, one, T0)
    sign_at({"name": "ÁNN  ashworth", "email": other}, T0 + 16 * MINUTE)
    assert len(world.rows(select(Signature.id))) == 1
    assert [kind for kind, _, _ in asked_for(world, other)] == ["confirm", "already"]


def test_other_domains_keep_dots_and_tags_apart() -> None:
    assert email_addresses.mailbox("a.nn@example.org") != email_addresses.mailbox("ann@example.org")
    assert email_addresses.mailbox("ann+x@example.org") != email_addresses.mailbox("ann@example.org")


def test_we_write_to_the_address_as_it_was_given(world: World) -> None:
    world.publish()
    world.sign({"name": "Ann", "email": "A.nn+Notice@googlemail.com"})
    world.work()
    assert world.letter("A.nn+Notice@googlemail.com", "confirm")
