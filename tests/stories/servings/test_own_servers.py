"""An official's domain with several mail servers, of which some take no mail, or none over TLS: what becomes of the letter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from service.models import Message, Official
from tests.conftest import free_port
from tests.support.servers.dns_server import DnsServer
from tests.support.servers.odd_server import NO_TLS, OddServer
from tests.support.servers.smtp_server import answer
from tests.support.servers.three_servers import publish, tiers
from tests.support.world import World
from workers.outbound.smtp import mx, public_hosts

pytestmark = pytest.mark.settings(CLEAR_NETWORKS="none", MAIL_TIMEOUT_SECONDS="1")


@pytest.fixture
def servers() -> Iterator[list[OddServer]]:
    with OddServer() as first, OddServer() as second:
        yield [first, second]


@pytest.fixture
def names() -> Iterator[DnsServer]:
    with DnsServer({"own.example": ["10 mx1.own.example.", "20 mx2.own.example."]}) as server:
        yield server
    mx._resolver.cache_clear()


@pytest.fixture
def environment(environment: dict[str, str], names: DnsServer, servers: list[OddServer]) -> dict[str, str]:
    routes = [f"mx{number}.own.example=127.0.0.1:{server.port}" for number, server in enumerate(servers, 1)]
    routes.append(f"away.own.example=127.0.0.1:{free_port()}")
    return environment | {"MAIL_ROUTES": ",".join(routes), "OFFICIALS_DIRECT": "on", "DNS_SERVER": names.place}


@dataclass(frozen=True)
class Row:
    first: str
    second: str
    state: str
    text: str
    flagged: bool = False


NO_MAIL, NO_ENCRYPTION = "521 5.3.2 no mail here", "no encrypted connection could be made"
ROWS = {
    "both take no mail (RFC 7504)": Row(NO_MAIL, NO_MAIL, "refused", "5.3.2 no mail here", flagged=True),
    "one takes no mail, one nothing encrypted": Row(NO_MAIL, "TLS", "queued", NO_ENCRYPTION),
    "one takes nothing encrypted, one no mail": Row("TLS", NO_MAIL, "queued", NO_ENCRYPTION),
    "one takes nothing encrypted, one is busy": Row("TLS", "554 5.3.2 busy", "queued", NO_ENCRYPTION),
    "one is busy, one takes nothing encrypted": Row("421 4.3.2 busy", "TLS", "queued", NO_ENCRYPTION),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_the_servers_of_a_domain_say_together(world: World, servers: list[OddServer], row: Row) -> None:
    for server, does in zip(servers, (row.first, row.second), strict=True):
        if does == "TLS":
            server.offered.append("STARTTLS")
            server.always("STARTTLS", NO_TLS)
        else:
            server.always("connect", answer(does))
    publish({"Leader": "own.example"})
    world.work()
    [message] = world.rows(select(Message).where(Message.kind == "serving"))
    assert (message.state, message.reply_text) == (row.state, row.text)
    assert (world.rows(select(Official.bounced_at)) != [None]) == row.flagged
    assert servers[0].taken == servers[1].taken == []


@pytest.mark.settings(CLEAR_NETWORKS="127.0.0.0/8", MAIL_TIMEOUT_SECONDS="1")
@pytest.mark.parametrize("first", [NO_MAIL, "554 5.3.2 busy", "421 4.3.2 busy"])
def test_where_one_takes_none_the_next_may(world: World, servers: list[OddServer], first: str) -> None:
    servers[0].always("connect", answer(first))
    publish({"Leader": "own.example"})
    world.work()
    assert tiers(world) == {"Leader": "recipient"}
    assert len(servers[1].taken) == 1


@pytest.mark.settings(CLEAR_NETWORKS="127.0.0.0/8", MAIL_TIMEOUT_SECONDS="1")
def test_a_name_that_is_none_is_a_server_that_is_away(world: World, names: DnsServer, servers: list[OddServer]) -> None:
    names.zones["own.example"] = [f"10 {chr(92)}200{(chr(92) + '200') * 40}.example.", "20 away.own.example."]
    publish({"Leader": "own.example"})
    world.work()
    [message] = world.rows(select(Message).where(Message.kind == "serving"))
    assert message.state == "queued"
    assert message.reply_text == "the server takes no connections"


PRIVATE = ("127.0.0.1", "localhost")


@pytest.mark.settings(CLEAR_NETWORKS="127.0.0.0/8", MAIL_TIMEOUT_SECONDS="1", MAIL_ROUTES="")
@pytest.mark.parametrize("server_name", PRIVATE)
def test_an_mx_that_leads_into_our_own_network_is_not_spoken_to(
    world: World, names: DnsServer, servers: list[OddServer], monkeypatch: pytest.MonkeyPatch, server_name: str
) -> None:
    monkeypatch.setattr(mx, "SMTP_PORT", servers[0].port)
    servers[0].always("connect", answer("550 internal secret: user=root"))
    names.zones["own.example"] = [f"10 {server_name}."]
    publish({"Leader": "own.example"})
    world.work()
    [message] = world.rows(select(Message).where(Message.kind == "serving"))
    assert (message.state, message.reply_text) == ("queued", "the server has no public address")
    assert "internal secret" not in world.get("/notices/open-the-books/deliveries").text


@pytest.mark.settings(CLEAR_NETWORKS="127.0.0.0/8", MAIL_TIMEOUT_SECONDS="1", ALLOW_PRIVATE_MX="1")
def test_a_setting_lets_letters_go_to_a_private_network(
    world: World, names: DnsServer, servers: list[OddServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mx, "SMTP_PORT", servers[0].port)
    names.zones["own.example"] = ["10 localhost."]
    publish({"Leader": "own.example"})
    world.work()
    assert tiers(world) == {"Leader": "recipient"}


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700:4700::1111", True), ("::ffff:8.8.8.8", True), ("64:ff9b::808:808", True),
        ("127.0.0.1", False), ("10.0.0.1", False), ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False),
        ("100.64.0.1", False), ("0.0.0.0", False), ("255.255.255.255", False), ("224.0.0.1", False), ("192.0.2.1", False),
        ("::1", False), ("::", False), ("fe80::1%eth0", False), ("fc00::1", False), ("ff02::1", False), ("2001:db8::1", False),
        ("::ffff:127.0.0.1", False), ("::ffff:169.254.169.254", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
        ("2002:a9fe:a9fe::1", False), ("64:ff9b:1::a00:1", False), ("2001:0:4136:e378:8000:63bf:80ff:fffe", False),
    ],
)  # fmt: skip
def test_an_address_is_public_whatever_it_wraps(address: str, public: bool) -> None:
    assert public_hosts.is_public(address) is public
