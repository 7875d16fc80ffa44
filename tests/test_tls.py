"""MAIL_USE_TLS, and nothing said where TLS is not as it should be (RFC 3207 §6): it fails closed, and the mail waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from service.models import Message
from tests.certificates import Authority
from tests.people import ANN
from tests.smtp_server import SmtpServer
from tests.world import World


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(params=["good", "wrong host", "unknown authority", "stripped"])
def relay(request: pytest.FixtureRequest, authority: Authority, tmp_path: Path) -> Iterator[SmtpServer]:
    tls = {
        "good": lambda: authority.server("127.0.0.1"),
        "wrong host": lambda: authority.server("relay.elsewhere.example"),
        "unknown authority": lambda: Authority(tmp_path, "unknown").server("127.0.0.1"),
        "stripped": lambda: None,
    }[request.param]()
    with SmtpServer(tls=tls) as server:
        yield server


@pytest.fixture
def environment(environment: dict[str, str], authority: Authority, relay: SmtpServer) -> dict[str, str]:
    return environment | {"MAIL_PORT": str(relay.port), "MAIL_USE_TLS": "on", "MAIL_CA_FILE": str(authority.file)}


def test_bad_tls_fails_closed_and_the_mail_waits(world: World, relay: SmtpServer, request: pytest.FixtureRequest) -> None:
    world.publish()
    world.sign(ANN)
    world.work()
    [letter] = world.rows(select(Message))
    verbs = [one.split()[0].upper() for one in relay.commands]
    if "good" in request.node.name:
        assert verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]
        assert relay.lines[0].tls
        assert letter.state == "accepted"
    else:
        assert set(verbs) <= {"EHLO", "STARTTLS", "QUIT"}
        assert letter.state == "queued"
