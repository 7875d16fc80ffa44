"""Whose word on what became of a message counts, beside the secret that it takes: our relay's, the recipient's domain's, a
provider's; by what our own mail server wrote above it, whatever its author put there to look like that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from service.core.db import transaction
from service.emails import links
from service.inbound import spool
from service.models import Arrival, Attempt, Message, Subscription
from tests.inbound.conftest import Receiver
from tests.inbound.post import DOMAIN, STRANGER, VOUCHED, bounce, complaint, receive
from tests.inbound.test_bounces import readers, suppressed
from tests.support.people import ANN
from tests.support.world import World

pytestmark = pytest.mark.settings(APPROVALS="0", SECOND_FACTOR="off")

KNOWS: dict[str, tuple[bytes, str | None, str | None, bool]] = {
    "our relay": (b"Received: from relay (relay [127.0.0.1]) by mx; x\r\n", None, "", True),
    "a stranger": (STRANGER, None, "", False),
    "a stranger dressed as this machine": (STRANGER + b"Received: from localhost [127.0.0.1] by mx; x\r\n", None, "", False),
    "a stranger at our SMTP door": (b"", "203.0.113.66", "", False),
    "one there who brings results of our name": (VOUCHED % b"dkim=pass header.d=example.org", "203.0.113.66", "", False),
    "its domain, by DKIM": (VOUCHED % b"dkim=pass header.d=example.org" + STRANGER, None, "", True),
    "its domain, by SPF": (VOUCHED % b"spf=pass smtp.helo=mx1.example.org" + STRANGER, None, "", True),
    "a person of its domain": (VOUCHED % b"dkim=pass header.d=example.org" + STRANGER, None, "eve@example.org", False),
    "another domain, by DKIM": (VOUCHED % b"dkim=pass header.d=evil.example" + STRANGER, None, "", False),
    "a domain that ends alike": (VOUCHED % b"dkim=pass header.d=evilexample.org" + STRANGER, None, "", False),
    "its domain, which failed": (VOUCHED % b"dkim=fail header.d=example.org; spf=none" + STRANGER, None, "", False),
    "results of another name": (b"Authentication-Results: mx.evil.example; dkim=pass header.d=example.org\r\n" + STRANGER,
                                None, "", False),
    "a hop without an address": (b"Received: from somewhere by mx; x\r\n", None, "", False),
    "a stranger whom our relay let in": (
        b"Received: from relay (relay [127.0.0.1]) by mx; x\r\nReceived: from evil (evil [203.0.113.66]) by relay; x\r\n",
        None, "", False),
    "our relay, of its own": (
        b"Received: from relay (relay [127.0.0.1]) by mx; x\r\nReceived: by relay (Postfix) id 1; x\r\n" + STRANGER,
        None, "", True),
    "a stranger who calls itself this machine": (
        b"Received: from [127.0.0.1] (unknown [203.0.113.66]) by mx; x\r\n", None, "", False),
    "the same at Exim": (b"Received: from [203.0.113.66] (helo=[127.0.0.1]) by mx; x\r\n", None, "", False),
    "the same with a name, at Exim": (b"Received: from evil ([203.0.113.66] helo=127.0.0.1) by mx; x\r\n", None, "", False),
    "the same in a certificate": (b"Received: from evil (evil [203.0.113.66]) (Client CN \"[127.0.0.1]\") by mx; x\r\n",
                                  None, "", False),
    "the same at qmail": (b"Received: from unknown (HELO [127.0.0.1]) (203.0.113.66) by mx; x\r\n", None, "", False),
    "a result in a comment": (VOUCHED % b"spf=none (helo: x; dkim=pass header.d=example.org)" + STRANGER, None, "", False),
    "a result in a quoted string": (
        VOUCHED % b'spf=pass smtp.mailfrom="x; dkim=pass header.d=example.org"@evil.example' + STRANGER, None, "", False),
    "a greeting beside a sender that passed": (
        VOUCHED % b"spf=pass smtp.mailfrom=x@evil.example smtp.helo=mx.example.org" + STRANGER, None, "", False),
    "a signer who names another": (
        VOUCHED % b"dkim=pass header.d=evil.example header.i=@example.org" + STRANGER, None, "", False),
    "its domain, by an unknown sender": (VOUCHED % b"dkim=pass header.d=example.org" + STRANGER, None, None, False),
}  # fmt: skip


@pytest.mark.parametrize("case", KNOWS.values(), ids=KNOWS)
def test_the_secret_counts_from_whoever_can_know(world: World, case: tuple[bytes, str | None, str | None, bool]) -> None:
    head, peer, sender, counts = case
    (message,) = readers(world)
    with transaction() as session:
        mail = spool.Mail("smtp", sender, [links.bounce_address(message.id)], head + bounce(), peer=peer)
        spool.store(session, [mail], datetime.now(UTC))
        spool.ring(session)
    world.work()
    assert bool(suppressed(world, "p0@example.org")) is counts
    said = world.rows(select(Arrival.outcome))[0]
    assert said.startswith("somebody says that it failed") is (not counts)


@pytest.mark.settings(FEEDBACK_DOMAINS="arf.provider.example", APPROVALS="0")
@pytest.mark.parametrize(("results", "counts"), [
    (b"dkim=pass header.d=arf.provider.example", True), (b"dkim=pass header.d=provider.example", False),
    (b"dkim=fail header.d=arf.provider.example", False), (b"dkim=pass header.d=example.org", False),
])  # fmt: skip
def test_a_complaint_counts_from_a_provider_that_we_named(world: World, results: bytes, *, counts: bool) -> None:
    (message,) = readers(world)
    receive(world, VOUCHED % results + STRANGER + complaint(message.id), f"fbl@{DOMAIN}", "feedback@provider.example")
    assert bool(suppressed(world, "p0@example.org")) is counts
    assert world.rows(select(Subscription.state)) == (["left"] if counts else ["confirmed"])


@pytest.mark.parametrize(("domain", "counts"), [("hosting.example", True), ("mx.hosting.example", True), ("example", False),
                                                ("eve.hosting.example", False), ("ting.example", False)])  # fmt: skip
def test_the_server_that_took_a_letter_can_know_what_became_of_it(world: World, domain: str, *, counts: bool) -> None:
    """Many domains have their mail at a provider, whose reports bear the provider's name."""
    (message,) = readers(world)
    with transaction() as session:
        session.add(
            Attempt(message_id=message.id, at=datetime.now(UTC), host="MX.hosting.example", replies=[], outcome="accepted")
        )
    signed = VOUCHED % f"dkim=pass header.d={domain}".encode()
    receive(world, signed + STRANGER + bounce(), links.bounce_address(message.id), "")
    assert bool(suppressed(world, "p0@example.org")) is counts


def test_a_server_that_hands_on_by_our_smtp_door_is_seen_as_what_it_is(receiver: Receiver, world: World) -> None:
    """By the front door: what a mail server in front of us writes above is all that counts."""
    world.subscribe(ANN)
    world.work()
    (message,) = world.rows(select(Message).where(Message.email == ANN["email"]))
    for head, expected in ((STRANGER, None), (b"", "bounced: no such mailbox")):
        with receiver.client() as client:
            client.sendmail("", [links.bounce_address(message.id)], head + bounce())
        world.sweep(datetime.now(UTC) + timedelta(seconds=10))  # stored before the 250; the bell may come later
        world.work()
        assert suppressed(world, ANN["email"]) == expected
