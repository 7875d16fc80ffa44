"""Answers that come later than a lease lasts: it is renewed meanwhile, and nothing leaves twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from service.core.db import transaction
from service.models import Message
from service.notices import publishing
from service.servings import serving_lifecycle
from tests.support import crowd
from tests.support.people import ANN, SLUG
from tests.support.servers.smtp_server import Act, SmtpServer
from tests.support.world import World
from workers.outbound import leases

pytestmark = pytest.mark.usefixtures("short_lease")
LEASE = timedelta(seconds=2)
LATE = 3.5


@pytest.fixture
def relay(request: pytest.FixtureRequest) -> Iterator[SmtpServer]:
    with SmtpServer(pipelining=getattr(request, "param", True)) as server:
        yield server


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    return {"MAIL_TIMEOUT_SECONDS": "1", "APPROVALS": "0"} | environment | {"MAIL_PORT": str(relay.port)}


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE", LEASE)
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.4)
    leases._renewing.cache_clear()


def work_while_swept(world: World) -> None:
    """Workers at work, and beside them the clock, which takes back what lapsed and rings for it; then once more."""
    done = threading.Event()

    def sweeps() -> None:
        while not done.wait(0.1):
            world.sweep(datetime.now(UTC))

    thread = threading.Thread(target=sweeps)
    thread.start()
    world.work()
    done.set()
    thread.join()
    with transaction() as session:
        session.execute(update(Message).where(Message.state == "queued").values(due_at=datetime.now(UTC)))
    world.sweep(datetime.now(UTC) + timedelta(seconds=6))
    world.work()


@pytest.mark.settings(MAIL_TIMEOUT_SECONDS="30")
def test_a_letter_answered_later_than_its_lease_leaves_once(world: World, relay: SmtpServer) -> None:
    relay.will(".", Act(late=LATE))
    world.publish()
    world.sign(ANN)
    work_while_swept(world)
    assert world.rows(select(Message.state)) == ["accepted"]
    assert len(relay.taken) == 1


@pytest.mark.parametrize("relay", [True, False], indirect=True, ids=["pipelining", "one by one"])
def test_a_copy_answered_later_than_its_lease_leaves_once(world: World, relay: SmtpServer) -> None:
    relay.will(".", Act(late=LATE))
    crowd.mailing_to(50, datetime.now(UTC))
    world.sweep()
    work_while_swept(world)
    assert set(world.rows(select(Message.state))) == {"accepted"}
    assert sorted(taken.recipients[0] for taken in relay.taken) == sorted({taken.recipients[0] for taken in relay.taken})
    assert len(relay.taken) == 45


def test_an_officials_letter_is_answered_as_late_as_the_standard_allows(world: World, relay: SmtpServer) -> None:
    """Later than its lease, and than the time-out of every other reply: it is not unsure, and leaves once."""
    relay.will(".", Act(late=LATE))
    world.publish(milestones=(100,))
    with transaction() as session:
        notice = publishing.find(session, SLUG)
        assert notice.edition is not None
        serving_lifecycle.order(session, notice, notice.edition, datetime.now(UTC))
    work_while_swept(world)
    assert world.rows(select(Message.state)) == ["accepted", "accepted"]
    assert sorted(taken.recipients[0] for taken in relay.taken) == ["chair@nec.example", "secretary@nec.example"]
