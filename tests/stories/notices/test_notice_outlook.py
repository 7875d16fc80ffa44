"""What a notice's pages say of its next serving, of officials who want nothing more, and of a signer's number."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from service.core.db import transaction
from service.models import Consent, Delivery, Official, Request, Serving, Signature
from service.notices import officials, publishing
from service.servings import schedule, serving_lifecycle
from service.signatures import signing
from tests.support import crowd
from tests.support.people import ANN, BEN, CHI, SLUG
from tests.support.world import World, html_of, text_of
from workers import clock

SECRETARY, CHAIR = "General Secretary", "Chair of the NEC"


def page(world: World, path: str = "/") -> str:
    """The words of a page, one space between them."""
    return " ".join(re.sub(r"<[^>]+>", " ", world.get(path).get_data(as_text=True)).split())


def set_milestones(*thresholds: int) -> None:
    with transaction() as session:
        publishing.set_milestones(publishing.find(session, SLUG), thresholds)


def test_the_front_page_knows_when_the_notice_is_served_next(world: World) -> None:
    world.publish(milestones=(3, 10), wait=15)
    assert "At 3 it is served on its officials." in page(world)
    crowd.sign(range(2))
    set_milestones(1, 3, 10)  # one that two people had passed already
    assert "With the next signature it is served on its officials." in page(world)
    assert "At 3 it is served on its officials again." in page(world)
    crowd.sign(range(2, 3))
    assert "It will be served on its officials within the hour." in page(world)
    assert "At 10 it is served on its officials again." in page(world)
    assert "next signature" not in page(world)
    with transaction() as session:
        session.execute(update(Serving).values(due_at=datetime.now(UTC)))
        serving_lifecycle.start(session, 1, datetime.now(UTC))
    assert "It is being served on its officials now." in page(world)
    world.sweep()
    world.work("notices")
    assert "Last on" in page(world)
    assert "being served" not in page(world)
    crowd.sign(range(3, 10))  # the next milestone, within a day of the last letter
    day = datetime.now(UTC) + timedelta(hours=24)
    assert f"It will be served on its officials again on {day.day} {day:%B %Y}." in page(world)
    assert "At 10" not in page(world)
    with transaction() as session:
        serving_lifecycle.stop(session, 2, "organiser 1")
    assert "It will be served" not in page(world)


def test_a_closed_notice_promises_nothing_and_takes_no_form(world: World) -> None:
    world.publish(milestones=(10,), wait=15)
    crowd.sign(range(1))
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC))
        publishing.close(session, SLUG, datetime.now(UTC))
    assert world.rows(select(Serving.state)) == ["stopped"]
    said = page(world, f"/notices/{SLUG}")
    assert "it takes no more signatures, and is served no more" in said
    assert "It never was." in said
    for promise in ("At 10", "will be served", "next signature", "Sign this notice"):
        assert promise not in said, promise
    assert (world.get(f"/notices/{SLUG}/count.json").get_json())["next_milestone"] is None
    form = world.get(f"/notices/{SLUG}/sign").get_data(as_text=True)
    assert "This notice is closed" in form
    assert "<form" not in form
    fields = ANN | {"clp": "", "office": "none", "display": "public", "consent": "yes"}
    answer = world.post(f"/notices/{SLUG}/sign", fields, page="/complaints")  # of a page that was opened before
    assert answer.status_code == 422
    assert "This notice is closed" in answer.text


def object_to(office: str) -> None:
    with transaction() as session:
        official = session.scalars(select(Official).where(Official.office == office)).one()
        delivery = session.scalars(select(Delivery).where(Delivery.official_id == official.id)).first()
        assert delivery is not None
        officials.object_to(session, delivery, datetime.now(UTC))


def test_who_objected_is_named_in_no_consent_and_in_the_register(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(1,))
    crowd.sign(range(1))
    world.work("notices")
    assert f"given to: {SECRETARY}, {CHAIR};" in page(world, f"/notices/{SLUG}/sign")
    object_to(SECRETARY)
    assert f"given to: {CHAIR};" in page(world, f"/notices/{SLUG}/sign")
    world.sign(ANN)
    world.confirm(ANN["email"])
    wordings = world.rows(select(Consent.wording).where(Consent.mailbox == ANN["email"]))
    assert len(wordings) == 2
    assert all(f"given to: {CHAIR};" in wording for wording in wordings)
    register = world.get(f"/notices/{SLUG}/deliveries.json").get_json()
    assert [one["office"] for one in register["objected"]] == [SECRETARY]
    assert f"asked for no more letters: {SECRETARY} (since" in page(world, f"/notices/{SLUG}/deliveries")
    object_to(CHAIR)
    said = page(world, f"/notices/{SLUG}/sign")
    assert "It is given to nobody now" in said
    assert "given to:" not in said


def test_whoever_follows_one_who_objected_gets_no_names_that_were_not_meant_for_them(either_world: World) -> None:
    """Those who signed meanwhile agreed to another list of officials; they are asked."""
    world = either_world
    world.publish(milestones=(1,))
    crowd.sign(range(1))
    world.work("notices")
    object_to(SECRETARY)
    crowd.sign(range(1, 2))
    with transaction() as session:
        line = {"office": SECRETARY, "name": "Lou Marsh", "email": "secretary@nec.example", "source": "party website",
                "verified_on": "2026-11-01"}  # fmt: skip
        assert officials.take_in(session, [officials.read(line)], datetime.now(UTC)) == (1, 0)
        session.execute(update(Serving).values(started_at=datetime.now(UTC) - timedelta(days=2)))
    crowd.sign(range(2, 3))
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC))
    world.work("notices")
    given = {one.office: one.names_given for one in world.rows(select(Delivery).where(Delivery.serving_id == 2))}
    assert given == {SECRETARY: 1, CHAIR: 3}
    assert SECRETARY in page(world, f"/notices/{SLUG}/sign")
    assert world.get(f"/notices/{SLUG}/deliveries.json").get_json()["objected"] == []


def test_who_objects_while_signers_are_asked_is_named_no_more(world: World) -> None:
    world.publish(milestones=(100,))
    world.sign(ANN)
    world.confirm(ANN["email"])
    with transaction() as session:
        line = {"name": "Kim Reed", "source": "party website", "verified_on": "2026-11-01"}
        new = [line | {"office": office, "email": f"{office.lower()}@nec.example"} for office in ("Treasurer", "Auditor")]
        officials.take_in(session, [officials.read(one) for one in new], datetime.now(UTC))
        clock.ask_again(session, datetime.now(UTC))
    world.work()
    link = world.link(world.letters(ANN["email"], "May your name")[0], "confirm")
    assert "to: Treasurer, Auditor" in page(world, link)
    with transaction() as session:
        session.execute(update(Official).where(Official.office == "Treasurer").values(objected_at=datetime.now(UTC)))
    assert "to: Auditor" in page(world, link)
    with transaction() as session:
        session.execute(update(Official).where(Official.office == "Auditor").values(objected_at=datetime.now(UTC)))
    said = world.get(link).get_data(as_text=True)
    assert "have asked for no more letters since" in said
    assert "<button" not in said.partition("<main")[2].partition("</main>")[0]
    with transaction() as session:
        session.execute(update(Official).where(Official.office == "Auditor").values(objected_at=None))
    world.post(link)
    [consent] = world.rows(select(Consent.wording).where(Consent.wording.contains("Auditor"), Consent.act == "confirmed"))
    assert "Treasurer" not in consent


ONCE = "A number is given once: it is not given again when somebody takes a signature back."


def test_a_number_larger_than_the_count_is_explained_wherever_it_is_said(world: World) -> None:
    world.publish(milestones=(100,))
    for person in (ANN, BEN):
        world.sign(person)
    assert ONCE not in world.confirm(ANN["email"]).get_data(as_text=True)
    assert ONCE not in " ".join(text_of(world.letter(ANN["email"], "counts")).split())
    with transaction() as session:
        first = session.scalars(select(Signature).where(Signature.name == ANN["name"])).one()
        signing.withdraw(session, first, datetime.now(UTC))
    confirmed = world.confirm(BEN["email"]).get_data(as_text=True)
    assert "You are number <strong>2</strong>" in confirmed
    assert "<strong>1</strong> person has signed so far. " + ONCE in confirmed
    receipt = world.letter(BEN["email"], "counts")
    assert ONCE in " ".join(text_of(receipt).split())
    assert ONCE in " ".join(html_of(receipt).split())
    assert ONCE in page(world, world.manage(BEN["email"]))
    assert ONCE in page(world, f"/notices/{SLUG}/signatures")
    world.sign(CHI)
    assert ONCE in world.confirm(CHI["email"]).get_data(as_text=True)
    assert len(world.rows(select(Request))) >= 3


@pytest.mark.parametrize("state", ["rehearsal", "live"])
def test_a_rehearsal_is_no_serving_that_waits(world: World, state: str) -> None:
    world.publish(milestones=(100,))
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        session.add(Serving(notice_id=notice.id, edition_id=notice.edition.id, state="due", causes=["organiser"],
                            rehearsal=state == "rehearsal", due_at=datetime.now(UTC) + timedelta(hours=5),
                            created_at=datetime.now(UTC)))  # fmt: skip
        session.flush()
        assert (schedule.outlook(session, notice).serving is None) == (state == "rehearsal")
