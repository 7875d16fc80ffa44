"""The domain's name server, mail server, and website, for each test here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outbound.own_domain import DOMAIN, MX, Site
from tests.support.servers.certificates import Authority
from tests.support.servers.dns_server import DnsServer
from tests.support.servers.smtp_server import SmtpServer
from workers.outbound.policies import mta_sts
from workers.outbound.smtp import mx


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def strange(tmp_path: Path) -> Authority:
    """One that no machine trusts by itself."""
    return Authority(tmp_path, "strange")


@pytest.fixture
def names() -> Iterator[DnsServer]:
    zones: dict[str, list[str] | None] = {DOMAIN: [f"10 {MX}."]}
    with DnsServer(zones, {(MX, "A"): ["203.0.113.9"]}) as server:
        yield server
    mx._resolver.cache_clear()
    mta_sts._failed.clear()


@pytest.fixture
def certified(request: pytest.FixtureRequest) -> str:
    """Who signs the mail server's certificate, and for which name: "authority mx.own.example"; empty: it has none."""
    return getattr(request, "param", f"authority {MX}")


@pytest.fixture
def server(certified: str, authority: Authority, strange: Authority) -> Iterator[SmtpServer]:
    who, _, name = certified.partition(" ")
    tls = {"authority": authority, "strange": strange}[who].server(name) if certified else None
    with SmtpServer(tls=tls) as server:
        yield server


@pytest.fixture
def site(authority: Authority) -> Iterator[Site]:
    site = Site(authority.server(f"mta-sts.{DOMAIN}"))
    yield site
    site.close()


@pytest.fixture
def environment(
    environment: dict[str, str], authority: Authority, names: DnsServer, server: SmtpServer, site: Site
) -> dict[str, str]:
    routes = f"{MX}=127.0.0.1:{server.port},mta-sts.{DOMAIN}=127.0.0.1:{site.port}"
    return environment | {
        "OFFICIALS_DIRECT": "on", "DNS_SERVER": names.place, "MAIL_CA_FILE": str(authority.file), "MAIL_ROUTES": routes
    }  # fmt: skip
