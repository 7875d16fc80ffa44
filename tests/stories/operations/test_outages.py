"""What breaks while people sign: the mail server. Mail waits, goes out, and is never lost or wrongly called accepted."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email import message_from_bytes

import pytest
from sqlalchemy import select, update

from service.core.db import transaction
from service.emails import links
from service.models import Attempt, Message
from service.notices import publishing
from service.organisers import accounts
from service.servings import serving_lifecycle
from tests.conftest import ROOT, wait_until
from tests.faults.troubles import ANSWERED
from tests.stories.mailings.test_sending import subscribe
from tests.support import crowd
from tests.support.people import ANN, BEN, OLIVE, SLUG
from tests.support.servers.smtp_server import DROP, STALL, Act, SmtpServer, Taken, answer
from tests.support.world import World
from workers import jobs
from workers.outbound import leases

pytestmark = pytest.mark.usefixtures("relay")


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    return {"MAIL_TIMEOUT_SECONDS": "1"} | environment | {"MAIL_PORT": str(relay.port)}


def message(world: World, kind: str = "confirm") -> Message:
    found = world.rows(select(Message).where(Message.kind == kind).order_by(Message.id))
    assert found
    return found[-1]


def sign(world: World, person: dict[str, str] = ANN) -> None:
    world.publish()
    assert world.sign(person).status_code == 200
    world.work()


def order(world: World) -> None:
    world.publish(milestones=(100,))
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC))


def ids(taken: list[Taken]) -> list[str]:
    return [message_from_bytes(one.content)["Message-ID"] for one in taken]


def test_mail_waits_while_the_server_is_away_and_then_goes_out(world: World, relay: SmtpServer) -> None:
    relay.close()
    sign(world)
    waiting = message(world)
    assert waiting.state == "queued"
    assert timedelta(0) < waiting.due_at - datetime.now(UTC) < timedelta(minutes=1)
    with SmtpServer(relay.port) as back:
        crowd.next_try(world)
        assert [one.recipients for one in back.taken] == [[ANN["email"]]]
    assert message(world).state == "accepted"


def test_an_outage_counts_for_nothing_against_the_recipient(world: World, relay: SmtpServer) -> None:
    """A server that was away for long and then asks to come back later (greylisting) is asked again in a minute."""
    relay.close()
    sign(world)
    for _ in range(4):
        crowd.next_try(world)
    with SmtpServer(relay.port).will("RCPT", answer("451 4.7.1 greylisted")):
        crowd.next_try(world)
    assert message(world).due_at - datetime.now(UTC) < timedelta(minutes=1)


def test_a_deferred_letter_is_tried_again_later_and_later(world: World, relay: SmtpServer) -> None:
    relay.always("RCPT", answer("451 4.7.1 come back later"))
    sign(world)
    waits = []
    for _ in range(4):
        waits.append(message(world).due_at - datetime.now(UTC))
        crowd.next_try(world)
    assert sorted(waits) == waits
    assert timedelta(seconds=50) < waits[0] < waits[-1] / 10
    assert (message(world).reply_code, message(world).state) == (451, "queued")
    relay.always("RCPT", None)
    crowd.next_try(world)
    assert len(relay.taken) == 1
    assert message(world).state == "accepted"


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "."])
def test_a_refusal_is_kept_and_never_tried_again_by_itself(world: World, relay: SmtpServer, stage: str) -> None:
    relay.will(stage, answer("550 5.1.1 no such person"))
    sign(world)
    before = len(relay.commands)
    crowd.next_try(world)
    assert len(relay.commands) == before
    refused = message(world)
    assert (refused.state, refused.reply_code, refused.reply_text) == ("refused", 550, f"5.1.1 no such person{ANSWERED[stage]}")


@pytest.mark.settings(APPROVALS="0")
def test_a_reply_with_control_characters_stops_no_letter_and_no_mailing(either_world: World, relay: SmtpServer) -> None:
    """PostgreSQL stores no NUL: one such reply would fail the whole batch, again and again."""
    relay.always("RCPT", answer("550 5.1.1 no\0body\x1b \x0bhere"))
    sign(either_world)
    subscribe(either_world, BEN)
    file = either_world.settings.var_dir / "update.md"
    file.write_text("# Hello\n\nHello.\n")
    assert either_world.app.test_cli_runner().invoke(args=["mailings", "send", str(file), "--list", "updates"]).exit_code == 0
    either_world.sweep()
    either_world.work()
    assert either_world.rows(select(Message.state)) == ["refused", "refused"]
    assert set(either_world.rows(select(Message.reply_text))) == {"5.1.1 no body here"}


def test_one_refused_recipient_does_not_spoil_the_next(world: World, relay: SmtpServer) -> None:
    relay.will("RCPT", answer("550 5.1.1 no such person"))
    world.publish()
    for person in (ANN, BEN):
        world.sign(person)
    world.work()
    assert [one.recipients for one in relay.taken] == [[BEN["email"]]]
    assert len(relay.lines) == 1


@pytest.mark.parametrize("act", [DROP, STALL, Act(late=1.5)], ids=["dropped", "stalled", "late"])
def test_a_letter_whose_final_answer_was_lost_goes_again_as_the_same(world: World, relay: SmtpServer, act: Act) -> None:
    relay.will(".", act)
    sign(world)
    assert message(world).state == "queued"
    crowd.next_try(world)
    assert message(world).state == "accepted"
    assert len(relay.taken) == 2
    assert len(set(ids(relay.taken))) == 1
    crowd.next_try(world)
    assert len(relay.taken) == 2


@pytest.mark.settings(SECOND_FACTOR="off")
def test_an_officials_letter_whose_final_answer_was_lost_is_held_and_shown(world: World, relay: SmtpServer) -> None:
    relay.will(".", DROP)
    order(world)
    world.work()
    crowd.next_try(world)
    assert sorted(one.recipients[0] for one in relay.taken) == ["chair@nec.example", "secretary@nec.example"]
    register = world.get(f"/notices/{SLUG}/deliveries.json").get_json()["deliveries"]
    assert sorted(line["tier"] for line in register) == ["relay", "unsure"]
    assert "Unsure: held until we know" in world.get(f"/notices/{SLUG}/deliveries").get_data(as_text=True)
    [held] = [line["office"] for line in register if line["tier"] == "unsure"]
    world.add_organisers()
    with transaction() as session:
        key = accounts.new_link(session, OLIVE, datetime.now(UTC)).key
    world.post(links.sign_in_url(key))
    assert f"Unsure whether the letter to {held} arrived" in world.get("/organise").get_data(as_text=True)


def test_a_reply_that_nobody_asked_for_accepts_nothing(world: World, relay: SmtpServer) -> None:
    relay.will(".", Act(extra="250 2.0.0 and another"))
    world.publish()
    for person in (ANN, BEN):
        world.sign(person)
    world.work()
    for _ in range(2):
        crowd.next_try(world)
    assert sorted(one.recipients[0] for one in relay.taken) == [ANN["email"], BEN["email"]]
    assert {one.state for one in world.rows(select(Message))} == {"accepted"}


def test_no_address_stands_in_commands_or_logs(world: World, relay: SmtpServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    relay.will("RCPT", Act(f"451 4.2.0 <{ANN['email']}> is busy", drip=0.001)).will(".", DROP)
    sign(world)
    order(world)
    world.work()
    crowd.next_try(world)
    replies = [reply for one in world.rows(select(Attempt)) for reply in one.replies]
    assert {reply["command"] for reply in replies} <= {"connect", "EHLO", "MAIL", "RCPT", "DATA", ".", "RSET"}
    assert [reply["code"] for reply in replies].count(451) == 1
    assert "@" not in caplog.text
    assert ANN["name"] not in caplog.text


def test_a_worker_that_comes_back_too_late_records_nothing(world: World, relay: SmtpServer) -> None:
    """While the server is slow to answer, the worker's lease is taken back and somebody else claims the letter."""
    relay.will(".", Act(late=0.8))
    world.publish()
    world.sign(ANN)
    first = message(world).id

    def send() -> None:
        with world.app.app_context():
            jobs.deliver(first)

    def take_over() -> None:
        wait_until(lambda: bool(relay.taken))
        with transaction() as session:
            leases.take_back(session, datetime.now(UTC) + timedelta(minutes=1))
            session.execute(update(Message).values(state="sending", lease="another", leased_until=datetime.now(UTC)))
            session.add(Attempt(message_id=first, at=datetime.now(UTC), host="", replies=[], outcome="began"))

    assert crowd.at_once([send, take_over]) == [None, None]
    assert (message(world).state, message(world).lease) == ("sending", "another")
    assert [one.outcome for one in world.rows(select(Attempt))] == ["began"]


@pytest.mark.parametrize("official", [False, True], ids=["a visitor's", "an official's"])
def test_a_worker_killed_while_it_sends_loses_nothing(
    world: World, relay: SmtpServer, environment: dict[str, str], official: bool
) -> None:
    relay.will(".", STALL)
    queue = "notices" if official else "prompt"
    worker = subprocess.Popen(
        [sys.executable, "-m", "workers.run", queue], cwd=ROOT, stderr=subprocess.DEVNULL,
        env=os.environ | environment | {"MAIL_TIMEOUT_SECONDS": "60"},
    )  # fmt: skip
    try:
        order(world) if official else world.publish()
        if not official:
            world.sign(ANN)
        wait_until(lambda: bool(relay.taken))
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait(10)
    assert relay.taken[0].reply == ""
    world.sweep()
    assert len(relay.taken) == 1
    world.sweep(datetime.now(UTC) + timedelta(minutes=1))
    world.work()
    assert len(relay.taken) == 2
    assert len(set(ids(relay.taken))) == (2 if official else 1)
    assert sorted(world.rows(select(Message.state))) == (["accepted", "unsure"] if official else ["accepted"])
