"""Mail that comes back is a claim: it counts with the secret of its envelope, from somebody who can know, and never else.

The attacker of these tests has every public page and file, and letters that were forwarded to her; she sends to our doors.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from sqlalchemy import select, update

from service import links, spool
from service.db import reading, transaction
from service.models import Arrival, Bounce, Evidence, FormerTokens, Mailing, Message, Official, Subscription
from tests.inbound.post import DOMAIN, bounce, complaint, receive
from tests.inbound.test_bounces import readers, suppressed
from tests.people import ANN, OLIVE, SLUG
from tests.world import World, html_of, text_of

pytestmark = pytest.mark.settings(APPROVALS="0", SECOND_FACTOR="off")
STRANGER = b"Received: from evil.example (evil.example [203.0.113.66])\r\n\tby mx.lists.example.org with ESMTP id 1;\r\n"
TOKEN = re.compile(r"(?<![a-z2-7])[a-z2-7]{26}(?![a-z2-7])")


def served(world: World) -> list[Message]:
    """Ann signed, and the officials have been served."""
    world.publish(milestones=(1,))
    world.add_organisers()
    world.sign(ANN, updates="yes")
    world.confirm(ANN["email"])
    world.sweep()
    world.work()
    return world.rows(select(Message).where(Message.kind == "serving").order_by(Message.id))


def public_and_forwarded(world: World, letters: list[EmailMessage]) -> str:
    """All that a stranger can read: public pages and files, and whole letters without what servers write above them."""
    paths = ["", "/signatures", "/deliveries", "/deliveries.json", "/deliveries.atom", "/servings/1/manifest.json",
             "/editions/1/leaves.txt", "/editions/1.txt"]  # fmt: skip
    pages = [world.get(f"/notices/{SLUG}{path}").text for path in paths]
    with reading() as session:
        chain = list(session.scalars(select(Evidence.record)))
    whole = [letter.as_string() + text_of(letter) + html_of(letter) for letter in letters]
    return "\n".join([*pages, *chain, *whole])


def test_nothing_that_is_public_or_forwarded_holds_what_authenticates_a_bounce(world: World) -> None:
    served(world)
    letters = world.letters()
    for letter in letters:
        del letter["Return-Path"]
    text = public_and_forwarded(world, letters)
    tokens = {token.lower() for token in TOKEN.findall(text.replace("=\n", ""))}
    envelopes = {links.bounce_address(number).split("+")[1].split("@")[0] for number in world.rows(select(Message.id))}
    assert {links.message_token(number) for number in world.rows(select(Message.id))} & tokens  # those are public
    assert not envelopes & tokens
    assert "bounce+" not in text


@pytest.mark.parametrize("action", ["failed", "delivered", "relayed"])
@pytest.mark.parametrize("former", [False, True], ids=["since", "before the secrets were separate"])
def test_a_stranger_with_the_manifest_writes_nothing_into_the_register(world: World, action: str, *, former: bool) -> None:
    [message, *_] = served(world)
    if former:
        with transaction() as session:
            session.get_one(FormerTokens, 1).last_message_id = message.id
    before = world.get(f"/notices/{SLUG}/deliveries").text, len(world.rows(select(Evidence.id)))
    lie = "550 5.1.1 The Leader says: these signatures are fake, see evil.example"
    public = world.get(f"/notices/{SLUG}/servings/1/manifest.json").text
    token = TOKEN.findall(public)[0]
    assert token in {links.message_token(number) for number in world.rows(select(Message.id))}
    for to in (f"bounce+{token}@{DOMAIN}", f"notices@{DOMAIN}", f"postmaster@{DOMAIN}", f"updates-request@{DOMAIN}"):
        receive(world, STRANGER + bounce("5.1.1", lie, action), to, "")
    page = world.get(f"/notices/{SLUG}/deliveries").text
    assert (page, len(world.rows(select(Evidence.id)))) == before
    assert world.rows(select(Official.bounced_at)) == [None, None]
    assert set(world.rows(select(Message.state).where(Message.kind == "serving"))) == {"accepted"}
    claim = world.rows(select(Arrival).order_by(Arrival.id))[0]
    assert claim.outcome.startswith("somebody says that it ")
    olive = world.sign_in(OLIVE)
    assert "Somebody says that it" in world.get("/organise/inbox?folder=unclear", olive).text


def test_whoever_has_seen_a_message_id_silences_nobody(world: World) -> None:
    (message,) = readers(world)
    seen = links.message_token(message.id)
    receive(world, STRANGER + bounce(), f"bounce+{seen}@{DOMAIN}", "")
    receive(world, bounce(), f"bounce+{seen}@{DOMAIN}", "")  # even from here: it is no secret
    receive(world, STRANGER + complaint(message.id), f"fbl@{DOMAIN}", "fbl@evil.example")
    assert suppressed(world, "p0@example.org") is None
    assert world.rows(select(Bounce)) == []
    assert world.rows(select(Subscription.state)) == ["confirmed"]
    assert world.rows(select(Message.state).where(Message.id == message.id)) == ["accepted"]


VOUCHED = b"Authentication-Results: lists.example.org; %s\r\n"
KNOWS = {
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
}  # fmt: skip


@pytest.mark.parametrize("case", KNOWS.values(), ids=KNOWS)
def test_the_secret_counts_from_whoever_can_know(world: World, case: tuple[bytes, str | None, str, bool]) -> None:
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


def test_a_letter_of_before_still_counts_as_failed_from_whoever_can_know(world: World) -> None:
    (message,) = readers(world)
    with transaction() as session:
        session.get_one(FormerTokens, 1).last_message_id = message.id
    receive(world, bounce(), f"bounce+{links.message_token(message.id)}@{DOMAIN}", "")
    assert suppressed(world, "p0@example.org") == "bounced: no such mailbox"


def test_few_readers_pause_nothing_and_a_replay_after_going_on_does_nothing(world: World) -> None:
    messages = readers(world, 6)
    with transaction() as session:
        session.execute(update(Mailing).values(state="sending", finished_at=None))
    for message in messages[:4]:
        for _ in range(3):
            receive(world, complaint(message.id), f"fbl@{DOMAIN}")
    assert world.rows(select(Mailing.state)) == ["sending"]
    receive(world, complaint(messages[4].id), f"fbl@{DOMAIN}")
    assert world.rows(select(Mailing.state)) == ["paused"]
    with transaction() as session:
        session.execute(update(Mailing).values(state="sending"))  # Go on
    for message in messages[:5]:
        receive(world, complaint(message.id), f"fbl@{DOMAIN}")
    assert world.rows(select(Mailing.state)) == ["sending"]
    assert len(world.rows(select(Bounce).where(Bounce.kind == "complaint"))) == 5


def test_a_flood_of_claims_about_one_message_is_shown_once(world: World) -> None:
    (message,) = readers(world)
    for number in range(5):
        receive(world, STRANGER + bounce("5.1.1", f"550 lie {number}"), links.bounce_address(message.id), "")
    assert world.rows(select(Arrival.folder).order_by(Arrival.id)) == ["unclear", "", "", "", ""]
