"""A form that anybody may fill in is stored as it comes, and acted on once, a moment later, whatever fails in between."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from service.confirmations import waiting_forms
from service.core import queues
from service.core.db import transaction
from service.models import Message, Signature, Subscription, WaitingForm
from service.notices import publishing
from service.operations import health
from tests.support import crowd
from tests.support.broken_tables import refusing
from tests.support.people import ANN, BEN, OLIVE, SLUG
from tests.support.problem_list import ready
from tests.support.world import TOKEN, World, take_forms
from workers import clock, jobs

FIELDS = {"clp": "Harbour", "office": "none", "display": "public", "consent": "yes"}


def post(world: World, path: str, fields: dict[str, str]) -> None:
    """With no worker awake."""
    client = FlaskClient(world.app, world.app.response_class)
    found = TOKEN.search(client.get(path).text)
    assert found
    assert client.post(path, data=fields | {"csrf_token": found[1]}).status_code == 200


def sign(world: World, person: dict[str, str]) -> None:
    post(world, f"/notices/{SLUG}/sign", person | FIELDS)


def sweep_and_work(world: World, times: int = 1) -> None:
    """The clock's turn, when it is due, and what it rang for."""
    for _ in range(times):
        with transaction() as session:
            clock.sweep_forms(session, datetime.now(UTC) + timedelta(seconds=6))
        world.work()


def count(world: World, model: type[object]) -> int:
    return int(world.rows(select(func.count()).select_from(model))[0])


def test_each_of_the_four_waits_for_a_worker_and_is_acted_on_once(either_world: World) -> None:
    world = either_world
    world.publish()
    world.add_organisers()
    sign(world, ANN)
    post(world, "/lists/updates", BEN)
    post(world, "/manage", {"email": ANN["email"]})
    post(world, "/organise/sign-in", {"email": OLIVE})
    assert [count(world, model) for model in (WaitingForm, Signature, Subscription, Message)] == [4, 0, 0, 0]
    waiting = world.rows(select(WaitingForm.id))
    crowd.at_once([lambda number=number: jobs.take_form(number) for number in waiting * 4])
    assert [count(world, model) for model in (WaitingForm, Signature, Subscription)] == [0, 1, 1]
    assert sorted(world.rows(select(Message.kind))) == ["confirm", "confirm", "manage_link", "sign_in"]


def test_a_form_whose_bell_was_lost_is_found(world: World) -> None:
    world.publish()
    sign(world, ANN)
    queues.redis().flushdb()
    world.work()
    assert count(world, WaitingForm) == 1
    sweep_and_work(world)
    assert (count(world, WaitingForm), len(world.letters(ANN["email"], "confirm"))) == (0, 1)


@pytest.mark.settings(SECOND_FACTOR="off")
def test_a_form_that_cannot_be_acted_on_waits_is_told_and_keeps_no_other_waiting(either_world: World) -> None:
    world = either_world
    world.publish()
    world.add_organisers()
    with refusing("INSERT ON signatures"):
        sign(world, ANN)
        post(world, "/lists/updates", BEN)
        sweep_and_work(world, 2)
        assert "One form has come in and could not be acted on" in ready(world)["forms"]
        assert (count(world, WaitingForm), count(world, Subscription)) == (1, 1)
    sweep_and_work(world)
    assert (count(world, WaitingForm), world.rows(select(Signature.name))) == (0, [ANN["name"]])
    assert "forms" not in ready(world)


def test_a_form_that_comes_too_late_is_dropped_and_named_by_its_number(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.publish()
    sign(world, ANN)
    with transaction() as session:
        publishing.close(session, SLUG, datetime.now(UTC))
    with caplog.at_level(logging.WARNING):
        take_forms()
    assert [count(world, model) for model in (WaitingForm, Signature, Message)] == [0, 0, 0]
    assert "form 1 came too late" in caplog.text
    assert "ann" not in caplog.text.lower()


def test_forms_that_wait_for_long_are_said_by_readyz(world: World) -> None:
    world.publish()
    with transaction() as session:
        waiting_forms.store(session, "manage", {"email": ANN["email"]}, datetime.now(UTC) - timedelta(minutes=11))
    assert health.parts()["mail"].startswith("letters have waited since")
