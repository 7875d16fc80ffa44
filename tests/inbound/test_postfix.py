"""A real Postfix in front, with the lines of docs/mail.md: mail reaches us over LMTP, unknown addresses are refused."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from service.emails import links
from service.models import Arrival, Subscription
from tests.conftest import ROOT, wait_until
from tests.inbound.conftest import Receiver
from tests.inbound.post import DOMAIN, letter
from tests.support.people import ANN
from tests.support.servers.postfix import Postfix
from tests.support.world import World

IN_FRONT = """\
myhostname = mx.example.org
mynetworks = 192.0.2.1
smtpd_peername_lookup = no
"""


def lines_of_the_readme(port: int) -> str:
    """What docs/mail.md tells people to write into main.cf, with this test's port."""
    found = re.search(r"^    relay_domains.*\n(?:    .*\n)+", (ROOT / "docs/mail.md").read_text(), re.MULTILINE)
    assert found
    return re.sub(r"(?m)^    ", "", found[0]).replace("127.0.0.1:8024", f"127.0.0.1:{port}")


@pytest.fixture
def postfix(receiver: Receiver) -> Iterator[int]:
    """The port of a Postfix of our own, in a folder of its own."""
    readme = lines_of_the_readme(receiver.lmtp).replace("{", "{{").replace("}", "}}")
    with Postfix(IN_FRONT + readme) as one:
        yield one.port


def test_mail_from_outside_reaches_us_through_postfix(world: World, postfix: int) -> None:
    to, token = f"updates-subscribe@{DOMAIN}", links.bounce_address(7)
    with smtplib.SMTP("127.0.0.1", postfix, timeout=30) as client:
        assert client.sendmail(ANN["email"], [to], letter(ANN["email"], to)) == {}
        assert client.sendmail("", [token], letter("MAILER-DAEMON@example.org", token)) == {}
        for nobody in (f"nobody@{DOMAIN}", f"bounce+{'a' * 26}@{DOMAIN}", "ann@elsewhere.example"):
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                client.sendmail(ANN["email"], [nobody], letter(ANN["email"], nobody))
            assert refused.value.recipients[nobody][0] // 100 in {4, 5}
    wait_until(lambda: len(world.rows(select(Arrival.id))) == 2, 30)
    assert {(row.source, row.sender, row.recipient) for row in world.rows(select(Arrival))} == {
        ("lmtp", ANN["email"], to), ("lmtp", "", token),
    }  # fmt: skip
    world.work()
    assert world.letter(ANN["email"], "confirm")
    assert world.rows(select(Subscription.state)) == ["pending"]
