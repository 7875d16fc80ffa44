"""Every kind of work that fails each time: who is told, what the buttons do, and that nothing else waits for it."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from service.core.db import transaction
from service.inbound import spool
from service.models import Arrival, Import, Mailing, MailingReport, Message, Subscription
from service.subscriptions import imports
from tests.inbound.post import DOMAIN, letter
from tests.support.broken_tables import SECRET, refusing
from tests.support.crowd import mailing_to
from tests.support.people import ANN, BEN, CHI, OLIVE, PETRA
from tests.support.problem_list import press, ready, try_once_more
from tests.support.world import World
from workers import clock

pytestmark = pytest.mark.settings(SECOND_FACTOR="off", APPROVALS="0")
NOW = datetime.now(UTC)
ASK = f"updates-subscribe@{DOMAIN}"


def send_file(world: World, olive: FlaskClient) -> None:
    """Two people from a file, its columns told apart."""
    token = world.get("/organise/imports", olive).text.split('name="csrf_token" value="')[1].split('"')[0]
    file = (io.BytesIO(b"email\nann@example.org\nben@example.org\nnobody\n"), "members.csv")
    form = {"csrf_token": token, "list": "updates", "source": "paper forms, 2026", "file": file}
    assert olive.post("/organise/imports", data=form, content_type="multipart/form-data").status_code == 303
    world.post("/organise/imports/1", {"act": "judge", "email": "email"}, olive)


def test_a_file_that_cannot_be_read_is_told_to_those_who_may_open_it(either_world: World) -> None:
    world = either_world
    world.publish()
    world.add_organisers()
    olive, petra = world.sign_in(OLIVE), world.sign_in(PETRA)
    with refusing("INSERT ON import_lines"):
        send_file(world, olive)
        try_once_more(world, 2)
        assert "Import 1 does not go on. It failed 2 times in a row, because the database" in ready(world)["import 1"]
        page = world.get("/organise", olive).text
        for shown in ("members.csv", "/organise/imports/1", "IntegrityError at", "Drop the file"):
            assert shown in page or shown == "IntegrityError at", shown
        assert SECRET not in page
        page = world.get("/organise", petra).text
        assert "Import 1 does not go on" in page
        assert "members.csv" not in page
        assert "Drop the file" not in page
        assert press(world, "stop import", "import 1", petra) == 403
        assert press(world, "try import", "import 1", olive) == 303
        assert "import 1" not in ready(world)
        try_once_more(world, 2)
        assert press(world, "stop import", "import 1", olive) == 303
    assert world.rows(select(Import.state)) == ["dropped"]
    assert "import 1" not in ready(world)
    assert press(world, "stop import", "import 1", olive) == 409


def test_a_file_that_vanished_while_its_people_were_taken_in_ends_in_words(world: World) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    send_file(world, olive)
    world.work()
    imports.file_of(1).unlink()
    world.post("/organise/imports/1", {"act": "take in"}, olive)
    world.work()
    assert world.rows(select(Import.state)) == ["failed"]
    assert "The file is not there any more." in world.get("/organise/imports/1", olive).text


def test_a_file_that_is_stopped_half_way_says_who_stays(world: World) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    send_file(world, olive)
    world.work()
    world.post("/organise/imports/1", {"act": "take in"}, olive)
    with transaction() as session:  # a worker has taken the first in, and fails from then on
        session.execute(update(Import).values(done=1, good=1))
    assert press(world, "stop import", "import 1", olive) == 303
    page = world.get("/organise/imports/1", olive).text
    assert "1 person had been taken in by then, and stays." in page
    assert "Nothing of it was stored" not in page
    world.work()
    assert world.rows(select(Import.state)) == ["dropped"]


def test_one_message_that_cannot_be_taken_in_keeps_none_of_the_others_waiting(either_world: World) -> None:
    world = either_world
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    people = [person["email"] for person in (ANN, BEN, CHI)]
    with refusing("UPDATE ON arrivals", "NEW.id = 1 AND NEW.state = 'done'"):
        with transaction() as session:
            spool.store(session, [spool.Mail("lmtp", email, [ASK], letter(email, ASK)) for email in people], NOW)
            spool.ring(session)
        world.work()
        assert sorted(world.rows(select(Subscription.email))) == sorted(people[1:])
        for _ in range(2):
            with transaction() as session:
                session.execute(update(Arrival).where(Arrival.id == 1).values(leased_until=NOW - timedelta(minutes=2)))
            try_once_more(world)
        assert "Message 1 that came in was not acted on. It failed 3 times in a row" in ready(world)["arrival 1"]
        with transaction() as session:
            session.execute(update(Arrival).where(Arrival.id == 1).values(leased_until=NOW - timedelta(minutes=2)))
        try_once_more(world)
        assert "lies in quarantine" in ready(world)["arrival 1"]
        page = world.get("/organise", olive).text
        assert "/organise/inbox?folder=quarantine" in page
    assert press(world, "try arrival", "arrival 1", olive) == 303
    world.work()
    assert sorted(world.rows(select(Subscription.email))) == sorted(people)
    assert "arrival 1" not in ready(world)
    assert press(world, "try arrival", "arrival 1", olive) == 409


def test_one_report_that_cannot_be_counted_keeps_none_of_the_others_waiting(either_world: World) -> None:
    world = either_world
    world.add_organisers()
    for _ in range(2):
        with transaction() as session:
            session.execute(update(Mailing).values(state="sent"))
        if not world.rows(select(Mailing)):
            mailing_to(3, NOW)
    with transaction() as session:
        first = session.scalars(select(Mailing)).one()
        session.add(Mailing(slug="second", list_id=first.list_id, subject="Second", body="b", state="sent", created_at=NOW,
                            finished_at=NOW))  # fmt: skip
        first.state, first.finished_at = "sent", NOW
    with refusing("INSERT ON mailing_reports", "NEW.mailing_id = 1"):
        for seconds in (0, 1, 70, 71):
            with transaction() as session:
                clock.count_mailings(session, NOW + timedelta(seconds=seconds))
        assert world.rows(select(MailingReport.mailing_id)) == [2]
        assert "The report of update 1 could not be counted" in ready(world)["report 1"]
    olive = world.sign_in(OLIVE)
    assert press(world, "try report", "report 1", olive) == 303
    for _ in range(2):
        with transaction() as session:
            clock.count_mailings(session, NOW)
    assert sorted(world.rows(select(MailingReport.mailing_id))) == [1, 2]
    assert "report 1" not in ready(world)


def test_a_duty_of_the_clock_that_fails_keeps_no_other_waiting_and_is_told(either_world: World) -> None:
    either_world.publish()
    either_world.subscribe(BEN)
    duties = {duty.name: duty for duty in clock.duties()}
    known = [duties["count_days"], duties["forget_files"], duties["beat"]]
    with refusing("INSERT ON days"):
        clock.tick(known, 1000.0)
        assert [duty.next_at for duty in known] == [1060.0, 4600.0, 1005.0]  # what failed is tried again within a minute
        clock.tick(known, 1060.0)
        said = ready(either_world)["duty count_days"]
        assert "The clock cannot do one of its duties: to count each day's signatures and subscriptions." in said
    clock.tick(known, 1120.0)
    assert "duty count_days" not in ready(either_world)
    assert known[0].next_at == 1420.0


def test_every_duty_of_the_clock_has_its_words() -> None:
    assert {duty.name for duty in clock.duties()} == set(clock.failures.DUTIES)


def test_letters_that_no_worker_can_send_are_told_in_one_row(either_world: World) -> None:
    world = either_world
    world.publish()
    world.add_organisers()
    petra = world.sign_in(PETRA)
    with refusing("UPDATE ON messages", "NEW.kind = 'confirm' AND NEW.state = 'sending'"):
        for person in (ANN, BEN):
            world.sign(person)
        world.work()
        for _ in range(2):
            world.sweep(datetime.now(UTC) + timedelta(seconds=6))
            world.work()
        assert "2 letters could not be sent. It failed several times, because the database" in ready(world)["letters"]
        assert press(world, "stop letters", "letters", petra) == 303
    assert world.rows(select(Message.state).where(Message.kind == "confirm")) == ["cancelled"] * 2
    assert "letters" not in ready(world)
