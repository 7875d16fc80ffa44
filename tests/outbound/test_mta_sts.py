"""What an official's domain says over HTTPS of its mail servers is kept to (RFC 8461)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from service.core.db import transaction
from service.models import MailPolicy
from service.people import retention
from tests.outbound.own_domain import (
    DOMAIN,
    ENFORCED,
    MX,
    NOT_AS_PUBLISHED,
    POLICY,
    TLSA,
    Site,
    certified_as,
    said_of_the_last,
    serve,
    sign_all,
)
from tests.support.servers.dns_server import DnsServer
from tests.support.servers.smtp_server import SmtpServer
from tests.support.servers.three_servers import later, tiers
from tests.support.world import World
from workers.outbound.policies import mta_sts
from workers.outbound.smtp import mx

pytestmark = pytest.mark.settings(MAIL_TIMEOUT_SECONDS="2")


def test_a_server_that_is_named_and_verifies_gets_the_letter(world: World, names: DnsServer, site: Site) -> None:
    names.more[POLICY] = ['"v=STSv1; id=20261127;"']
    serve(world)
    assert tiers(world) == {"Leader": "recipient"}
    assert said_of_the_last(world)["published"] == "MTA-STS"
    assert site.asked == ["/.well-known/mta-sts.txt"]


@certified_as("", "strange mx.own.example", "authority elsewhere.example")
@pytest.mark.parametrize("mode", ["enforce", "testing"])
def test_one_that_does_not_verify_gets_none(world: World, names: DnsServer, site: Site, server: SmtpServer, mode: str) -> None:
    names.more[POLICY] = ['"v=STSv1; id=1"']
    site.text = ENFORCED.replace("enforce", mode)
    message = serve(world)
    if mode == "enforce":
        assert (message.state, message.reply_text, server.taken) == ("queued", NOT_AS_PUBLISHED, [])
    else:
        assert said_of_the_last(world)["published"] == "MTA-STS (testing)"


def test_one_that_the_policy_does_not_name_is_not_spoken_to(
    world: World, names: DnsServer, site: Site, server: SmtpServer
) -> None:
    names.more[POLICY] = ['"v=STSv1; id=1"']
    site.text = ENFORCED.replace(f"mx: {MX}", "mx: *.mx.own.example")
    assert serve(world).reply_text == "the server is none of those that its domain names (MTA-STS)"
    assert server.commands == []


def test_what_it_said_holds_until_its_end_whatever_becomes_of_its_dns(
    world: World, names: DnsServer, site: Site, server: SmtpServer
) -> None:
    names.more[POLICY] = ['"v=STSv1; id=1"']
    site.text = ENFORCED.replace(MX, "mx.other.example")
    serve(world)
    del names.more[POLICY]
    site.status = 500
    mx._resolver.cache_clear()
    later(world)
    assert server.commands == []
    kept = world.rows(select(MailPolicy))[0]
    with transaction() as session:
        assert retention.run(session, kept.ends_at)["policies of mail servers"] == 0
    assert mta_sts.of(mx._resolver(names.place), DOMAIN, kept.ends_at + timedelta(hours=1)) is None
    with transaction() as session:
        assert retention.run(session, kept.ends_at + timedelta(days=2))["policies of mail servers"] == 1


def test_a_new_policy_takes_the_place_of_the_old_one(world: World, names: DnsServer, site: Site) -> None:
    names.more[POLICY] = ['"v=STSv1; id=1"']
    site.text = ENFORCED.replace(MX, "mx.other.example")
    assert serve(world).state == "queued"
    names.more[POLICY], site.text = ['"v=STSv1; id=2"'], ENFORCED
    mx._resolver.cache_clear()
    later(world)
    assert tiers(world) == {"Leader": "recipient"}


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (301, "text/plain", ENFORCED), (404, "text/plain", ENFORCED), (200, "text/html", ENFORCED),
        (200, "text/plain", ENFORCED.replace("STSv1", "STSv2")), (200, "text/plain", ENFORCED + "# " + "x" * 70_000),
        (200, "text/plain", ENFORCED.replace("enforce", "Enforce")), (200, "text/plain", "version: STSv1\nmode: enforce\n"),
        (200, "text/plain", ENFORCED.replace("86400", "-1")), (200, "text/plain", ENFORCED.replace("mx:", "my:")),
        (200, "text/plain", "\udcff".encode("utf-8", "surrogateescape").decode("latin-1") * 9),
    ],
)  # fmt: skip
def test_what_is_no_policy_demands_nothing(
    world: World, names: DnsServer, site: Site, status: int, kind: str, text: str
) -> None:
    names.more[POLICY] = ['"v=STSv1; id=1"']
    site.status, site.kind, site.text = status, kind, text
    serve(world)
    assert tiers(world) == {"Leader": "recipient"}
    assert said_of_the_last(world)["published"] == ""
    assert world.rows(select(MailPolicy)) == []


@pytest.mark.parametrize(
    "records",
    [
        ['"v=STSv1; id=1"', '"v=STSv1; id=2"'],
        ['"v=STSv11; id=1"'],
        ['"v=STSv1; id="'],
        ['"v=STSv1"'],
        ['"id=1; v=STSv1"'],
        None,
    ],
)
def test_a_record_that_is_none_is_none(world: World, names: DnsServer, site: Site, records: list[str] | None) -> None:
    names.more[POLICY] = records
    serve(world)
    assert site.asked == []


def test_a_site_that_was_away_is_not_asked_again_at_once(world: World, names: DnsServer, site: Site) -> None:
    names.more[POLICY] = ['"v=STSv1; id=1"']
    site.status = 503
    for _ in range(5):
        mx.routes(DOMAIN, direct=True)
    assert len(site.asked) == 1


def test_dane_comes_first(world: World, names: DnsServer, server: SmtpServer) -> None:
    names.more |= {POLICY: ['"v=STSv1; id=1"'], TLSA: [f"3 1 1 {'ab' * 32}"]}
    sign_all(names)
    assert serve(world).reply_text == NOT_AS_PUBLISHED
    assert server.taken == []


@pytest.mark.settings(MAIL_ROUTES="", CLEAR_NETWORKS="none")
def test_a_policy_is_not_fetched_from_our_own_network(world: World, names: DnsServer, site: Site) -> None:
    names.zones["localhost"] = ["10 mx.localhost."]
    names.more["_mta-sts.localhost", "TXT"] = ['"v=STSv1; id=1"']
    assert [route.demand.by for route in mx.routes("localhost", direct=True)] == [""]
    assert site.asked == []


@pytest.mark.parametrize(
    ("pattern", "host", "fits"),
    [
        ("mx.own.example", "mx.own.example", True), ("*.own.example", "mx.own.example", True),
        ("*.own.example", "own.example", False),
        ("*.own.example", "a.b.own.example", False), ("*", "own.example", False), ("*.", "example.", True),
        ("MX.own.example", "mx.own.example", False),
    ],
)  # fmt: skip
def test_which_servers_a_policy_names(pattern: str, host: str, *, fits: bool) -> None:
    assert mta_sts.Policy("enforce", (pattern,), 0).names(host) is fits
