"""Letters that go straight to the official's own mail server: found by MX, with TLS as far as it goes, and all of it noted."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from sqlalchemy import select

from service.models import Evidence, Message
from tests.support import crowd
from tests.support.servers.certificates import Authority
from tests.support.servers.dns_server import DnsServer
from tests.support.servers.smtp_server import SmtpServer, answer
from tests.support.servers.three_servers import tiers
from tests.support.world import World
from workers.outbound.policies import published
from workers.outbound.smtp import mx

MX = "mx1.nec.example"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def names() -> Iterator[DnsServer]:
    zones: dict[str, list[str] | None] = {"nec.example": [f"10 {MX}.", "20 mx2.nec.example."]}
    with DnsServer(zones) as server:
        yield server
    mx._resolver.cache_clear()


@pytest.fixture(params=["verified", "another name", "plain"])
def server(request: pytest.FixtureRequest, authority: Authority) -> Iterator[SmtpServer]:
    tls = {"verified": MX, "another name": "elsewhere.example", "plain": ""}[request.param]
    with SmtpServer(tls=authority.server(tls) if tls else None) as server:
        yield server


@pytest.fixture
def environment(environment: dict[str, str], authority: Authority, names: DnsServer, server: SmtpServer) -> dict[str, str]:
    routes = f"{MX}=127.0.0.1:{server.port},mx2.nec.example=127.0.0.1:{server.port}"
    return environment | {
        "OFFICIALS_DIRECT": "on", "DNS_SERVER": names.place, "MAIL_CA_FILE": str(authority.file), "MAIL_ROUTES": routes
    }  # fmt: skip


def served(world: World) -> list[dict[str, object]]:
    """Serves the notice; the evidence that it left."""
    world.publish(milestones=(1,))
    crowd.sign(range(1))
    world.work("notices")
    return [json.loads(one) for one in world.rows(select(Evidence.record).order_by(Evidence.number))]


def test_tls_and_its_certificate_are_noted(
    world: World, server: SmtpServer, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    first, _ = served(world)
    assert set(tiers(world).values()) == {"recipient"}
    assert len(server.taken) == 2
    assert first["host"] == f"{MX}:{server.port}"
    how = request.node.callspec.params["server"]
    if how == "plain":
        assert first["tls"] is None
        return
    tls = first["tls"]
    assert isinstance(tls, dict)
    assert tls["version"] == "TLSv1.3"
    assert bool(tls["unverified"]) == (how == "another name")
    path = tmp_path / f"{MX if how == 'verified' else 'elsewhere.example'}.pem"
    certificate = x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.DER)
    assert tls["certificate_sha256"] == hashlib.sha256(certificate).hexdigest()
    assert ssl.HAS_TLSv1_3


@pytest.mark.parametrize("server", ["plain"], indirect=True)
def test_where_the_first_server_is_away_the_next_is_tried(world: World, names: DnsServer, server: SmtpServer) -> None:
    server.will("connect", answer("554 5.3.2 not today"))
    first, second, *_ = served(world)
    assert (first["verdict"], second["verdict"]) == ("unreachable", "accepted")
    assert first["text"] == "5.3.2 not today"
    assert second["host"] == f"mx2.nec.example:{server.port}"


@pytest.mark.parametrize("server", ["plain"], indirect=True)
@pytest.mark.parametrize(
    ("records", "state", "said"),
    [
        (["0 ."], "refused", "says that it takes no mail"),
        (None, "queued", "cannot be looked up"),
        ("absent", "refused", "there is no domain"),
    ],
)
def test_what_the_name_server_says_decides(
    world: World, names: DnsServer, server: SmtpServer, records: list[str] | str | None, state: str, said: str
) -> None:
    if isinstance(records, str):
        del names.zones["nec.example"]
    else:
        names.zones["nec.example"] = records
    served(world)
    rows = world.rows(select(Message).where(Message.kind == "serving"))
    assert {one.state for one in rows} == {state}
    assert all(said in one.reply_text for one in rows)
    assert server.taken == []


@pytest.mark.parametrize("server", ["plain"], indirect=True)
def test_a_domain_without_mx_is_its_own_server(world: World, names: DnsServer, server: SmtpServer) -> None:
    names.zones["bare.example"] = []
    assert mx.exchangers("bare.example") == (["bare.example"], False)
    assert mx.exchangers("nec.example") == ([MX, "mx2.nec.example"], False)
    [route] = mx.routes("bare.example", direct=True)
    assert route == ("bare.example", "bare.example", 25, True, published.Demand())
    assert mx.routes("bare.example", direct=False) == []
