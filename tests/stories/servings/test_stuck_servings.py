"""A serving that cannot be made: everybody who can act hears of it, and it can be tried again or stopped."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from service.core import queues
from service.core.db import transaction
from service.models import Delivery, Failure, Message, Serving, ToldProblem
from service.notices import publishing
from service.operations import failures
from service.servings import enclosures, schedule, serving_lifecycle
from tests.support import crowd
from tests.support.broken_tables import SECRET, refusing
from tests.support.people import AUGUST, OLIVE, PETRA, SLUG
from tests.support.problem_list import press
from tests.support.world import World, text_of
from workers import clock

pytestmark = pytest.mark.settings(SECOND_FACTOR="off")


def order(world: World) -> None:
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        serving_lifecycle.order(session, notice, publishing.to_serve(session, notice, datetime.now(UTC)), datetime.now(UTC))
    world.work("notices")


def fail_again(world: World, times: int = 1) -> None:
    """The clock rings, and the worker fails once more."""
    for _ in range(times):
        world.sweep()
        world.work("notices")


def state(world: World) -> str:
    return str(world.rows(select(Serving.state).order_by(Serving.id.desc()))[0])


def tell(world: World, after: timedelta = timedelta()) -> None:
    """The clock looks for what is wrong, which has lasted for so much longer."""
    with transaction() as session:
        session.execute(update(ToldProblem).values(seen_at=datetime.now(UTC) - after))
        clock.tell_organisers(session, datetime.now(UTC))
    world.work("prompt")


def test_a_serving_that_fails_is_told_everywhere_and_goes_on_at_the_press_of_a_button(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(100,))
    world.add_organisers()
    petra = world.sign_in(PETRA)
    with refusing("INSERT ON enclosures"):
        order(world)
        assert "serving 1" not in world.get("/readyz").get_json()  # once may be chance
        fail_again(world)
        queues.redis().flushall()
        ready = world.get("/readyz")
        assert ready.status_code == 503
        said = ready.get_json()["serving 1"]
        assert said.startswith(
            "Serving 1 of the notice open-the-books could not be made; no letter of it has left. It failed 2 times"
        )
        assert "because the database did not do what was asked. Since 20" in said
        for path in ("/organise", "/organise/servings/1"):
            page = world.get(path, petra).text
            assert "could not be made; no letter of it has left" in page, path
            assert "Try again now" in page, path
            assert "Stop this serving" in page, path
            assert SECRET not in page
        status = world.app.test_cli_runner().invoke(args=["notices", "status", SLUG])
        assert "serving 1: Serving 1 of the notice" in status.output
        as_json = world.app.test_cli_runner().invoke(args=["notices", "status", SLUG, "--json"])
        assert list(json.loads(as_json.output)["notices"][0]["problems"]) == ["serving 1"]
        assert "not served: it waits since" in world.get("/organise/notices", petra).text
    assert press(world, "try serving", "serving 1", petra) == 303
    world.work("notices")
    assert state(world) == "written"
    assert "serving 1" not in world.get("/readyz").get_json()
    assert world.rows(select(Failure)) == []
    assert "could not be made" not in world.get("/organise", petra).text


def test_organisers_are_told_once_by_an_e_mail(world: World) -> None:
    world.publish(milestones=(100,))
    world.add_organisers()
    with refusing("INSERT ON enclosures"):
        order(world)
        fail_again(world)
        tell(world)
        assert world.letters(PETRA, "Needs you") == []  # what is over within a minute is told nobody
        for minutes in (2, 3, 600):
            tell(world, timedelta(minutes=minutes))
    for email in (OLIVE, PETRA, AUGUST):
        letter = text_of(world.letter(email, "Needs you"))
        assert "Serving 1 of the notice open-the-books could not be made" in letter
        assert "/organise/servings/1" in letter


@pytest.mark.parametrize("waits", ["due", "started"])
def test_a_serving_that_nobody_takes_up_is_told_after_ten_minutes(world: World, waits: str) -> None:
    world.publish(milestones=(100,))
    long_ago = datetime.now(UTC) - timedelta(minutes=11)
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC))
        session.execute(update(Serving).values(due_at=long_ago))
        if waits == "started":
            serving_lifecycle.start(session, 1, long_ago)
    said = world.get("/readyz").get_json()["serving 1"]
    assert "could not be made; no letter of it has left. It has waited for longer than ten minutes. Since 20" in said


def test_a_serving_is_stopped_while_its_documents_are_made(either_world: World) -> None:
    """Then its notice can be served again at once: nobody has had a letter."""
    world = either_world
    world.publish(milestones=(100,))
    world.add_organisers()
    august = world.sign_in(AUGUST)
    with refusing("INSERT ON enclosures"):
        order(world)
        assert state(world) == "started"
        page = world.get("/organise", august).text
        assert "its letters are being written" in page
        assert world.post("/organise/servings/1/stop", {}, august, page="/organise").status_code == 303
    assert state(world) == "stopped"
    fail_again(world)
    assert world.rows(select(Delivery)) == []
    assert "stopped by organiser 3" in world.get("/organise/servings/1", august).text
    assert world.post("/organise/servings/1/stop", {}, august, page="/organise").status_code == 409
    assert press(world, "stop serving", "serving 1", august) == 409
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        assert schedule.last_served_at(session, notice) is None
    order(world)
    assert state(world) == "written"
    assert len(world.rows(select(Delivery))) == 2


def test_stopping_and_writing_at_the_same_moment_one_of_them_wins(either_world: World) -> None:
    either_world.publish(milestones=(100,))
    outcomes = []
    for number in range(1, 9):
        with transaction() as session:
            session.execute(update(Serving).where(Serving.state == "written").values(count=-1))  # something is new each time
            notice = publishing.find(session, SLUG)
            assert notice.edition is not None
            serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC))
            assert serving_lifecycle.start(session, number, datetime.now(UTC))
            serving = session.get_one(Serving, number)
            made = [(cohort, enclosures.make(session, serving, cohort)) for cohort in enclosures.cohorts(session, serving)]

        def write(number: int = number, made: object = made) -> bool:
            with transaction() as session:
                return serving_lifecycle.write(session, number, made, datetime.now(UTC))  # type: ignore[arg-type]

        def stop(number: int = number) -> bool:
            with transaction() as session:
                return serving_lifecycle.stop(session, number, "organiser 1")

        written, stopped = crowd.at_once([write, stop])
        assert {written, stopped} == {True, False}
        letters = either_world.rows(select(func.count()).select_from(Delivery).where(Delivery.serving_id == number))[0]
        assert letters == (2 if written else 0)
        outcomes.append(either_world.rows(select(Serving.state).where(Serving.id == number))[0])
    assert set(outcomes) <= {"written", "stopped"}


@pytest.mark.parametrize("either_world", ["postgresql"], indirect=True)  # SQLite has one writer
def test_a_second_worker_that_looked_too_early_stops_nothing(either_world: World) -> None:
    """It saw that the serving was due; once it has the lock, the first has started it, and nothing is new since then."""
    either_world.publish(milestones=(100,))
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC))
    with transaction() as late:
        assert late.get_one(Serving, 1).state == "due"
        with transaction() as early:
            assert serving_lifecycle.start(early, 1, datetime.now(UTC))
        assert not serving_lifecycle.start(late, 1, datetime.now(UTC))
    assert state(either_world) == "started"


def test_what_fails_is_tried_less_and_less_often(world: World) -> None:
    world.publish(milestones=(100,))
    with refusing("INSERT ON enclosures"):
        order(world)
        fail_again(world, 5)
        rung = []
        for seconds in (1, 30, 59, 61):
            queues.redis().flushall()
            with transaction() as session:
                at = datetime.now(UTC) + timedelta(seconds=seconds)
                clock.sweep_servings(session, at)
                failures.silence_resting(session, at)
            rung.append(queues.waiting(queues.NOTICES))
    assert rung == [0, 0, 0, 1]
    assert world.rows(select(Message).where(Message.kind == "serving")) == []
