"""Signing in with more than a letter: codes, recovery codes, passwords; sessions that end where they should."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from service.core.db import transaction
from service.errors import NotFound, Refused
from service.models import AuditEntry, Organiser, OrganiserSession, RecoveryCode
from service.organisers import accounts, failed_codes, passwords, second_factor
from tests.support.people import AUGUST, OLIVE, PETRA
from tests.support.world import TOKEN, World

ACCOUNT, TEAM = "/organise/account", "/organise/organisers"
PASSWORD = "correct horse battery staple"


def half_signed_in(world: World, email: str) -> FlaskClient:
    """By the letter's link alone."""
    browser = world.browser()
    world.post("/organise/sign-in", {"email": email}, browser)
    world.work()
    world.post(world.link(world.letters(email, "sign-in")[-1], "organise/sign-in"), {}, browser)
    return browser


def test_whoever_can_approve_sees_nothing_before_the_second_factor(world: World) -> None:
    world.add_organisers()
    petra = half_signed_in(world, PETRA)
    for path in ("/organise", "/organise/updates/new", "/organise/account"):
        assert "/second-factor" in petra.get(path).headers["Location"]
    assert half_signed_in(world, AUGUST).get("/organise").status_code == 200  # an author needs none


def test_a_code_works_once_and_a_wrong_one_never(world: World) -> None:
    world.add_organisers()
    world.sign_in(PETRA)
    petra, other = half_signed_in(world, PETRA), half_signed_in(world, PETRA)
    page = "/organise/account/second-factor"
    assert world.post(page, {"code": "000000"}, petra).status_code == 422
    code = world.code(PETRA)
    assert world.post(page, {"code": code}, petra).status_code == 303
    assert world.post(page, {"code": code}, other).status_code == 422
    assert other.get("/organise").status_code == 303


def recovery_codes(world: World, email: str) -> list[str]:
    page = world.post("/organise/account/recovery-codes", {}, world.sign_in(email), ACCOUNT).text
    return re.findall(r"<code>([a-z2-7-]{19})</code>", page)


def test_a_recovery_code_stands_in_once(world: World) -> None:
    world.add_organisers()
    codes = recovery_codes(world, PETRA)
    assert len(codes) == 10
    stored = world.rows(select(RecoveryCode.hash))
    assert not any(code.replace("-", "") in hashed for code in codes for hashed in stored)
    again, third = half_signed_in(world, PETRA), half_signed_in(world, PETRA)
    page = "/organise/account/second-factor"
    assert world.post(page, {"code": codes[0].upper()}, again).status_code == 303
    assert world.post(page, {"code": codes[0]}, third).status_code == 422


@pytest.mark.settings(LIMIT_CODE="3 per 10 minutes")
def test_codes_cannot_be_tried_out(world: World) -> None:
    world.add_organisers()
    with transaction() as session:
        organiser = session.scalars(select(Organiser).where(Organiser.email == PETRA)).one()
        organiser.totp_since = datetime.now(UTC)
    petra = half_signed_in(world, PETRA)
    statuses = [world.post("/organise/account/second-factor", {"code": "123456"}, petra).status_code for _ in range(4)]
    assert statuses == [422, 422, 422, 429]


def test_an_offer_of_a_secret_is_good_for_its_own_organiser_alone(world: World) -> None:
    world.add_organisers()
    with transaction() as session:
        olive, petra = (session.scalars(select(Organiser).where(Organiser.email == one)).one() for one in (OLIVE, PETRA))
        token = second_factor.offer(olive).token
        assert second_factor.offer(olive, token).token == token
        with pytest.raises(NotFound):
            second_factor.offer(petra, token)


def test_the_secret_is_not_readable_in_the_database(world: World) -> None:
    world.add_organisers()
    world.sign_in(PETRA)
    sealed = world.rows(select(Organiser.totp_sealed).where(Organiser.email == PETRA))[0]
    assert world.secrets[PETRA] not in sealed


def test_the_session_has_a_new_key_once_it_may_do_more(world: World) -> None:
    world.add_organisers()
    world.sign_in(PETRA)
    petra = half_signed_in(world, PETRA)
    before = petra.get_cookie("undersigned")
    assert before is not None
    world.post("/organise/account/second-factor", {"code": world.code(PETRA)}, petra)
    assert petra.get("/organise").status_code == 200
    thief = world.browser()
    thief.set_cookie("undersigned", before.value)
    assert thief.get("/organise").status_code == 303


def test_a_stolen_session_is_seen_and_ended(world: World) -> None:
    world.add_organisers()
    august, thief = world.sign_in(AUGUST), world.sign_in(AUGUST)
    page = august.get("/organise/account").text
    numbers = [int(one) for one in re.findall(r"End session (\d+)", page)]
    assert len(numbers) == 1
    assert world.post(f"/organise/account/sessions/{numbers[0]}/end", {}, august, ACCOUNT).status_code == 303
    assert thief.get("/organise").status_code == 303
    assert august.get("/organise").status_code == 200


def test_nobody_ends_the_session_of_another(world: World) -> None:
    world.add_organisers()
    august, _ = world.sign_in(AUGUST), world.sign_in(PETRA)
    number = world.rows(select(OrganiserSession.id).join(Organiser).where(Organiser.email == PETRA))[0]
    assert world.post(f"/organise/account/sessions/{number}/end", {}, august, ACCOUNT).status_code == 404


def test_whoever_is_removed_is_out_at_once_and_the_last_administrator_stays(world: World) -> None:
    world.add_organisers()
    olive, august = world.sign_in(OLIVE), world.sign_in(AUGUST)
    assert world.post("/organise/organisers/3", {"act": "remove"}, olive, TEAM).status_code == 303
    assert august.get("/organise").status_code == 303
    before = len(world.letters(AUGUST, "sign-in"))
    world.post("/organise/sign-in", {"email": AUGUST})
    world.work()
    assert len(world.letters(AUGUST, "sign-in")) == before
    assert world.post("/organise/organisers/1", {"act": "remove"}, olive, TEAM).status_code == 409
    assert olive.get("/organise").status_code == 200


def test_a_password_signs_in_and_says_nothing_of_who_is_an_organiser(world: World) -> None:
    world.add_organisers()
    august, other = world.sign_in(AUGUST), world.sign_in(AUGUST)
    assert world.post("/organise/account/password", {"password": PASSWORD}, august, ACCOUNT).status_code == 200
    assert other.get("/organise").status_code == 303  # a new password ends every other session
    browser = world.browser()
    wrong = world.post("/organise/sign-in", {"email": AUGUST, "password": "not this one"}, browser)
    nobody = world.post("/organise/sign-in", {"email": AUGUST.replace("august", "nobody"), "password": PASSWORD}, browser)
    assert wrong.status_code == nobody.status_code == 422
    assert TOKEN.sub("", wrong.text) == TOKEN.sub("", nobody.text.replace("nobody@", "august@"))
    assert world.post("/organise/sign-in", {"email": AUGUST, "password": PASSWORD}, browser).status_code == 303
    assert browser.get("/organise").status_code == 200


@pytest.mark.parametrize("password", ["short", "august@example.org!!", "aaaaaaaaaaaaaaaa", "x" * 201])
def test_passwords_that_are_guessed_are_refused(password: str) -> None:
    with pytest.raises(Refused):
        passwords.hashed(password, unlike=AUGUST)


def test_a_session_without_a_second_factor_is_fresh_for_ten_minutes(world: World) -> None:
    world.add_organisers()
    now = datetime.now(UTC)
    with transaction() as session:
        link = accounts.new_link(session, AUGUST, now)
        signed = accounts.signed_in(session, accounts.sign_in(session, link, now), now)
        assert signed is not None
        assert second_factor.shown_lately(signed.organiser, signed, now + timedelta(minutes=9))
        assert not second_factor.shown_lately(signed.organiser, signed, now + timedelta(minutes=11))


@pytest.mark.settings(LIMIT_CODE="100 per 10 minutes")
def test_wrong_codes_are_counted_in_the_audit_told_and_at_an_end_after_twenty(world: World) -> None:
    world.add_organisers()
    world.sign_in(PETRA)
    codes = recovery_codes(world, PETRA)
    petra, page = half_signed_in(world, PETRA), "/organise/account/second-factor"
    for _ in range(failed_codes.MOST):
        assert world.post(page, {"code": "000000"}, petra).status_code == 422
    entries = world.rows(select(AuditEntry).where(AuditEntry.act == "wrong code"))
    assert [(entry.subject, entry.details) for entry in entries] == [("organiser 2", {"what": "code"})] * failed_codes.MOST
    world.work()
    assert len(world.letters(PETRA, "Wrong codes for your account")) == 3
    assert len(world.letters(OLIVE, "Wrong codes for the account of another organiser")) == 2
    assert "Use a recovery code" in world.post(page, {"code": world.code(PETRA)}, petra).text
    assert world.post(page, {"code": codes[0]}, petra).status_code == 303


def test_wrong_passwords_are_told_to_whose_they_would_be_and_to_nobody_else(world: World) -> None:
    world.add_organisers()
    for email in (AUGUST, "stranger@example.org"):
        for _ in range(3):
            world.post("/organise/sign-in", {"email": email, "password": "not this one"})
    world.work()
    assert len(world.letters(AUGUST, "Wrong codes for your account")) == 1
    assert len(world.letters("", "Wrong codes")) == 1
    assert world.rows(select(AuditEntry.details).where(AuditEntry.act == "wrong code")) == [{"what": "password"}] * 3
