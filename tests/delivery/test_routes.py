"""MAIL_ROUTES: a domain whose letters go to a server of their own, in tests and split networks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.people import ANN, BEN
from tests.support.servers.smtp_server import SmtpServer
from tests.support.world import World


@pytest.fixture
def elsewhere() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def environment(environment: dict[str, str], elsewhere: SmtpServer) -> dict[str, str]:
    return environment | {"MAIL_ROUTES": f"nec.example=127.0.0.1:{elsewhere.port}"}


def test_a_routed_domain_bypasses_the_relay_and_others_do_not(world: World, elsewhere: SmtpServer) -> None:
    world.publish(milestones=(1,))
    for person in (ANN, BEN):
        world.sign(person)
        world.confirm(person["email"])
    assert sorted(one.recipients[0] for one in elsewhere.taken) == ["chair@nec.example", "secretary@nec.example"]
    assert not world.letters("chair@nec.example")
    assert len(world.letters(BEN["email"], "Your signature counts")) == 1
