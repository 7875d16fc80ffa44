"""Organisers sign in by letter, their sessions live on the server, and it takes two for what cannot be undone."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from service.core.db import transaction
from service.errors import NotFound
from service.mailings import mailing_lifecycle
from service.models import Mailing, Message, OrganiserSession, SignInLink
from service.organisers import accounts
from tests.support.people import AUGUST, BEN, OLIVE, PETRA
from tests.support.world import World

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
UPDATE = {"list": "updates", "subject": "Hello", "body": "Hello."}


def asked_link(world: World, email: str) -> str:
    world.post("/organise/sign-in", {"email": email})
    world.work()
    return world.link(world.letters(email, "sign-in")[-1], "organise/sign-in")


def written(world: World, author: FlaskClient) -> str:
    """A draft's address; there is one subscriber."""
    world.subscribe(BEN)
    world.confirm(BEN["email"])
    return world.post("/organise/updates/new", UPDATE, author).headers["Location"]


def press(world: World, where: str, act: str, client: FlaskClient, seen: str = "") -> int:
    page = world.get(where, client).get_data(as_text=True)
    seen = seen or page.split('name="seen" value="')[1].split('"')[0]
    return world.post(where, {"act": act, "seen": seen}, client).status_code


def form_token(world: World, where: str, client: FlaskClient) -> str:
    """What a page that is open in a browser holds, whatever happens elsewhere meanwhile."""
    return world.get(where, client).get_data(as_text=True).split('name="csrf_token" value="')[1].split('"')[0]


def test_a_sign_in_link_works_once_and_only_by_its_button(world: World) -> None:
    world.add_organisers()
    link = asked_link(world, AUGUST)
    assert world.get(link).status_code == 200
    assert world.client.head(link).status_code == 200
    assert world.rows(select(OrganiserSession)) == []
    august = world.browser()
    assert world.post(link, {}, august).status_code == 303
    assert world.get("/organise", august).status_code == 200
    assert world.get(link).status_code == 404
    assert world.post(link, {}, world.browser()).status_code in {400, 404}
    assert len(world.rows(select(OrganiserSession))) == 1


def test_a_sign_in_link_runs_out_after_half_an_hour(world: World) -> None:
    world.add_organisers()
    with transaction() as session:
        link = accounts.new_link(session, OLIVE, NOW)
        token = accounts.links.sign("sign-in", link.key)
        assert accounts.find_link(session, token, NOW + timedelta(minutes=29)).id == link.id
        with pytest.raises(NotFound):
            accounts.find_link(session, token, NOW + timedelta(minutes=30))
        with pytest.raises(NotFound):
            accounts.find_link(session, accounts.links.sign("manage", link.key), NOW)


def test_at_most_three_links_are_alive_and_a_used_one_makes_room(world: World) -> None:
    world.add_organisers()
    for _ in range(5):
        world.post("/organise/sign-in", {"email": OLIVE})
    world.work()
    assert len(world.letters(OLIVE, "sign-in")) == 3
    world.post(world.link(world.letters(OLIVE, "sign-in")[0], "organise/sign-in"), {}, world.browser())
    world.post("/organise/sign-in", {"email": OLIVE})
    assert len(world.rows(select(SignInLink))) == 4


def test_a_strangers_address_looks_the_same(world: World) -> None:
    world.add_organisers()
    known = world.post("/organise/sign-in", {"email": OLIVE})
    unknown = world.post("/organise/sign-in", {"email": "stranger@example.org"})
    assert (known.status_code, known.data) == (unknown.status_code, unknown.data)
    world.work()
    assert world.letters("stranger@example.org") == []


def test_signing_out_ends_the_session_on_the_server(world: World) -> None:
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    cookie = olive.get_cookie("undersigned")
    assert cookie is not None
    page = world.get("/organise", olive).get_data(as_text=True)
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    assert olive.post("/organise/sign-out", data={"csrf_token": token}).status_code == 303
    assert world.rows(select(OrganiserSession)) == []
    olive.set_cookie("undersigned", cookie.value)  # a copy of the cookie is worth nothing
    assert world.get("/organise", olive).status_code == 303


def test_sessions_end_after_twelve_hours_and_are_stored_hashed(world: World) -> None:
    world.add_organisers()
    with transaction() as session:
        key = accounts.sign_in(session, accounts.new_link(session, OLIVE, NOW), NOW)
        assert accounts.signed_in(session, key, NOW + timedelta(hours=11)) is not None
        assert accounts.signed_in(session, key, NOW + timedelta(hours=12)) is None
        assert accounts.signed_in(session, None, NOW) is None
    stored = world.rows(select(OrganiserSession.key_hash))
    assert len(stored[0]) == 64
    assert key not in stored[0]


def test_a_new_role_ends_the_sessions(world: World) -> None:
    world.add_organisers()
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    with transaction() as session:
        accounts.add(session, OLIVE, "author", NOW)
    assert world.get("/organise", olive).status_code == 303
    assert world.get("/organise", petra).status_code == 200


def test_every_page_of_organisers_sends_strangers_to_sign_in(world: World) -> None:
    values = {"number": 1, "slug": "x", "reference": "C-1", "which": 1, "kind": "subscription"}
    token = world.get("/organise/sign-in").get_data(as_text=True).split('name="csrf_token" value="')[1].split('"')[0]
    routes = world.app.url_map.bind("localhost")
    seen = 0
    for rule in world.app.url_map.iter_rules():
        if not rule.rule.startswith("/organise") or rule.endpoint.startswith("sign_in."):
            continue
        path = routes.build(rule.endpoint, {name: values[name] for name in rule.arguments})
        for method in (rule.methods or set()) - {"OPTIONS"}:
            response = world.client.open(path, method=method, data={"csrf_token": token} if method == "POST" else None)
            assert response.status_code == 303, (method, path)
            assert response.headers["Location"].endswith("/organise/sign-in")
            seen += 1
    assert seen >= 10


def test_an_update_takes_a_second_organiser(world: World) -> None:
    world.publish()
    world.add_organisers()
    august, petra, olive = world.sign_in(AUGUST), world.sign_in(PETRA), world.sign_in(OLIVE)
    where = written(world, petra)
    assert press(world, where, "submit", petra) == 303
    assert press(world, where, "submit", petra) == 409  # a double press
    assert press(world, where, "send", petra) == 409  # her own
    assert press(world, where, "send", august) == 403  # no approver
    assert world.rows(select(Mailing.state)) == ["submitted"]
    assert press(world, where, "send", olive) == 303
    world.work()
    assert world.rows(select(Mailing.state)) == ["sent"]
    assert len(world.letters(BEN["email"], "Hello")) == 1


def test_words_changed_after_they_were_seen_are_not_approved(world: World) -> None:
    world.publish()
    world.add_organisers()
    august, petra, olive = world.sign_in(AUGUST), world.sign_in(PETRA), world.sign_in(OLIVE)
    where = written(world, august)
    press(world, where, "submit", august)
    seen = world.get(where, olive).get_data(as_text=True).split('name="seen" value="')[1].split('"')[0]
    press(world, where, "take back", petra)
    world.post(f"{where}/edit", UPDATE | {"body": "Something else."}, petra)
    press(world, where, "submit", august)
    assert press(world, where, "send", olive, seen) == 409
    assert press(world, where, "send", petra) == 409  # the last words are hers
    assert world.rows(select(Mailing.state)) == ["submitted"]
    assert press(world, where, "send", olive) == 303


def test_two_approvals_at_once_make_one_fan_out(either_world: World) -> None:
    world = either_world
    world.publish()
    world.add_organisers()
    august, petra, olive = world.sign_in(AUGUST), world.sign_in(PETRA), world.sign_in(OLIVE)
    where = written(world, august)
    press(world, where, "submit", august)
    together = threading.Barrier(2)
    seen = world.get(where, petra).get_data(as_text=True).split('name="seen" value="')[1].split('"')[0]
    forms = [(client, form_token(world, where, client)) for client in (petra, olive)]

    def approve(client: FlaskClient, token: str) -> None:
        together.wait()
        client.post(where, data={"act": "send", "seen": seen, "csrf_token": token})

    threads = [threading.Thread(target=approve, args=form) for form in forms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.work()
    assert world.rows(select(func.count()).select_from(Message).where(Message.mailing_id.is_not(None))) == [1]
    assert len(world.letters(BEN["email"], "Hello")) == 1


def test_what_is_not_there_is_a_page_that_says_so(world: World) -> None:
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    for number in (7, 2**63, 10**30):
        assert world.get(f"/organise/updates/{number}", olive).status_code == 404
    token = world.get("/organise/updates/new", olive).get_data(as_text=True).split('name="csrf_token" value="')[1].split('"')[0]
    for number in (7, 10**30):
        assert olive.post(f"/organise/servings/{number}/stop", data={"csrf_token": token}).status_code == 404
    with transaction() as session, pytest.raises(NotFound):
        mailing_lifecycle.find(session, -1)
