"""Links in letters: one purpose each, an end, one use, and keys that may be changed."""

from __future__ import annotations

import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from service.core import config
from service.core.db import transaction
from service.emails import links
from service.errors import NotFound
from service.models import Signature
from service.organisers import accounts
from service.people import retention
from tests.support import asking
from tests.support.people import ANN, BEN, OLIVE
from tests.support.world import World

PURPOSES = ("confirm", "manage", "sign-in")
DAY = timedelta(days=1)
NOTHING_CHANGED = "Nothing was changed. The link seems to have been cut off or altered"


def confirm_link(world: World, person: dict[str, str] = ANN) -> str:
    world.publish()
    world.sign(person)
    world.work()
    return world.link(world.letter(person["email"], "confirm"), "confirm")


def refused(world: World, path: str) -> None:
    """Neither shown nor acted upon: the one page says that nothing was changed, and what to do."""
    assert NOTHING_CHANGED in world.get(path).get_data(as_text=True), path
    assert world.post("/manage", {"email": BEN["email"]}).status_code == 200  # a token of a form, to get past CSRF
    response = world.client.post(path, data={"csrf_token": form_token(world)})
    assert response.status_code == 200, path
    assert NOTHING_CHANGED in response.get_data(as_text=True), path


def form_token(world: World) -> str:
    return world.get("/manage").get_data(as_text=True).split('name="csrf_token" value="')[1].split('"')[0]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_changed_character_spoils_a_token(world: World, purpose: str) -> None:
    token = links.sign(purpose, links.new_key())
    for at, there in enumerate(token):
        for other in string.ascii_letters + string.digits + "-_.":
            changed = token[:at] + other + token[at + 1 :]
            if other != there:
                with pytest.raises(NotFound):
                    links.read(purpose, changed)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_cut_or_lengthened_token_is_refused(world: World, purpose: str) -> None:
    token = links.sign(purpose, links.new_key())
    for changed in [token[:end] for end in range(len(token))] + [f"{token}A", f"A{token}", f"{token}=", f"{token}\u0131"]:
        with pytest.raises(NotFound):
            links.read(purpose, changed)


def test_compact_tokens_are_short_base32_and_good_in_either_case(world: World) -> None:
    for number in (1, 2, 77, 10**6, 2**48 - 1):
        token = links.compact("unsubscribe", number)
        assert len(token) <= 40
        assert set(token) <= set(string.ascii_lowercase + "234567")
        for spelling in (token, token.upper(), token.title()):
            assert links.read_compact("unsubscribe", spelling) == number
    local = links.unsubscribe_address(2**48 - 1).partition("@")[0]
    assert len(local) <= 64


def test_a_changed_compact_token_is_refused(world: World) -> None:
    token = links.compact("unsubscribe", 7)
    for at, there in enumerate(token):
        for other in string.ascii_lowercase + "234567" + "\u0131\u017f":
            if other != there:
                with pytest.raises(NotFound):
                    links.read_compact("unsubscribe", token[:at] + other + token[at + 1 :])
    for changed in (token[:-1], token[:-8], f"{token}a", f"{token}========", "", "\0" * 32, "ü" * 32):
        with pytest.raises(NotFound):
            links.read_compact("unsubscribe", changed)


def test_a_token_serves_one_purpose(world: World) -> None:
    key = links.new_key()
    for made_for in PURPOSES:
        for read_as in PURPOSES:
            if made_for != read_as:
                with pytest.raises(NotFound):
                    links.read(read_as, links.sign(made_for, key))
    for made_for in ("unsubscribe", "bounce", "message"):
        for read_as in ("unsubscribe", "bounce", "message"):
            if made_for != read_as:
                with pytest.raises(NotFound):
                    links.read_compact(read_as, links.compact(made_for, 1))


def test_links_of_letters_open_nothing_else(world: World) -> None:
    confirm = confirm_link(world).rpartition("/")[2]
    world.post(f"/confirm/{confirm}")
    world.work()
    manage = world.link(world.letter(ANN["email"], "Your signature counts"), "manage").rpartition("/")[2]
    with transaction() as session:
        accounts.add(session, OLIVE, "author", datetime.now(UTC))
        sign_in = links.sign("sign-in", accounts.new_link(session, OLIVE, datetime.now(UTC)).key)
    for path in (f"/confirm/{manage}", f"/confirm/{sign_in}", f"/manage/{confirm}", f"/manage/{sign_in}",
                 f"/organise/sign-in/{confirm}", f"/organise/sign-in/{manage}"):  # fmt: skip
        refused(world, path)
    for token in (confirm, manage, sign_in):
        assert world.client.post(f"/unsubscribe/{token}").status_code == 200
    assert world.count() == 1


def test_tampered_links_are_refused_at_the_door(world: World) -> None:
    path = confirm_link(world)
    for changed in (path[:-1], path + "x", path.replace(".", "", 1), path[:-4] + "AAAA", "/confirm/%00", "/confirm/é"):
        refused(world, changed)
        refused(world, changed.replace("/confirm/", "/manage/"))
        refused(world, changed.replace("/confirm/", "/organise/sign-in/"))
    assert world.count() == 0


def test_a_confirmation_runs_out(world: World) -> None:
    world.publish()
    asking.sign_at(ANN, datetime.now(UTC) - 8 * DAY)
    world.sweep()
    world.work()
    path = world.link(world.letter(ANN["email"], "confirm"), "confirm")
    assert world.get(path).status_code == 410
    response = world.client.post(path, data={"csrf_token": form_token(world)})
    assert response.status_code == 410
    assert "has run out" in response.get_data(as_text=True)
    assert world.count() == 0


def test_a_manage_link_runs_out_and_offers_a_fresh_one(world: World) -> None:
    world.publish()
    asking.ask_for_link_at(ANN["email"], datetime.now(UTC) - timedelta(hours=2))
    world.sweep()
    world.work()
    path = world.link(world.letter(ANN["email"], "Your link"), "manage")
    assert "Do you want a fresh link?" in world.get(path).get_data(as_text=True)
    assert world.post(path, {"act": "export"}).content_type.startswith("text/html")
    world.work()
    assert len(world.letters(ANN["email"], "Your link")) == 2


@pytest.mark.settings(LIMIT_SIGN_IN="1000 per minute")
def test_a_sign_in_link_runs_out_and_works_once(world: World) -> None:
    now = datetime.now(UTC)
    with transaction() as session:
        accounts.add(session, OLIVE, "author", now)
        old = links.sign("sign-in", accounts.new_link(session, OLIVE, now - timedelta(minutes=31)).key)
        new = links.sign("sign-in", accounts.new_link(session, OLIVE, now).key)
    assert world.get(f"/organise/sign-in/{old}").status_code == 404  # it verifies, so it was not spoilt
    statuses = asking.press_at_one_time(world, f"/organise/sign-in/{new}", 9)
    assert statuses == [303] + [404] * 8
    assert world.get(f"/organise/sign-in/{new}").status_code == 404


def test_a_used_confirmation_changes_nothing_more(world: World) -> None:
    path = confirm_link(world)
    token = form_token(world)
    assert [world.client.post(path, data={"csrf_token": token}).status_code for _ in range(3)] == [200, 410, 410]
    assert world.get(path).status_code == 410
    world.work()
    assert world.count() == 1
    assert len(world.letters(ANN["email"], "Your signature counts")) == 1


def test_of_fifty_presses_one_counts(either_world: World) -> None:
    world = either_world
    statuses = asking.press_at_one_time(world, confirm_link(world), 50)
    assert statuses == [200] + [410] * 49
    world.work("prompt")
    assert world.count() == 1
    assert world.rows(select(Signature.sequence)) == [1]
    assert len(world.letters(ANN["email"], "Your signature counts")) == 1


def test_a_second_link_for_what_is_confirmed_says_so(world: World) -> None:
    """Two letters went out for one signature; the second one's button claims nothing."""
    world.publish(milestones=())
    for minutes in (40, 20):
        asking.sign_at(ANN, datetime.now(UTC) - timedelta(minutes=minutes))
        world.work()
    world.sweep()
    world.work()
    first, second = (world.link(letter, "confirm") for letter in world.letters(ANN["email"], "confirm"))
    assert world.post(first).status_code == 200
    response = world.post(second)
    assert response.status_code == 410
    assert "confirmed already" in response.get_data(as_text=True)
    assert world.count() == 1


@pytest.fixture
def rotate(environment: dict[str, str]) -> Callable[[str], None]:
    def use(keys: str) -> None:
        config.use(config.load(environment | {"SECRET_KEY": keys, "HASH_KEY": "a-hash-key-that-stays"}))

    return use


def test_old_keys_verify_until_they_are_retired(world: World, rotate: Callable[[str], None]) -> None:
    use = rotate
    old, new = "the-old-key-of-these-tests", "the-new-key-of-these-tests"
    use(old)
    signed, short, same_id = links.sign("confirm", "abc"), links.compact("unsubscribe", 5), links.message_id(9)
    use(f"{new},{old}")
    assert links.read("confirm", signed) == "abc"
    assert links.read_compact("unsubscribe", short) == 5
    assert links.message_id(9) == same_id
    assert links.sign("confirm", "abc") != signed
    fresh = links.sign("confirm", "abc")
    use(new)
    assert links.read("confirm", fresh) == "abc"
    with pytest.raises(NotFound):
        links.read("confirm", signed)
    with pytest.raises(NotFound):
        links.read_compact("unsubscribe", short)


def test_a_signature_waits_as_long_as_its_newest_link(world: World) -> None:
    """Asked again on the sixth day, the row must outlive the first letter's seven days."""
    world.publish(milestones=())
    now = datetime.now(UTC)
    asking.sign_at(ANN, now - 8 * DAY)
    asking.sign_at(ANN, now - 2 * DAY)
    with transaction() as session:
        retention.run(session, now)
    asking.confirm_at(world, ANN["email"], now)
    assert world.count() == 1
