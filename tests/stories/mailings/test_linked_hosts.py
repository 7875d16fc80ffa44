"""The hosts that an update links to are looked up in DNS, and nothing is fetched from them."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from service.core import config
from service.core.db import transaction
from service.mailings.checks import link_hosts
from service.models import Mailing
from service.subscriptions import subscribing
from tests.stories.mailings.test_sending import press, submitted
from tests.support.people import ANN, AUGUST, PETRA
from tests.support.servers.name_server import NameServer
from tests.support.world import World

HOSTS = {"here.example.org": "192.0.2.7", "six.example.org": "2001:db8::7", "xn--bcher-kva.example.org": "192.0.2.8"}
FOUND: dict[str, tuple[str, str, str]] = {
    "one that is there": ("[a](https://here.example.org/x)", "ok", "is in DNS"),
    "by its sixth kind of address": ("[a](https://six.example.org)", "ok", "is in DNS"),
    "a name that is not ASCII": ("[a](https://b\u00fccher.example.org/)", "ok", "is in DNS"),
    "one that is not": ("[a](https://here.example.org) and <https://gone.example.org/>", "serious", "no gone.example.org"),
    "in figures": ("[a](https://192.0.2.1/) [b](https://[2001:db8::1]/)", "", ""),
    "no link at all": ("Hello. mailto:ann@example.org", "", ""),
    "not to https": ("[a](http://gone.example.org) [b](mailto:ann@gone.example.org)", "", ""),
    "a name that no DNS can hold": (f"[a](https://{'x' * 70}.example.org)", "warning", "has not said yet"),
}


@pytest.mark.parametrize(("body", "level", "said"), FOUND.values(), ids=list(FOUND))
def test_each_host_is_looked_up(tmp_path: Path, body: str, level: str, said: str) -> None:
    with NameServer({}, hosts=HOSTS) as server:
        config.use(config.load({"VAR_DIR": str(tmp_path), "DNS_SERVER": server.address}))
        found = link_hosts.findings(body)
    assert [one.level for one in found] == ([level] if level else []), found
    assert said in "".join(one.said for one in found)


def test_a_page_waits_for_a_silent_name_server_for_a_moment_alone(tmp_path: Path) -> None:
    with NameServer({}, silent=True) as server:
        config.use(config.load({"VAR_DIR": str(tmp_path), "DNS_SERVER": server.address}))
        began = time.monotonic()
        found = link_hosts.findings("".join(f"[a](https://h{number}.example.org) " for number in range(60)), 0.2)
        assert time.monotonic() - began < 1
    assert [one.level for one in found] == ["warning"]


def test_an_update_that_leads_nowhere_is_not_approved_by_any_request(world: World) -> None:
    world.publish()
    world.add_organisers()
    with transaction() as session:
        updates = subscribing.find_list(session, "updates")
        subscribing.take_in(session, updates, [subscribing.read_line(1, ANN)], "test", datetime.now(UTC))
    august, petra = world.sign_in(AUGUST), world.sign_in(PETRA)
    domain = {"_dmarc.lists.example.org": ["v=DMARC1; p=none"], "lists.example.org": ["v=spf1 -all"]}
    with NameServer(domain, hosts=HOSTS) as server:
        config.use(replace(world.settings, dns_server=server.address))
        where = submitted(world, august, body="[Read it](https://gone.example.org/)")
        assert press(world, where, "send", petra) == 409
        assert "There is no gone.example.org in DNS" in world.get(where, petra).text
        assert world.rows(select(Mailing.state)) == ["submitted"]
        press(world, where, "take back", august)
        again = submitted(world, august, body="[Read it](https://here.example.org/)")
        assert press(world, again, "send", petra) == 303
