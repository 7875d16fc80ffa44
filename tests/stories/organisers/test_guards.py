"""Who may do what: every role tries every route and every button, and nothing else is open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from service.core.db import transaction
from service.models import AuditEntry, Mailing, OrganiserSession
from service.web.organise import notices
from service.web.organise.mailings.mailing import ACTS
from service.web.permissions import MAY, WITHOUT_SECOND_FACTOR
from tests.support.people import AUGUST, BEN, OLIVE, PETRA
from tests.support.world import TOKEN, World

VALUES = {"number": 1, "slug": "open-the-books", "reference": "C-1", "which": 1, "kind": "subscription"}
ROLES = {AUGUST: "author", PETRA: "approver", OLIVE: "administrator"}


def routes(world: World) -> list[tuple[str, str, str]]:
    """Line of the table, method and path of every view of the studio, each button of a view by itself."""
    adapter = world.app.url_map.bind("localhost")
    found = []
    for rule in world.app.url_map.iter_rules():
        if not rule.rule.startswith("/organise") or rule.endpoint.startswith("sign_in."):
            continue
        path = adapter.build(rule.endpoint, {name: VALUES[name] for name in rule.arguments})
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            buttons = [line for line in MAY if line.startswith(f"{rule.endpoint} ")] if method == "POST" else []
            found += [(line, method, path) for line in buttons or [rule.endpoint]]
    return found


def test_every_view_and_every_button_has_its_line_and_no_line_is_left_over(world: World) -> None:
    lines = {line for line, _, _ in routes(world)}
    assert lines | {"updates.act", "organise_notices.act", "organise_notices.decide", "inbox.act"} == set(MAY)
    for view, acts in (("updates.act", ACTS), ("organise_notices.act", notices.ACTS)):
        assert {line.partition(" ")[2] for line in MAY if line.startswith(f"{view} ")} == set(acts)
    assert set(MAY) >= WITHOUT_SECOND_FACTOR


def test_each_role_tries_every_route(world: World) -> None:
    world.publish()
    world.add_organisers()
    world.subscribe(BEN)
    world.confirm(BEN["email"])
    browsers = {email: world.sign_in(email) for email in ROLES}
    world.post("/organise/updates/new", {"list": "updates", "subject": "Hello", "body": "Hello."}, browsers[AUGUST])
    tried = 0
    for line, method, path in routes(world):
        if "sign_out" in line or "session" in line or line == "team.act":
            continue  # would end the crawler's own session; tried by themselves below
        for email, role in ROLES.items():
            allowed = role in MAY[line].roles
            status = attempt(world, browsers[email], method, path, line.partition(" ")[2])
            assert (status != 403) == allowed, (role, method, path, line, status)
            tried += 1
    assert tried > 170


def attempt(world: World, browser: FlaskClient, method: str, path: str, act: str) -> int:
    if method == "GET":
        return browser.get(path).status_code
    found = TOKEN.search(browser.get("/organise").get_data(as_text=True))
    assert found
    return browser.open(path, method=method, data={"csrf_token": found[1], "act": act}).status_code


@pytest.mark.parametrize("number", [0, 2, 2**31, 2**63, 10**30])
def test_a_number_that_is_not_there_is_not_found(world: World, number: int) -> None:
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    for place in ("updates/{}", "updates/{}/report", "updates/{}/outcomes", "updates/{}/preview", "imports/{}", "servings/{}",
                  "people/subscription/{}", "people/signature/{}",
                  "people/nothing/{}", "people/arrival/{}", "updates/{}/versions/1"):  # fmt: skip
        assert olive.get(f"/organise/{place.format(number)}").status_code == 404, place


def test_what_matters_wants_the_second_factor_again_after_ten_minutes(world: World) -> None:
    world.publish()
    world.add_organisers()
    world.subscribe(BEN)
    world.confirm(BEN["email"])
    august, petra = world.sign_in(AUGUST), world.sign_in(PETRA)
    where = world.post("/organise/updates/new", {"list": "updates", "subject": "A", "body": "B."}, august).headers["Location"]
    seen = world.get(where, petra).get_data(as_text=True).split('name="seen" value="')[1].split('"')[0]
    world.post(where, {"act": "submit", "seen": seen}, august)
    with transaction() as session:
        session.execute(update(OrganiserSession).values(proved_at=datetime.now(UTC) - timedelta(minutes=11)))
    token = world.get(where, petra).text.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"act": "send", "seen": seen, "csrf_token": token}
    response = petra.post(where, data=form)
    assert f'name="seen" value="{seen}"' in response.text  # nothing that was entered is lost
    assert world.rows(select(Mailing.state)) == ["submitted"]
    wrong = petra.post(where, data=form | {"code_again": "000000"})
    assert wrong.status_code == 422
    assert f'name="seen" value="{seen}"' in wrong.text
    assert world.rows(select(Mailing.state)) == ["submitted"]
    assert petra.post(where, data=form | {"code_again": world.code(PETRA)}).headers["Location"] == where
    assert world.rows(select(Mailing.state)) == ["approved"]  # the press is carried out


def test_the_page_to_come_back_to_is_one_of_ours(world: World) -> None:
    world.add_organisers()
    petra = world.sign_in(PETRA)
    for then in ("https://elsewhere.example/", "//elsewhere.example", "/organise\\@elsewhere.example", "/manage"):
        response = world.post("/organise/account/second-factor", {"code": world.code(PETRA), "then": then}, petra)
        assert response.headers.get("Location", "/organise") == "/organise"


def test_what_an_organiser_does_is_in_the_audit_and_what_was_refused_is_not(world: World) -> None:
    world.publish()
    world.add_organisers()
    august = world.sign_in(AUGUST)
    world.post("/organise/updates/new", {"list": "updates", "subject": "", "body": ""}, august)
    world.post("/organise/updates/new", {"list": "updates", "subject": "A", "body": "B."}, august)
    rows = [(one.act, one.subject, one.address) for one in world.rows(select(AuditEntry).order_by(AuditEntry.id))]
    assert rows == [("sign in", "organiser 3", "127.0.0.1"), ("write", "mailing 1", "127.0.0.1")]
