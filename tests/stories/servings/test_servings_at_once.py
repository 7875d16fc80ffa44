"""When servings fall due, with many at work at one time: once each, merged, stopped in time, true to who withdrew."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from service.core.db import reading, transaction
from service.errors import Refused
from service.models import Correction, Delivery, Edition, Milestone, Notice, Serving, Signature
from service.notices import publishing, source_file
from service.servings import enclosures, serving_lifecycle
from service.signatures import signing
from tests.support import crowd
from tests.support.people import NOTICE, SLUG
from tests.support.world import World, text_of
from workers import clock, jobs

OFFICIALS = ["chair@nec.example", "secretary@nec.example"]


def servings(world: World) -> list[Serving]:
    return world.rows(select(Serving).order_by(Serving.id))


def order() -> int:
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        return serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC)).id


def start(number: int) -> bool:
    with transaction() as session:
        return serving_lifecycle.start(session, number, datetime.now(UTC))


def stop(number: int) -> bool:
    with transaction() as session:
        return serving_lifecycle.stop(session, number, "organiser 1")


def test_a_hundred_confirmations_cross_three_milestones_once_each(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(5, 20, 60))
    keys = crowd.ask(range(100))
    shares = [keys[at::10] for at in range(10)]
    results = crowd.at_once([lambda share=share: [crowd.confirm(key) for key in share] for share in shares])
    assert not [one for one in results if isinstance(one, Exception)]
    assert world.count() == 100
    assert sorted(world.rows(select(Signature.sequence))) == list(range(1, 101))
    assert all(world.rows(select(Milestone.crossed_at)))
    [serving] = servings(world)
    assert sorted(serving.causes) == ["milestone 20", "milestone 5", "milestone 60"]
    crowd.at_once([lambda: jobs.serve(serving.id)] * 4)
    [serving] = servings(world)
    assert (serving.state, serving.count, serving.cut_off) == ("written", 100, 100)
    assert len(world.rows(select(Delivery))) == 2
    world.work("notices")
    assert sorted(letter["To"].addresses[0].addr_spec for letter in world.letters(subject="100 signatures")) == OFFICIALS


def test_two_clocks_at_one_time_make_one_serving_of_a_date(either_world: World) -> None:
    either_world.publish(milestones=(100,))
    now = datetime.now(UTC)
    with transaction() as session:
        publishing.find(session, SLUG).serve_on = now.date()

    def tick() -> None:
        with transaction() as session:
            clock.fall_due(session, now)

    assert crowd.at_once([tick] * 4) == [None] * 4
    [serving] = servings(either_world)
    assert serving.causes == ["date"]
    assert sorted(crowd.at_once([lambda: start(serving.id)] * 4)) == [False, False, False, True]
    assert either_world.rows(select(Notice.serve_on)) == [None]


def test_what_falls_due_within_a_day_of_the_last_letter_is_merged(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(1, 2, 3))
    began = datetime.now(UTC)
    crowd.sign(range(1))
    world.work("notices")
    crowd.sign(range(1, 3))
    first, second = servings(world)
    assert (first.state, second.state) == ("written", "due")
    assert timedelta(0) <= second.due_at - (began + timedelta(hours=24)) < timedelta(minutes=1)
    assert second.causes == ["milestone 2", "milestone 3"]
    with transaction() as session:
        assert not serving_lifecycle.start(session, second.id, second.due_at - timedelta(seconds=1))
    with transaction() as session:
        assert serving_lifecycle.start(session, second.id, second.due_at)
    jobs.serve(second.id)
    assert [(one.state, one.count) for one in servings(world)] == [("written", 1), ("written", 3)]
    assert len(world.rows(select(Delivery))) == 4


def test_ordering_twice_is_one_serving_and_then_refused(either_world: World) -> None:
    either_world.publish(milestones=(100,), wait=15)
    crowd.sign(range(1))
    results = crowd.at_once([order] * 4)
    assert results == [results[0]] * 4
    with transaction() as session:
        serving_lifecycle.start(session, results[0], datetime.now(UTC) + timedelta(minutes=15))
    jobs.serve(results[0])
    with pytest.raises(Refused, match="nothing has changed since"):
        order()
    crowd.sign(range(1, 2))
    assert order() != results[0]


def test_a_serving_is_stopped_while_it_waits_and_while_it_is_made(either_world: World) -> None:
    """Who stops it in the moment in which it starts has stopped it, whichever was first: nothing is written."""
    either_world.publish(milestones=(100,), wait=0)
    first = order()
    assert stop(first)
    assert not start(first)
    jobs.serve(first)
    second = order()
    _, stopped = crowd.at_once([lambda: start(second), lambda: stop(second)])
    assert stopped
    jobs.serve(second)
    assert [one.state for one in servings(either_world)] == ["stopped", "stopped"]
    assert either_world.letters("chair@nec.example") == []


def test_who_withdraws_between_cut_off_and_letter_is_not_named(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(100,), wait=0)
    crowd.sign(range(2))
    number = order()
    start(number)
    with reading() as session:
        serving = session.get_one(Serving, number)
        made = [(cohort, enclosures.make(session, serving, cohort)) for cohort in enclosures.cohorts(session, serving)]
    with transaction() as session:
        leaver = session.scalars(select(Signature).where(Signature.name == crowd.person(0).name)).one()
        signing.withdraw(session, leaver, datetime.now(UTC))
    with transaction() as session, pytest.raises(serving_lifecycle.ListChanged):
        serving_lifecycle.write(session, number, made, datetime.now(UTC))
    jobs.serve(number)
    world.work("notices")
    for official in OFFICIALS:
        said = text_of(world.letter(official))
        assert crowd.person(1).name in said
        assert crowd.person(0).name not in said
    assert world.rows(select(Edition.count)) == [1]


def test_a_rehearsal_that_waits_never_reaches_officials(world: World) -> None:
    """Published while its letters wait: the rehearsal is stopped, and nothing goes to anybody by it."""
    world.add_organisers()
    with transaction() as session:
        now = datetime.now(UTC)
        notice = publishing.take_in(session, source_file.read_file(NOTICE), now)
        serving = serving_lifecycle.order(session, notice, publishing.freeze(session, notice, now), now)
        publishing.publish(session, notice.slug, now)
    world.work()
    world.sweep()
    world.work()
    assert world.rows(select(Serving.state).where(Serving.id == serving.id)) == ["stopped"]
    assert world.letters() == []


def test_who_withdraws_while_the_letters_are_stored_is_in_a_correction(either_world: World) -> None:
    """The letters hold the name and are not committed yet: the withdrawal waits for them, or it would owe nobody anything."""
    either_world.publish(milestones=(100,), wait=0)
    crowd.sign(range(2))
    number = order()
    start(number)
    with reading() as session:
        serving = session.get_one(Serving, number)
        made = [(cohort, enclosures.make(session, serving, cohort)) for cohort in enclosures.cohorts(session, serving)]

    def withdraw() -> None:
        with transaction() as session:
            signing.withdraw(session, session.scalars(select(Signature).order_by(Signature.id)).first(), datetime.now(UTC))

    leaver = threading.Thread(target=withdraw)
    with transaction() as session:
        assert serving_lifecycle.write(session, number, made, datetime.now(UTC))
        leaver.start()
        leaver.join(1)
        assert leaver.is_alive()
    leaver.join(20)
    assert either_world.rows(select(Correction.sequence)) == [1]
