"""Ceilings in all, for a mailing, for a receiving domain: counted in any second, and nobody waits for another's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from service.core import queues
from tests.support import crowd
from tests.support.servers.smtp_server import Act, SmtpServer
from tests.support.world import World


@pytest.fixture(params=[True, False], ids=["pipelining", "one by one"])
def relay(request: pytest.FixtureRequest) -> Iterator[SmtpServer]:
    with SmtpServer(pipelining=request.param) as server:
        yield server


@pytest.fixture
def environment(environment: dict[str, str], relay: SmtpServer) -> dict[str, str]:
    return environment | {"APPROVALS": "0", "MAIL_PORT": str(relay.port)}


def send(world: World, count: int, domains: tuple[str, ...] = ("example.org",)) -> None:
    crowd.mailing_to(count, datetime.now(UTC), domains)
    world.sweep()
    world.work()


def in_any_second(times: list[float]) -> int:
    return max(sum(one <= other < one + 1 for other in times) for one in times)


def times(relay: SmtpServer, at: str = "") -> list[float]:
    return sorted(one.at for one in relay.taken if one.recipients[0].endswith(at))


@pytest.mark.parametrize("ceiling", [
    pytest.param(name, marks=pytest.mark.settings(**{name: "60"}))
    for name in ("LIMIT_MESSAGES", "LIMIT_MAILING", "LIMIT_RECEIVING_DOMAIN")
])  # fmt: skip
def test_a_ceiling_holds_in_any_second(world: World, relay: SmtpServer, ceiling: str) -> None:
    send(world, 200)
    assert len(times(relay)) == 180
    assert in_any_second(times(relay)) <= 60
    assert times(relay)[-1] - times(relay)[0] < 7


@pytest.mark.settings(LIMIT_RECEIVING_DOMAIN="60")
def test_a_domain_that_must_wait_keeps_no_other_waiting(world: World, relay: SmtpServer) -> None:
    send(world, 240, ("a.example", "a.example", "a.example", "b.example"))
    large, small = times(relay, "a.example"), times(relay, "b.example")
    assert len(large) + len(small) == 216
    assert max(small) < min(large) + len(small) / 60 + 1
    assert in_any_second(large) <= 60


@pytest.mark.settings(LIMIT_DOMAIN_CONNECTIONS="1")
def test_one_domain_has_no_more_connections_than_its_ceiling(world: World, relay: SmtpServer) -> None:
    relay.always(".", Act(late=0.05))
    send(world, 30, ("a.example", "b.example"))
    first, second = times(relay, "a.example"), times(relay, "b.example")
    assert len(first) + len(second) == 27
    for at in (first, second):
        assert min(after - before for before, after in pairwise(at)) > 0.045
    assert min(second) < max(first) - 0.2  # side by side


@pytest.mark.settings(LIMIT_MESSAGES="60")
def test_a_clock_that_was_put_back_stops_no_mailing(world: World, relay: SmtpServer) -> None:
    later = datetime.now(UTC).timestamp() + 3_600
    queues.redis().zadd("pace:all", {str(number): later for number in range(60)})
    send(world, 30)
    assert len(times(relay)) == 27
