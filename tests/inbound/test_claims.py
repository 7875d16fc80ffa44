"""Mail that comes back is a claim: it counts with the secret of its envelope, from somebody who can know, and never else.

The attacker of these tests has every public page and file, and letters that were forwarded to her; she sends to our doors.
"""

from __future__ import annotations

import contextlib
import json
import re
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import select, update

from service.core.db import reading, transaction
from service.emails import links
from service.errors import NotFound
from service.models import Arrival, Bounce, Evidence, FormerTokens, Mailing, Message, Official, Subscription
from tests.inbound.conftest import Receiver
from tests.inbound.post import DOMAIN, STRANGER, bounce, complaint, receive
from tests.inbound.test_bounces import readers, suppressed
from tests.inbound.test_stories import send_update
from tests.support.people import ANN, OLIVE, SLUG
from tests.support.world import World, html_of, text_of

pytestmark = pytest.mark.settings(APPROVALS="0", SECOND_FACTOR="off")
TOKEN = re.compile(r"(?<![a-z2-7])[a-z2-7]{26}(?![a-z2-7])")


def served(world: World) -> list[Message]:
    """Ann signed, and the officials have been served."""
    world.publish(milestones=(1,))
    sign_and_serve(world)
    return world.rows(select(Message).where(Message.kind == "serving").order_by(Message.id))


def sign_and_serve(world: World) -> None:
    world.add_organisers()
    world.sign(ANN, updates="yes")
    world.confirm(ANN["email"])
    world.sweep()
    world.work()


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


def shown_when_forwarded(letter: EmailMessage) -> str:
    """What a reply or a forward shows to others: the text, the headers that programs quote or thread by, and the list's."""
    quoted = [f"{name}: {value}" for name, value in letter.items() if name.lower().startswith(("list-", "feedback"))]
    quoted += [f"{name}: {letter[name]}" for name in ("From", "To", "Subject", "Date", "Message-ID", "References")]
    return "\n".join([*quoted, text_of(letter), html_of(letter)])


READERS: dict[str, Callable[[str], object]] = {
    "bounce": links.read_envelope_token,
    "complaint": links.read_complaint_token,
    "unsubscription": lambda token: links.read_compact("unsubscribe", token),
    "acknowledgement": lambda token: links.read("acknowledge", token),
}


def what_it_proves(token: str) -> set[str]:
    proved = set()
    for purpose, read in READERS.items():
        with contextlib.suppress(NotFound):
            read(token)
            proved.add(purpose)
    return proved


def test_no_secret_can_be_read_or_made_from_what_others_see(world: World) -> None:
    """That of an unsubscription stands in its letter, and so does that of an acknowledgement; neither is good for more."""
    served(world)
    text = public_and_forwarded(world, []) + "\n".join(shown_when_forwarded(letter) for letter in world.letters())
    words = set(re.findall(r"[A-Za-z0-9_.-]{20,}", text)) | set(TOKEN.findall(text))
    proved = {word: what_it_proves(word) for word in words}
    assert set().union(*proved.values()) == {"unsubscription", "acknowledgement"}
    assert all(len(purposes) <= 1 for purposes in proved.values())
    public = set(re.findall(r"[A-Za-z0-9_.-]{20,}", public_and_forwarded(world, [])))
    assert not set().union(*(what_it_proves(word) for word in public))


@pytest.mark.parametrize("action", ["failed", "delivered", "relayed"])
@pytest.mark.parametrize("former", [False, True], ids=["since", "before the secrets were separate"])
def test_a_stranger_with_the_manifest_writes_nothing_into_the_register(world: World, action: str, *, former: bool) -> None:
    [message, *_] = served(world)
    if former:
        with transaction() as session:
            session.merge(FormerTokens(id=1, last_message_id=message.id))
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
    for head in (STRANGER, b""):
        receive(world, head + complaint(message.id, secret=False), f"fbl@{DOMAIN}", "fbl@evil.example")
    assert suppressed(world, "p0@example.org") is None
    assert world.rows(select(Bounce)) == []
    assert world.rows(select(Subscription.state)) == ["confirmed"]
    assert world.rows(select(Message.state).where(Message.id == message.id)) == ["accepted"]


def test_a_letter_of_before_still_counts_as_failed_from_whoever_can_know(world: World) -> None:
    (message,) = readers(world)
    with transaction() as session:
        session.merge(FormerTokens(id=1, last_message_id=message.id))
    to = f"bounce+{links.message_token(message.id)}@{DOMAIN}"
    receive(world, bounce(), to, "")
    assert suppressed(world, "p0@example.org") is None  # it is not about her: anybody can have a server return something there
    receive(world, bounce().replace(b"reader@example.net", b"p0@example.org"), to, "")
    assert suppressed(world, "p0@example.org") == "bounced: no such mailbox"


def test_long_after_a_letter_of_before_its_bounce_address_changes_nothing(world: World) -> None:
    (message,) = readers(world)
    with transaction() as session:
        session.merge(FormerTokens(id=1, last_message_id=message.id))
        session.get_one(Message, message.id).settled_at = datetime.now(UTC) - timedelta(days=8)
    told = bounce().replace(b"reader@example.net", b"p0@example.org")
    receive(world, told, f"bounce+{links.message_token(message.id)}@{DOMAIN}", "")
    assert suppressed(world, "p0@example.org") is None


def test_a_copy_that_comes_back_where_its_envelope_says_counts(world: World) -> None:
    """The sender that the mail server saw, and the headers that a provider returns: not what this test can make by itself."""
    readers(world)
    with urllib.request.urlopen(f"{world.postbox}/api/v1/messages?limit=20") as response:
        ids = [one["ID"] for one in json.load(response)["messages"] if one["Subject"] == "The first week"]
    with urllib.request.urlopen(f"{world.postbox}/api/v1/message/{ids[0]}") as response:
        envelope = json.load(response)["ReturnPath"]
    assert envelope.startswith("bounce+")
    receive(world, bounce(), envelope, "")
    assert suppressed(world, "p0@example.org")


def test_a_copy_that_its_reader_calls_spam_ends_everything(world: World) -> None:
    readers(world)
    returned = world.letter("p0@example.org", "The first week")
    del returned["Return-Path"]
    lines = "".join(f"{name}: {value}\r\n" for name, value in returned.items())
    report = complaint(0, secret=False).replace(b"Subject: The first week\r\n", lines.encode())
    receive(world, report, f"fbl@{DOMAIN}")
    assert suppressed(world, "p0@example.org") == "said that it was spam"


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


@pytest.mark.parametrize("door", ["smtp", "lmtp"])
def test_the_attack_fails_at_both_doors(receiver: Receiver, world: World, door: str) -> None:
    """With the manifest, and a copy that was answered in public, from this very machine, without any trace of a way."""
    sign_and_serve(world)
    send_update(world)
    letter, copy = (world.rows(select(Message).where(Message.kind == kind))[0] for kind in ("serving", "mailing"))
    public = world.get(f"/notices/{SLUG}/servings/1/manifest.json").text
    assert links.message_token(letter.id) in public
    before = world.get(f"/notices/{SLUG}/deliveries").text
    lie = "550 5.1.1 these signatures are fake, see evil.example/expose"
    with receiver.client() if door == "smtp" else receiver.lmtp_client() as client:
        for number in (letter.id, copy.id):
            for action in ("failed", "delivered"):
                client.sendmail("", [f"bounce+{links.message_token(number)}@{DOMAIN}"], bounce("5.1.1", lie, action))
            client.sendmail("fbl@evil.example", [f"fbl@{DOMAIN}"], complaint(number, secret=False))
    world.sweep(datetime.now(UTC) + timedelta(seconds=10))  # stored before the 250; the bell may come later
    world.work()
    assert len(world.rows(select(Arrival.id).where(Arrival.state == "done"))) == 6
    assert world.get(f"/notices/{SLUG}/deliveries").text == before
    assert "expose" not in before
    assert suppressed(world, ANN["email"]) is None
    assert world.rows(select(Subscription.state)) == ["confirmed"]
    assert world.rows(select(Official.bounced_at)) == [None, None]
    assert {*world.rows(select(Message.state).where(Message.id.in_([letter.id, copy.id])))} == {"accepted"}
