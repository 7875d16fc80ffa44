"""What cannot be undone takes two people, and one administrator who invites a second self is not two; the brakes take one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from service.core.db import transaction
from service.models import Edition, Mailing, MailingVersion, Message, Notice, Official, Organiser, Proposal, Serving
from service.notices import publishing, source_file
from tests.support import crowd
from tests.support.people import ANN, AUGUST, BEN, NOTICE, OLIVE, PETRA, SLUG
from tests.support.world import World
from workers import jobs

TEAM, PAGE, HOLD = "/organise/organisers", f"/organise/notices/{SLUG}", "/organise/officials/1/hold"
SECOND_SELF = "olive+b@example.org"


def decide(world: World, browser: FlaskClient, verdict: str = "approve") -> int:
    [number] = world.rows(select(Proposal.id).where(Proposal.state == "open"))
    return world.post(f"/organise/proposals/{number}", {"act": verdict}, browser, page="/organise/notices").status_code


def submitted(world: World, browser: FlaskClient, subject: str) -> tuple[str, dict[str, str]]:
    form = {"list": "updates", "subject": subject, "body": "Hello."}
    where = world.post("/organise/updates/new", form, browser).headers["Location"]
    seen = world.get(where, browser).text.split('name="seen" value="')[1].split('"')[0]
    world.post(where, {"act": "submit", "seen": seen}, browser)
    return where, {"act": "send", "seen": seen}


def readers(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    world.subscribe(BEN)
    world.confirm(BEN["email"])


def role_of(world: World, email: str) -> list[str]:
    return world.rows(select(Organiser.role).where(Organiser.email == email, Organiser.removed_at.is_(None)))


def test_one_administrator_is_not_two_people(world: World) -> None:
    """The attack: she invites her second self, signs in as her, and approves what she wrote."""
    readers(world)
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    where, send = submitted(world, olive, "To all")
    assert world.post(TEAM, {"email": SECOND_SELF, "role": "approver"}, olive).status_code == 303
    assert role_of(world, SECOND_SELF) == []
    assert decide(world, olive) == 409
    assert "olive+b@example.org" in world.get(TEAM, olive).text
    assert decide(world, petra) == 303  # she was talked into it
    assert role_of(world, SECOND_SELF) == ["approver"]
    second = world.sign_in(SECOND_SELF)
    answer = world.post(where, send, second)
    assert answer.status_code == 409
    assert "You can approve from" in answer.text
    tomorrow = datetime.now(UTC) - timedelta(hours=25)
    with transaction() as session:
        session.execute(update(Organiser).where(Organiser.email == SECOND_SELF).values(role_since=tomorrow))
    assert world.post(where, send, second).status_code == 303  # a day later, what was written since is approved by her
    assert world.rows(select(Mailing.state)) == ["approved"]


def test_what_the_inviter_wrote_meanwhile_needs_somebody_else_for_ever(world: World) -> None:
    readers(world)
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    world.post(TEAM, {"email": SECOND_SELF, "role": "approver"}, olive)
    decide(world, petra)
    where, send = submitted(world, olive, "To all")
    second = world.sign_in(SECOND_SELF)
    with transaction() as session:  # 25 hours pass for the role, and the update was written in the first of them
        since = datetime.now(UTC) - timedelta(hours=25)
        session.execute(update(Organiser).where(Organiser.email == SECOND_SELF).values(role_since=since))
        session.execute(update(MailingVersion).values(saved_at=since + timedelta(hours=1)))
    assert "Somebody else must approve this" in world.post(where, send, second).text
    assert world.post(where, send, petra).status_code == 303


def test_a_role_that_may_do_more_takes_two_and_less_is_given_at_once(world: World) -> None:
    world.add_organisers()
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    world.post(TEAM, {"email": AUGUST, "role": "administrator"}, olive)
    assert role_of(world, AUGUST) == ["author"]
    assert decide(world, petra) == 303
    assert role_of(world, AUGUST) == ["administrator"]
    world.post(TEAM, {"email": AUGUST, "role": "author"}, olive)
    assert role_of(world, AUGUST) == ["author"]


def test_a_second_factor_is_taken_off_by_two(world: World) -> None:
    world.add_organisers()
    olive, petra, _ = world.sign_in(OLIVE), world.sign_in(PETRA), world.sign_in(PETRA)
    petras = world.rows(select(Organiser.id).where(Organiser.email == PETRA))[0]
    world.post(f"{TEAM}/{petras}", {"act": "take off second factor"}, olive, TEAM)
    assert world.rows(select(Organiser.totp_since).where(Organiser.email == PETRA)) != [None]
    assert decide(world, petra) == 303  # whoever lost it is known to somebody else as well
    assert world.rows(select(Organiser.totp_since).where(Organiser.email == PETRA)) == [None]


def test_a_notice_is_served_now_and_closed_by_two(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    crowd.sign(range(1))
    for act, rows in (("serve", select(Serving.id)), ("close", select(Notice.id).where(Notice.state == "closed"))):
        world.post(PAGE, {"act": act}, olive)
        assert world.rows(rows) == [], act
        assert decide(world, olive) == 409
        assert decide(world, petra, "refuse") == 303
        assert world.rows(rows) == [], act
        world.post(PAGE, {"act": act}, petra)
        assert decide(world, olive) == 303
        assert world.rows(rows) == [1], act


def test_an_update_pauses_at_once_and_is_cancelled_by_two(world: World) -> None:
    readers(world)
    olive, petra, august = world.sign_in(OLIVE), world.sign_in(PETRA), world.sign_in(AUGUST)
    where, send = submitted(world, august, "Hello")
    world.post(where, send, petra)
    with transaction() as session:
        session.execute(update(Mailing).values(state="sending", approved_at=datetime.now(UTC)))
    world.post(where, {"act": "cancel", "seen": ""}, petra)
    assert world.rows(select(Mailing.state)) == ["paused"]
    assert "Cancelling an update for good" in world.get("/organise", olive).text
    assert decide(world, petra) == 409
    assert decide(world, olive) == 303
    assert world.rows(select(Mailing.state)) == ["cancelled"]


def test_an_official_is_held_back_by_one_and_removed_by_two(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(1, 2))
    world.add_organisers()
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    world.post("/organise/officials/1/remove", {}, olive, "/organise/officials")
    assert world.rows(select(Official.removed_at)) == [None, None]
    world.sign(ANN)
    world.confirm(ANN["email"])
    world.sweep()
    world.work()
    assert (len(world.letters("secretary@nec.example")), len(world.letters("chair@nec.example"))) == (0, 1)
    assert decide(world, petra, "refuse") == 303
    assert world.post(HOLD, {"act": "send again"}, petra, "/organise/officials").status_code == 303
    world.sign(BEN)
    world.confirm(BEN["email"])
    with transaction() as session:
        session.execute(update(Serving).where(Serving.state == "due").values(due_at=datetime.now(UTC)))
    world.sweep()
    world.work()
    assert len(world.letters("secretary@nec.example")) == 1
    world.post("/organise/officials/1/remove", {}, olive, "/organise/officials")
    assert decide(world, petra) == 303
    assert world.rows(select(Official.removed_at).order_by(Official.id))[0] is not None


def test_a_letter_that_waits_for_an_office_that_is_held_back_goes_later(world: World) -> None:
    world.publish(milestones=(1,))
    world.add_organisers()
    petra = world.sign_in(PETRA)
    crowd.sign(range(1))
    jobs.serve(1)  # its letters are written, and wait
    with transaction() as session:
        session.execute(update(Official).where(Official.id == 1).values(held_at=datetime.now(UTC)))
    world.sweep(datetime.now(UTC) + timedelta(minutes=1))
    world.work()
    assert world.letters("secretary@nec.example") == []
    assert world.post(HOLD, {"act": "send again"}, petra, "/organise/officials").status_code == 303
    with transaction() as session:
        session.execute(update(Message).where(Message.state == "queued").values(due_at=datetime.now(UTC)))
    world.sweep(datetime.now(UTC) + timedelta(minutes=1))
    world.work()
    assert len(world.letters("secretary@nec.example")) == 1


@pytest.mark.settings(APPROVALS="0")
def test_where_one_may_do_it_all_a_press_does_it(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    world.post(TEAM, {"email": SECOND_SELF, "role": "approver"}, olive)
    assert role_of(world, SECOND_SELF) == ["approver"]
    crowd.sign(range(1))
    world.post(PAGE, {"act": "serve"}, olive)
    assert world.rows(select(Serving.id)) == [1]
    world.post(PAGE, {"act": "close"}, olive)
    assert world.rows(select(Notice.state)) == ["closed"]


def test_a_new_text_is_served_once_two_organisers_made_it_an_edition(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    petra, olive = world.sign_in(PETRA), world.sign_in(OLIVE)
    crowd.sign(range(1))
    with transaction() as session:
        publishing.take_in(session, source_file.read_file(NOTICE.replace("every month", "every week")), datetime.now(UTC))
    assert "is not published" in world.get(PAGE, olive).get_data(as_text=True)
    world.post(PAGE, {"act": "serve"}, olive)
    assert decide(world, petra) == 303
    assert world.rows(select(Edition.number)) == [1]
    assert world.rows(select(Serving.edition_id)) == [1]
    world.post(PAGE, {"act": "live"}, petra)
    assert decide(world, olive) == 303
    assert world.rows(select(Edition.number).order_by(Edition.number)) == [1, 2]
    assert "is not published" not in world.get(PAGE, olive).get_data(as_text=True)
