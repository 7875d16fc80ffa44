"""Who withdrew after a letter: its officials are told, once, by numbers, with evidence and a place in the register."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.core.db import transaction
from service.inbound import bounces
from service.models import Correction, Delivery, Evidence, Message, Official, Signature, Suppression
from service.notices import publishing, source_file
from service.people import retention
from service.servings import corrections
from service.signatures import signing
from tests.support import crowd
from tests.support.people import ANN, BEN, NOTICE, SLUG
from tests.support.world import World, text_of

DAY = timedelta(days=1)
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
CHAIR = "chair@nec.example"


def send(world: World) -> None:
    """What waited long enough is written and sent."""
    with transaction() as session:
        corrections.send(session, datetime.now(UTC) + DAY)
    with transaction() as session:
        session.execute(update(Message).where(Message.state == "queued").values(due_at=datetime.now(UTC)))
    world.sweep(datetime.now(UTC) + DAY)
    world.work()


def test_a_withdrawal_after_a_letter_is_one_correction_by_numbers(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(3,))
    for person in (ANN, BEN):
        world.sign(person)
        world.confirm(person["email"])
    crowd.sign(range(1))
    world.work()
    for person, act in ((ANN, {"act": "withdraw", "id": "1"}), (BEN, {"act": "erase", "sure": "yes"})):
        world.post(world.manage(person["email"]), act)
    with transaction() as session:
        corrections.send(session, datetime.now(UTC) + 23 * DAY / 24)
    world.work()
    assert world.letters(CHAIR, "Correction") == []
    for _ in range(2):
        send(world)
    said = text_of(world.letter(CHAIR, "Correction"))
    assert "\r\n1, 2\r\n" in said or "\n1, 2\n" in said
    assert "1 person stands" in said
    assert ANN["name"] not in said
    assert BEN["name"] not in said
    assert all(world.rows(select(Correction.sent_at)))
    register = world.get(f"/notices/{SLUG}/deliveries.json").json or {}
    assert {line["office"]: (line["tier"], line["withdrawn"]) for line in register["corrections"]} == dict.fromkeys(
        ("Chair of the NEC", "General Secretary"), ("relay", 2)
    )
    assert [line["count"] for line in register["deliveries"]] == [3, 3]
    assert "2 withdrawn" in world.get(f"/notices/{SLUG}/deliveries").get_data(as_text=True)
    assert len(world.rows(select(Evidence.id).join(Delivery).where(Delivery.correction == 1))) == 2
    with transaction() as session:
        retention.run(session, datetime.now(UTC) + 100 * DAY)
    assert len(world.rows(select(Message.id).where(Message.kind == "correction"))) == 2


def test_an_office_that_never_had_a_name_gets_no_correction(world: World) -> None:
    world.publish(milestones=(2,))
    with transaction() as session:
        session.execute(update(Official).where(Official.email == CHAIR).values(counts_alone=True))
    crowd.sign(range(1))
    world.sign(ANN, display="count")
    world.confirm(ANN["email"])
    for number in (1, 2):
        with transaction() as session:
            signing.withdraw(session, session.get_one(Signature, number), datetime.now(UTC))
    send(world)
    said = " ".join(text_of(world.letter("secretary@nec.example", "Correction")).split())
    assert "1, 2" in said
    assert "one that is not in it was counted without a name" in said
    assert world.letters(CHAIR, "Correction") == []


def test_a_bounced_correction_silences_no_official(world: World) -> None:
    world.publish(milestones=(1,))
    crowd.sign(range(1))
    world.work()
    with transaction() as session:
        signing.withdraw(session, session.scalars(select(Signature)).one(), datetime.now(UTC))
    send(world)
    with transaction() as session:
        letter = session.scalars(select(Message).where(Message.kind == "correction")).first()
        assert letter is not None
        assert bounces.returned(session, letter, "hard", "5.1.1", "no such user", datetime.now(UTC), wait=False)
    assert world.rows(select(Suppression)) == []


def test_a_withdrawal_before_any_letter_needs_no_correction(world: World) -> None:
    world.publish(milestones=(100,))
    crowd.sign(range(1))
    with transaction() as session:
        signing.withdraw(session, session.scalars(select(Signature)).one(), datetime.now(UTC))
    assert world.rows(select(Correction)) == []


def test_corrections_are_forgotten_a_year_after_they_were_sent(world: World) -> None:
    with transaction() as session:
        for sent_at in (datetime.now(UTC), None):
            session.add(Correction(edition_id=_edition(session), sequence=1, agreed_at=AT, withdrawn_at=AT, sent_at=sent_at))
    for days, left in ((364, 2), (366, 1)):
        with transaction() as session:
            retention.run(session, datetime.now(UTC) + days * DAY)
        assert len(world.rows(select(Correction.id))) == left


def _edition(session: Session) -> int:
    notice = publishing.take_in(session, source_file.read_file(NOTICE), AT)
    return publishing.freeze(session, notice, AT).id
