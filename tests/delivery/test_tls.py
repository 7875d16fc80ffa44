"""TLS to the relay, and nothing said where it is not as it should be (RFC 3207 §6): it fails closed, and the mail waits.

For a letter, which smtplib sends, and for a mailing, which the pipes send; by STARTTLS and from the first byte (RFC 8314).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from service.core.db import transaction
from service.models import Message
from tests.conftest import wait_until
from tests.faults.troubles import BROKEN, SLOW
from tests.support import crowd
from tests.support.people import ANN
from tests.support.servers.certificates import Authority
from tests.support.servers.smtp_server import Act, SmtpServer, answer
from tests.support.world import World
from workers.outbound.bulk import connections

HERE = "127.0.0.1"
CERTIFICATES: dict[str, Callable[[Authority, Path], ssl.SSLContext]] = {
    "good": lambda known, _: known.server(HERE),
    "wrong host": lambda known, _: known.server("relay.elsewhere.example"),
    "unknown authority": lambda _, folder: Authority(folder, "unknown").server(HERE),
    "expired": lambda known, _: known.server(HERE, datetime.now(UTC) - timedelta(hours=2)),
    "not yet good": lambda known, _: known.server(HERE, datetime.now(UTC) + timedelta(hours=2)),
}


BEFORE = BROKEN | {"535": answer("535 5.7.8 no")}


def sign(world: World) -> None:
    world.publish()
    world.sign(ANN)


def mail(world: World) -> None:
    crowd.mailing_to(3, datetime.now(UTC))
    world.sweep()


BOTH = pytest.mark.parametrize("write", [sign, mail], ids=["letter", "mailing"])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def certificate() -> str:
    return "good"


@pytest.fixture
def implicit() -> bool:
    return False


@pytest.fixture
def relay(authority: Authority, tmp_path: Path, certificate: str, implicit: bool) -> Iterator[SmtpServer]:
    with SmtpServer(tls=CERTIFICATES[certificate](authority, tmp_path), implicit=implicit) as server:
        server.offered.append("AUTH PLAIN")
        yield server


@pytest.fixture
def environment(environment: dict[str, str], authority: Authority, relay: SmtpServer, implicit: bool) -> dict[str, str]:
    return environment | {
        "MAIL_PORT": str(relay.port), "MAIL_USE_SSL" if implicit else "MAIL_USE_TLS": "on", "MAIL_CA_FILE": str(authority.file),
        "MAIL_USERNAME": "undersigned", "MAIL_PASSWORD": "open-sesame", "MAIL_TIMEOUT_SECONDS": "1", "APPROVALS": "0",
    }  # fmt: skip


def verbs(relay: SmtpServer) -> list[str]:
    return [line.split()[0].upper() for line in relay.commands]


def states(world: World) -> set[str]:
    return set(world.rows(select(Message.state)))


@BOTH
@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "implicit"])
@pytest.mark.parametrize("certificate", CERTIFICATES)
def test_nothing_is_said_to_a_server_that_is_not_the_relay(
    world: World, relay: SmtpServer, certificate: str, implicit: bool, write: Callable[[World], None]
) -> None:
    write(world)
    world.work()
    if certificate == "good":
        assert states(world) == {"accepted"}
        assert all(line.tls for line in relay.lines)
        assert "AUTH" in verbs(relay)
        return
    assert states(world) == {"queued"}
    assert set(verbs(relay)) <= ({"EHLO", "STARTTLS"} if not implicit else set())


@BOTH
@pytest.mark.parametrize("stripped", ["not offered", "refused", "offered and refused with a text in the clear"])
def test_a_stripped_starttls_is_no_reason_to_speak_in_the_clear(
    world: World, relay: SmtpServer, stripped: str, write: Callable[[World], None]
) -> None:
    if stripped == "not offered":
        relay.offered.remove("STARTTLS")
    else:
        extra = "250-relay.example\r\n250 AUTH PLAIN" if "text" in stripped else ""
        relay.always("STARTTLS", Act("454 4.7.0 TLS not available", extra=extra))
    write(world)
    world.work()
    assert states(world) == {"queued"}
    assert set(verbs(relay)) <= {"EHLO", "STARTTLS", "QUIT"}


@BOTH
@pytest.mark.parametrize("stage", ["STARTTLS", "AUTH"])
@pytest.mark.parametrize("name", BEFORE | SLOW)
def test_trouble_before_the_first_envelope_loses_nothing(
    world: World, relay: SmtpServer, stage: str, name: str, write: Callable[[World], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "RETRY_SECONDS", 0.2)
    relay.always(stage, (BEFORE | SLOW)[name])
    write(world)
    world.work()
    assert states(world) == {"accepted" if name in SLOW else "queued"}
    assert ("MAIL" in verbs(relay)) == (name in SLOW)
    relay.always(stage, None)
    wait_until(lambda: time.monotonic() > connections.pool().retry_at)
    with transaction() as session:
        session.execute(update(Message).where(Message.state == "queued").values(due_at=datetime.now(UTC)))
    world.sweep(datetime.now(UTC) + timedelta(seconds=6))
    world.work()
    assert states(world) == {"accepted"}
    assert len(relay.taken) == len(world.rows(select(Message.id)))
