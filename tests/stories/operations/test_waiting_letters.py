"""Letters that wait longer than promised: who is told, and what the buttons do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from service.core import queues
from service.core.db import transaction
from service.emails import links
from service.models import Attempt, Evidence, Failure, Message
from service.notices import publishing
from service.organisers import accounts
from service.servings import serving_lifecycle
from tests.conftest import ROOT, wait_until
from tests.support.people import ANN, AUGUST, BEN, CHI, PETRA, SLUG
from tests.support.problem_list import press, ready
from tests.support.servers.smtp_server import STALL, SmtpServer, answer
from tests.support.world import World
from workers.run import note_abandoned

pytestmark = [pytest.mark.usefixtures("relay"), pytest.mark.settings(SECOND_FACTOR="off", APPROVALS="0")]
LATER = answer("451 4.7.1 ann@example.org: come back later")


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    return {"MAIL_TIMEOUT_SECONDS": "1"} | environment | {"MAIL_PORT": str(relay.port)}


def order(world: World) -> None:
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC))
    world.work()


def since(minutes: int) -> None:
    """Everything that was tried was tried so long ago for the first time."""
    with transaction() as session:
        session.execute(update(Attempt).values(at=datetime.now(UTC) - timedelta(minutes=minutes)))


def sign_in(world: World, email: str) -> FlaskClient:
    """By a link that no letter carries: the relay of these tests keeps what it takes."""
    browser = world.browser()
    with transaction() as session:
        key = accounts.new_link(session, email, datetime.now(UTC)).key
    world.post(links.sign_in_url(key), {}, browser)
    return browser


def test_letters_wait_because_the_relay_is_away_and_go_at_the_press_of_a_button(either_world: World, relay: SmtpServer) -> None:
    world = either_world
    world.publish(milestones=(100,))
    world.add_organisers()
    petra = sign_in(world, PETRA)
    relay.close()
    world.sign(ANN)
    order(world)
    assert ready(world)["mail"] == "ok"  # a relay may start again
    since(11)
    said = ready(world)
    assert said["mail"].startswith("letters have waited since 20")
    assert said["letters of serving 1"].startswith(
        "2 letters of serving 1 (General Secretary, Chair of the NEC) should have left by now. No mail server could be reached."
    )
    page = world.get("/organise", petra).text
    assert "Mail</p>" in page
    assert "Letters have waited since" in page
    assert "Letters to officials wait" in world.get("/organise/servings/1", petra).text
    assert "letters of serving 1: 2 letters" in world.app.test_cli_runner().invoke(args=["notices", "status", SLUG]).output
    with SmtpServer(relay.port) as back:
        assert press(world, "try letters", "letters of serving 1", petra) == 303
        assert press(world, "try letters", "mail", petra) == 303
        world.work()
        assert len(back.taken) == 3
    assert ready(world)["mail"] == "ok"
    assert "letters of serving 1" not in ready(world)


def test_a_letter_to_an_official_that_is_put_off_for_an_hour_is_told_and_can_be_stopped(
    either_world: World, relay: SmtpServer
) -> None:
    world = either_world
    world.publish(milestones=(100,))
    world.add_organisers()
    petra, august = sign_in(world, PETRA), sign_in(world, AUGUST)
    relay.always("RCPT", LATER)
    order(world)
    since(59)
    assert "letters of serving 1" not in ready(world)
    since(61)
    assert "The mail server asks us to come back later." in ready(world)["letters of serving 1"]
    page = world.get("/organise", petra).text
    assert "451 4.7.1 …@… come back later" in page
    assert press(world, "stop letters", "letters of serving 1", august) == 403
    assert press(world, "stop letters", "letters of serving 1", petra) == 303
    assert world.rows(select(Message.state).where(Message.kind == "serving")) == ["cancelled"] * 2
    assert sum('"kind":"stopped"' in record for record in world.rows(select(Evidence.record))) == 2
    assert press(world, "stop letters", "letters of serving 1", petra) == 409
    world.sweep(datetime.now(UTC) + timedelta(days=1))
    world.work()
    assert relay.taken == []


def test_one_readers_slow_server_calls_nobody_and_three_do(world: World, relay: SmtpServer) -> None:
    """Else anybody could call all organisers with one form and a server of their own."""
    world.publish()
    world.add_organisers()
    petra = sign_in(world, PETRA)
    relay.always("RCPT", LATER)
    world.sign(ANN)
    world.work()
    since(61)
    assert "letters put off" not in ready(world)
    assert "One letter waits, because a mail server has asked us" in world.get("/organise", petra).text
    world.sign(BEN | {"email": "ben@second.example"})
    world.sign(CHI | {"email": "chiara@third.example"})
    world.work()
    since(61)
    assert "3 letters wait, because mail servers have asked us for more than an hour" in ready(world)["letters put off"]


def test_a_letter_that_kills_its_worker_has_failed(world: World, relay: SmtpServer, environment: dict[str, str]) -> None:
    """No exception tells of it: another worker finds the job abandoned, minutes later."""
    world.publish()
    jobs_begun = queues.rq_queue(queues.PROMPT).started_job_registry
    for count in (1, 2):
        relay.will(".", STALL)
        command = [sys.executable, "-m", "workers.run", queues.PROMPT]
        with subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stderr=subprocess.DEVNULL) as worker:
            if count == 1:
                world.sign(ANN)
            else:
                world.sweep(datetime.now(UTC) + timedelta(minutes=1))
            wait_until(lambda count=count: len(relay.taken) == count)  # type: ignore[misc]
            worker.kill()
        jobs_begun.cleanup(time.time() + 4000, [note_abandoned])
    assert [(one.job, one.count) for one in world.rows(select(Failure))] == [("deliver", 2)]
    assert "because the program was ended in the middle of it" in ready(world)["letters"]
