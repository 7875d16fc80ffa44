"""What no database takes, what a stranger makes us send, what two organisers do at once: a page each, no error of ours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from service.core.db import reading, transaction
from service.mailings import mailing_lifecycle, pausing
from service.models import Complaint, Mailing, Message
from tests.support import crowd
from tests.support.people import ANN, OLIVE, SLUG
from tests.support.world import TOKEN, World
from workers import clock, jobs

HUGE = 10**30


def test_numbers_and_bytes_that_no_database_takes(either_world: World) -> None:
    world = either_world
    world.publish()
    world.add_organisers()
    assert world.get(f"/notices/{SLUG}/signatures?after={HUGE}").status_code == 200
    assert world.get(f"/notices/{SLUG}/signatures?after=-{HUGE}").status_code == 200
    assert world.get("/notices/%00").status_code in {400, 404}
    olive = world.sign_in(OLIVE)
    assert world.get(f"/organise/updates/{HUGE}", olive).status_code in {400, 404}
    token = TOKEN.search(world.get("/organise", olive).get_data(as_text=True))
    assert token
    for number in (7, HUGE):
        page = olive.post(f"/organise/servings/{number}/stop", data={"csrf_token": token[1]})
        assert page.status_code in ({404} if number == 7 else {400, 404})


def test_complaints_cannot_be_used_to_flood_a_mailbox(either_world: World) -> None:
    form = ANN | {"text": "They hold my address."}
    forms = [lambda: either_world.post("/complaints", form, either_world.browser()) for _ in range(8)]
    assert {one.status_code for one in crowd.at_once(forms)} == {200}
    assert len(either_world.rows(select(Complaint))) == 8
    sent = either_world.rows(select(Message.due_at).order_by(Message.due_at))
    assert len(sent) <= 4
    assert len([due for due in sent if due <= datetime.now(UTC)]) == 1


@pytest.mark.settings(APPROVALS="0")
def test_a_cancelled_mailing_withholds_everything_in_chunks(either_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    number = crowd.mailing_to(30, now)
    jobs.fan_out(number)
    monkeypatch.setattr(mailing_lifecycle, "CHUNK", 10)
    monkeypatch.setattr(pausing, "CHUNK", 10)
    with transaction() as session:
        pausing.cancel(session, mailing_lifecycle.hold(session, number), now)
    assert either_world.rows(select(Message.state)).count("cancelled") == 10
    either_world.work("bulk")
    assert set(either_world.rows(select(Message.state))) == {"cancelled"}
    with transaction() as session:  # what a worker had in hand and gave back afterwards
        session.scalars(select(Message)).all()[0].state = "queued"
    with transaction() as session:
        clock.sweep_mailings(session, now)
    either_world.work("bulk")
    assert set(either_world.rows(select(Message.state))) == {"cancelled"}


@pytest.mark.settings(APPROVALS="0")
def test_a_text_cannot_change_while_it_is_approved(either_world: World) -> None:
    """Two organisers at one time: what goes is what was approved, or nothing is approved."""
    now = datetime.now(UTC)
    crowd.mailing_to(1, now)
    for turn in range(4):
        with transaction() as session:
            first = session.scalars(select(Mailing)).all()[0]
            mailing = mailing_lifecycle.draft(session, first.mailing_list, f"Turn {turn}", "Text.", None, now)
            number, seen = mailing.id, mailing_lifecycle.content_hash(mailing)

        def approve(number: int = number, seen: str = seen) -> None:
            with transaction() as session:
                mailing = mailing_lifecycle.hold(session, number)
                mailing_lifecycle.submit(mailing)
                session.flush()
                mailing_lifecycle.approve(session, mailing, None, seen, now)

        def revise(number: int = number) -> None:
            with transaction() as session:
                mailing = mailing_lifecycle.hold(session, number)
                mailing_lifecycle.revise(mailing, mailing.mailing_list, mailing.subject, "Another text.")

        crowd.at_once([approve, revise])
        with reading() as session:
            after = session.get_one(Mailing, number)
            assert (after.state, after.body) in {("approved", "Text."), ("draft", "Another text.")}
