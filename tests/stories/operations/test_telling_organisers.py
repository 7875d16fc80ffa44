"""The e-mail that tells organisers what is wrong: once, to those who can act, also where mail is broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
from rq.serializers import JSONSerializer
from sqlalchemy import select, update

from service.core import queues
from service.core.db import reading, transaction
from service.models import Failure, Import, Message, ToldProblem
from service.operations import health, problems, remedies, telling
from service.web.permissions import MAY
from tests.support.people import ANN, AUGUST, OLIVE, PETRA
from tests.support.problem_list import everything_wrong
from tests.support.servers.smtp_server import SmtpServer
from tests.support.world import Here, World, text_of
from workers import clock

pytestmark = [pytest.mark.usefixtures("relay"), pytest.mark.settings(SECOND_FACTOR="off", APPROVALS="0")]


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    return {"MAIL_TIMEOUT_SECONDS": "1"} | environment | {"MAIL_PORT": str(relay.port)}


def all_well(world: World) -> None:
    """A worker for each queue has registered, and a clock has beaten, as in a service that runs."""
    for name in queues.QUEUES:
        worker = Here([queues.rq_queue(name)], connection=queues.redis(), serializer=JSONSerializer, name=f"well-{name}")
        worker.register_birth()
    with transaction() as session:
        clock.beat(session, datetime.now(UTC))
    assert world.get("/readyz").status_code == 200


def look(minutes: float) -> None:
    """The clock looks; what it saw before was there for so long."""
    with transaction() as session:
        session.execute(update(ToldProblem).values(seen_at=datetime.now(UTC) - timedelta(minutes=minutes)))
        clock.tell_organisers(session, datetime.now(UTC))


def told(world: World, email: str) -> list[str]:
    """The states of the letters about problems to one organiser."""
    return world.rows(select(Message.state).where(Message.kind == "problems", Message.email == email).order_by(Message.id))


def test_the_parts_of_the_service_are_told_to_administrators_alone(world: World, relay: SmtpServer) -> None:
    """No worker and no clock runs in this test, which is wrong enough."""
    world.publish()
    world.add_organisers()
    for minutes in (0, 2, 5):
        look(minutes)
    world.work()
    [letter] = relay.taken
    assert letter.recipients == [OLIVE]
    assert b"Needs you: 5 things do not work" in letter.content
    assert b"No worker listens." in letter.content


def test_where_mail_is_broken_the_letter_waits_and_is_withdrawn_when_all_is_well_again(
    either_world: World, relay: SmtpServer
) -> None:
    world = either_world
    world.publish()
    world.add_organisers()
    all_well(world)
    world.sign(ANN)
    with transaction() as session:
        session.execute(update(Message).values(due_at=datetime.now(UTC) - timedelta(minutes=11)))
    for minutes in (0, 2, 5):
        look(minutes)
    assert (told(world, PETRA), told(world, AUGUST)) == (["queued"], [])
    with transaction() as session:
        session.execute(update(Message).where(Message.kind == "confirm").values(state="accepted"))
    look(5)
    assert told(world, PETRA) == ["cancelled"]
    world.work()
    assert relay.taken == []


def test_who_is_written_to_may_press_each_button(world: World) -> None:
    world.publish()
    world.add_organisers()
    world.sign(ANN)
    everything_wrong()
    with reading() as session:
        rows = problems.of_parts(health.parts()) + problems.present(session, datetime.now(UTC))
    buttons = {button.act for row in rows for button in row.buttons if button.path == "/organise/problems"}
    assert buttons >= {"try mailing", "stop import", "try arrival", "try report", "try letters"}
    for row in rows:
        for button in row.buttons:
            assert button.path != "/organise/problems" or row.roles <= MAY[f"problems.act {button.act}"].roles, row.key
            assert button.path != "/organise/problems" or button.act in remedies.ACTS


def test_what_comes_and_goes_is_told_once(world: World) -> None:
    world.publish()
    world.add_organisers()
    all_well(world)
    world.sign(ANN)
    for minutes in (11, 0, 11, 0, 11):
        with transaction() as session:
            due_at = datetime.now(UTC) - timedelta(minutes=minutes)
            session.execute(update(Message).where(Message.kind == "confirm").values(due_at=due_at))
        look(2)
        look(2)
    assert len(told(world, PETRA)) == 1


def test_what_lasts_a_moment_now_and_again_is_told_nobody(world: World) -> None:
    """A worker that starts again twice: what is there at each look was over between them."""
    world.publish()
    world.add_organisers()
    now = datetime.now(UTC)
    for minutes in range(0, 12, 2):
        with transaction() as session:
            clock.tell_organisers(session, now + timedelta(minutes=minutes))
        all_well(world)
        with transaction() as session:
            clock.tell_organisers(session, now + timedelta(minutes=minutes + 1))
        queues.redis().flushdb()
    assert told(world, OLIVE) == []


def test_a_clock_that_starts_tells_nobody_of_workers_that_start_with_it(world: World) -> None:
    world.publish()
    world.add_organisers()
    now = datetime.now(UTC)
    for minutes in (0, 60):  # Ctrl-C, and `make run` again an hour later
        first = [duty for duty in clock.duties() if duty.name in {"look_anew", "tell_organisers"}]
        for duty in first:
            with transaction() as session:
                duty.act(session, now + timedelta(minutes=minutes))
    assert told(world, OLIVE) == []


def test_one_organiser_gets_no_more_than_a_dozen_such_letters_a_day(world: World) -> None:
    world.publish()
    world.add_organisers()
    all_well(world)
    now = datetime.now(UTC)
    for number in range(1, 16):
        with transaction() as session:
            session.add(Import(list_id=1, organiser_id=1, state="judging", filename="members.csv", source="paper", columns={},
                               created_at=now))  # fmt: skip
            session.add(Failure(job="read_import", row_id=number, count=2, kind="files", place="OSError at intake.py:1",
                                first_at=now, last_at=now))  # fmt: skip
        look(2)
        look(2)
    assert len(told(world, OLIVE)) == telling.MOST_A_DAY
    assert told(world, PETRA) == []


def test_many_problems_are_one_letter_that_names_ten(world: World, relay: SmtpServer) -> None:
    world.publish()
    world.add_organisers()
    all_well(world)
    now = datetime.now(UTC)
    with transaction() as session:
        for number in range(1, 16):
            session.add(Import(list_id=1, organiser_id=1, state="judging", filename=f"{number}.csv", source="paper", columns={},
                               created_at=now))  # fmt: skip
            session.add(Failure(job="read_import", row_id=number, count=2, kind="files", place="OSError at intake.py:1",
                                first_at=now, last_at=now))  # fmt: skip
    look(2)
    look(2)
    world.work()
    text = text_of(message_from_bytes(relay.taken[0].content, policy=policy.default))  # type: ignore[arg-type]
    assert text.count("does not go on") == 10
    assert "and 5 more" in text
    assert "because a file could not be read or written" in " ".join(text.split())
