"""The organisers' pages for notices: what takes two takes two, and each act does what its button says, once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from service.core.db import transaction
from service.errors import Refused
from service.models import AuditEntry, Notice, Official, Organiser, OrganiserSession, Proposal, Serving
from service.notices import officials, publishing, source_file
from service.organisers import proposals
from tests.support import crowd
from tests.support.people import AUGUST, NOTICE, OLIVE, PETRA, SLUG
from tests.support.world import World

PAGE = f"/organise/notices/{SLUG}"
SECRETARY = {
    "office": "General Secretary", "name": "Morgan Fell", "email": "new@nec.example", "fallback_email": "",
    "source": "phone call", "verified_on": "2026-11-20",
}  # fmt: skip


def decide(world: World, act: str, client: FlaskClient, page: str = "/organise/notices") -> int:
    """Presses a button of the proposal that is open."""
    [number] = world.rows(select(Proposal.id).where(Proposal.state == "open"))
    token = world.get(page, client).get_data(as_text=True).split('name="csrf_token" value="')[1].split('"')[0]
    return client.post(f"/organise/proposals/{number}", data={"act": act, "csrf_token": token}).status_code


def rehearsing() -> None:
    with transaction() as session:
        publishing.take_in(session, source_file.read_file(NOTICE), datetime.now(UTC))


def test_an_officials_new_address_takes_a_second_organiser(world: World) -> None:
    world.publish()
    world.add_organisers()
    august, petra, olive = world.sign_in(AUGUST), world.sign_in(PETRA), world.sign_in(OLIVE)
    assert world.post("/organise/officials", SECRETARY, petra).status_code == 403  # no administrator
    assert world.post("/organise/officials", SECRETARY, olive).status_code == 303
    assert world.post("/organise/officials", SECRETARY, olive).status_code == 303  # a double press
    address = select(Official.email).where(Official.office == "General Secretary")
    assert "new@nec.example" in world.get("/organise/officials", petra).get_data(as_text=True)
    assert "new@nec.example" in world.get("/organise", petra).get_data(as_text=True)  # it waits on the dashboard, too
    assert world.rows(address) == ["secretary@nec.example"]
    assert decide(world, "approve", olive) == 409  # her own
    assert decide(world, "approve", august) == 403  # no approver
    assert decide(world, "refuse", august) == 409  # nor his to take back
    assert decide(world, "dance", petra) == 409
    assert world.rows(address) == ["secretary@nec.example"]
    assert decide(world, "approve", petra) == 303
    assert world.rows(address) == ["new@nec.example"]
    assert world.rows(select(Proposal.state)) == ["approved"]
    entries = world.rows(select(AuditEntry).where(AuditEntry.subject == "proposal 1").order_by(AuditEntry.id))
    assert [(one.act, one.organiser_id) for one in entries] == [("propose", 1), ("propose", 1), ("approve", 2)]


def test_two_approvals_at_once_are_one(either_world: World) -> None:
    world = either_world
    world.publish()
    world.add_organisers()
    with transaction() as session:
        people = {one.email: one for one in session.scalars(select(Organiser))}
        officials.propose(session, SECRETARY, people[AUGUST], datetime.now(UTC))

    def approve(who: str) -> None:
        with transaction() as session:
            officials.approve(session, proposals.hold(session, 1), people[who], datetime.now(UTC))

    results = crowd.at_once([lambda: approve(OLIVE), lambda: approve(PETRA)])
    assert [type(one) for one in sorted(results, key=str)] in ([type(None), Refused], [Refused, type(None)])
    assert "new@nec.example" in world.rows(select(Official.email))


def test_what_is_refused_does_not_happen(world: World) -> None:
    world.publish()
    world.add_organisers()
    petra, olive = world.sign_in(PETRA), world.sign_in(OLIVE)
    world.post("/organise/officials", SECRETARY, olive)
    assert decide(world, "refuse", petra) == 303
    assert "new@nec.example" not in world.rows(select(Official.email))
    token = world.get(PAGE, olive).get_data(as_text=True).split('name="csrf_token" value="')[1].split('"')[0]
    assert olive.post("/organise/proposals/1", data={"act": "approve", "csrf_token": token}).status_code == 409
    assert olive.post("/organise/proposals/7", data={"act": "approve", "csrf_token": token}).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "nobody"), ("office", ""), ("verified_on", "yesterday"), ("fallback_email", "x"), ("name", "=1")],
)
def test_a_bad_field_is_named_and_what_was_entered_stays(world: World, field: str, value: str) -> None:
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    response = world.post("/organise/officials", SECRETARY | {field: value}, olive)
    assert response.status_code == 422
    assert f'id="{field}-error"' in response.get_data(as_text=True)
    assert "phone call" in response.get_data(as_text=True)
    assert world.rows(select(Proposal)) == []


def test_going_live_takes_a_second_organiser_who_saw_that_text(world: World) -> None:
    rehearsing()
    world.add_organisers()
    petra, olive = world.sign_in(PETRA), world.sign_in(OLIVE)
    world.post(PAGE, {"act": "live"}, petra)
    with transaction() as session:
        publishing.take_in(session, source_file.read_file(NOTICE.replace("every month", "every day")), datetime.now(UTC))
    assert decide(world, "approve", olive) == 409
    assert world.rows(select(Notice.state)) == ["rehearsal"]
    decide(world, "refuse", olive)
    world.post(PAGE, {"act": "live"}, petra)
    assert decide(world, "approve", olive) == 303
    assert world.rows(select(Notice.state)) == ["live"]


def test_another_schedule_takes_a_second_organiser(world: World) -> None:
    world.publish(milestones=(10,))
    world.add_organisers()
    petra, olive = world.sign_in(PETRA), world.sign_in(OLIVE)
    wanted = {"act": "schedule", "milestones": "5, 50", "repeats": "weekly", "at_publication": "yes", "wait_minutes": "30"}
    assert world.post(PAGE, wanted | {"milestones": "many"}, petra).status_code == 422
    assert world.post(PAGE, wanted, petra).status_code == 303
    assert world.rows(select(Notice.repeats)) == ["monthly"]
    assert decide(world, "approve", olive) == 303
    [notice] = world.rows(select(Notice))
    assert (notice.repeats, notice.at_publication, notice.wait_minutes) == ("weekly", True, 30)
    assert 'value="5, 50"' in world.get(PAGE, olive).get_data(as_text=True)


@pytest.mark.settings(APPROVALS="0")
def test_a_single_organiser_may_do_it_alone_where_that_was_chosen(world: World) -> None:
    rehearsing()
    world.add_organisers()
    august, olive = world.sign_in(AUGUST), world.sign_in(OLIVE)
    world.post(PAGE, {"act": "live"}, august)
    assert world.rows(select(Notice.state)) == ["rehearsal"]  # an author never could
    world.post("/organise/officials", SECRETARY, olive)
    world.post(PAGE, {"act": "live"}, olive)
    assert world.rows(select(Official.email)) == ["new@nec.example"]
    assert world.rows(select(Notice.state)) == ["live"]
    assert world.rows(select(Proposal.state)) == ["approved", "approved"]


@pytest.mark.settings(APPROVALS="0")
def test_alone_or_not_approving_wants_the_second_factor_again(world: World) -> None:
    rehearsing()
    world.add_organisers()
    petra = world.sign_in(PETRA)
    with transaction() as session:
        session.execute(update(OrganiserSession).values(proved_at=datetime.now(UTC) - timedelta(minutes=11)))
    world.post(PAGE, {"act": "live"}, petra)
    assert world.rows(select(Proposal.state)) == ["open"]
    decide(world, "approve", petra)
    assert world.rows(select(Notice.state)) == ["rehearsal"]
    world.post("/organise/account/second-factor", {"code": world.code(PETRA), "then": PAGE}, petra)
    assert decide(world, "approve", petra) == 303
    assert world.rows(select(Notice.state)) == ["live"]


def test_a_notice_is_served_stopped_and_closed_from_its_page(world: World) -> None:
    world.publish(milestones=(100,), wait=15)
    world.add_organisers()
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    crowd.sign(range(1))
    assert world.post(PAGE, {"act": "serve"}, olive).status_code == 303
    assert world.rows(select(Serving.id)) == []
    assert decide(world, "approve", petra) == 303
    assert "Stop it" in world.get(PAGE, olive).get_data(as_text=True)
    world.post(PAGE, {"act": "demand", "demand": "1", "on": "2026-11-20"}, olive)
    assert "Met on 20 November 2026" in world.get(PAGE, olive).get_data(as_text=True)
    assert world.post(PAGE, {"act": "demand", "demand": "9", "on": ""}, olive).status_code == 404
    assert world.post(PAGE, {"act": "demand", "demand": "1", "on": "soon"}, olive).status_code == 409
    assert world.post(PAGE, {"act": "dance"}, olive).status_code == 409
    world.post(PAGE, {"act": "close"}, olive)
    assert world.rows(select(Notice.state)) == ["live"]
    assert decide(world, "approve", petra) == 303
    assert world.rows(select(Notice.state)) == ["closed"]
    entries = world.rows(select(AuditEntry).where(AuditEntry.subject == f"notice {SLUG}").order_by(AuditEntry.id))
    assert [(one.act, one.details) for one in entries] == [
        ("serve", {}), ("demand", {"demand": "1", "on": "2026-11-20"}), ("close", {}),
    ]  # fmt: skip


def test_a_serving_shows_its_evidence(world: World) -> None:
    world.publish(milestones=(1,))
    world.add_organisers()
    crowd.sign(range(1))
    world.work("notices")
    olive = world.sign_in(OLIVE)
    page = world.get("/organise/servings/1", olive).get_data(as_text=True)
    assert "Evidence (1)" in page
    assert "Bytes sent" in page
    chain = json.loads(world.post(f"{PAGE}/evidence.json", {}, olive, page=PAGE).data)
    assert [one["office"] for one in chain["records"]] == ["General Secretary", "Chair of the NEC"]
    assert world.get("/organise/servings/99", olive).status_code == 404


def test_old_addresses_are_warned_of_before_serving(world: World) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    assert "verified more than" not in world.get(PAGE, olive).get_data(as_text=True)
    with transaction() as session:
        old = datetime.now(UTC).date() - timedelta(days=181)
        session.execute(update(Official).where(Official.office == "General Secretary").values(verified_on=old))
    page = world.get(PAGE, olive).get_data(as_text=True)
    assert "General Secretary: secretary@nec.example" in page
    with transaction() as session:
        assert [one.office for one in officials.stale(session, datetime.now(UTC))] == ["General Secretary"]


def test_editions_are_shown_with_their_difference(world: World) -> None:
    world.publish()
    world.add_organisers()
    with transaction() as session:
        publishing.take_in(session, source_file.read_file(NOTICE.replace("every month", "every <b>week")), datetime.now(UTC))
        publishing.publish(session, SLUG, datetime.now(UTC))
    page = world.get(PAGE, world.sign_in(OLIVE)).get_data(as_text=True)
    assert "<del>Until then we ask every month.</del>" in page
    assert "<ins>Until then we ask every &lt;b&gt;week.</ins>" in page


def test_a_removed_official_gets_nothing_more(world: World) -> None:
    world.publish(milestones=(1,))
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    world.get("/organise/officials", olive)
    token = world.get("/organise/officials", olive).get_data(as_text=True).split('name="csrf_token" value="')[1].split('"')[0]
    assert olive.post("/organise/officials/1/remove", data={"csrf_token": token}).status_code == 303
    crowd.sign(range(1))
    world.work("notices")
    assert world.letters("secretary@nec.example") == []
    assert len(world.rows(select(Serving))) == 1
