"""No machine ever confirms, subscribes, or is answered; a valid token to leave acts whatever wrote it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from service.core.db import transaction
from service.emails import links
from service.models import Arrival, Message, Request, Subscription
from tests.inbound.post import DOMAIN, bounce, letter, receive
from tests.support.people import ANN, BEN
from tests.support.world import World, text_of

ASK = f"updates-subscribe@{DOMAIN}"
MACHINES = {
    "null return path": {},
    "auto-replied": {"Auto_Submitted": "auto-replied"},
    "auto-generated": {"Auto_Submitted": "auto-generated; owner-email=x"},
    "bulk": {"Precedence": "bulk"},
    "junk": {"Precedence": "Junk"},
    "list": {"Precedence": "list"},
    "a list's message": {"List_Id": "<talk.example.org>"},
    "a list's way out": {"List_Unsubscribe": "<mailto:x@example.org>"},
    "a daemon": {"From": "MAILER-DAEMON@example.org"},
    "a postmaster": {"From": "Postmaster <postmaster@example.org>"},
    "vacation by subject": {"Subject": "Out of office: until Monday"},
    "vacation by header": {"X_Autoreply": "yes"},
    "two addresses": {"From": f"{ANN['email']}, {BEN['email']}"},
    "a group": {"From": f"us: {ANN['email']};"},
    "no address": {"From": "Ann"},
    "DMARC failed": {"Authentication_Results": f"{DOMAIN}; spf=pass; dmarc=fail (p=none) header.from=example.org"},
}


def last(world: World) -> Arrival:
    found: Arrival = world.rows(select(Arrival).order_by(Arrival.id.desc()).limit(1))[0]
    return found


def messages(world: World) -> int:
    return int(world.rows(select(func.count()).select_from(Message))[0])


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_is_neither_obeyed_nor_answered(world: World, name: str) -> None:
    world.publish()
    sender = "" if name == "null return path" else ANN["email"]
    for to in (ASK, f"updates-unsubscribe@{DOMAIN}", f"updates-request@{DOMAIN}", f"notices@{DOMAIN}", f"abuse@{DOMAIN}"):
        receive(world, raw(ANN["email"], to, "subscribe", MACHINES[name]), to, sender)
        assert last(world).state == "done"
    assert messages(world) == 0
    assert world.rows(select(Subscription)) == []


def raw(author: str, to: str, subject: str, headers: dict[str, str]) -> bytes:
    """Headers that no library would write, too."""
    lines = {"From": author, "To": to, "Subject": subject, "Message-ID": "<1@example.org>"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    return "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode() + b"\r\nsubscribe\r\n"


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_confirms_nothing(world: World, name: str) -> None:
    world.publish()
    receive(world, letter(ANN["email"], ASK), ASK, ANN["email"])
    to = world.letter(ANN["email"], "confirm")["Reply-To"]
    sender = "" if name == "null return path" else ANN["email"]
    receive(world, raw(ANN["email"], to, "Re: Please confirm", MACHINES[name]), to, sender)
    receive(world, bounce(), to, "")
    assert world.rows(select(Subscription.state)) == ["pending"]
    assert world.rows(select(Request.used_at)) == [None]
    assert last(world).outcome


AWAY = [
    "I am out of the office until Monday.", "I'm on annual leave.", "Ich bin bis Montag im Urlaub.",
    "Je suis en congés jusqu'à lundi.", "Estoy de vacaciones hasta el lunes.", "Sono in ferie fino a lunedì.",
    "Ik ben met vakantie tot maandag.", "Jestem na urlopie.", "Rwyf ar wyliau: allan o'r swyddfa.", "出張のため不在です。",
]  # fmt: skip


@pytest.mark.parametrize("body", AWAY)
def test_a_vacation_answer_without_any_header_confirms_nothing_and_is_not_answered(world: World, body: str) -> None:
    """As some programs write it: a "Re:", our text below, and not one header that tells."""
    world.publish()
    receive(world, letter(ANN["email"], ASK), ASK, ANN["email"])
    asked = world.letter(ANN["email"], "confirm")
    text = f"{body}\n\n> " + text_of(asked).replace("\n", "\n> ")
    for to in (asked["Reply-To"], f"updates-request@{DOMAIN}"):
        receive(world, letter(ANN["email"], to, f"Re: {asked['Subject']}", text), to, ANN["email"])
        assert "somebody is away" in last(world).outcome
    assert world.rows(select(Subscription.state)) == ["pending"]
    assert messages(world) == 1


@pytest.mark.parametrize("name", [*MACHINES, "a bounce", "hostile"])
def test_a_valid_token_to_leave_acts_whatever_wrote_it(world: World, name: str) -> None:
    world.publish()
    world.subscribe(ANN)
    world.confirm(ANN["email"])
    to = links.unsubscribe_address(1)
    content = (
        bounce()
        if name == "a bounce"
        else b"From: a\0b\r\n\r\n"
        if name == "hostile"
        else raw(ANN["email"], to, "", MACHINES[name])
    )
    receive(world, content, to.upper(), "")
    assert world.rows(select(Subscription.state)) == ["left"]


def test_a_claim_of_dmarc_by_anybody_else_is_not_believed(world: World) -> None:
    world.publish()
    forged = {"Authentication_Results": "mx.elsewhere.example; dmarc=fail"}
    receive(world, raw(ANN["email"], ASK, "", forged), ASK, ANN["email"])
    assert world.letter(ANN["email"], "confirm")


def test_a_reply_confirms_only_from_the_address_that_is_confirmed_and_only_once(world: World) -> None:
    world.publish()
    receive(world, letter(ANN["email"], ASK), ASK, ANN["email"])
    to = world.letter(ANN["email"], "confirm")["Reply-To"]
    receive(world, letter(BEN["email"], to, "Re: confirm"), to, ANN["email"])
    assert last(world).outcome == "confirms nothing: it comes from another address"
    receive(world, letter(ANN["email"], to, "Re: confirm", "No, this was not me.\n"), to, ANN["email"])
    assert world.rows(select(Subscription.state)) == ["pending"]
    receive(world, letter(f"Ann <{ANN['email'].upper()}>", to, "Re: confirm", "Yes, it was me.\n"), to, ANN["email"])
    assert world.rows(select(Subscription.state)) == ["confirmed"]
    receive(world, letter(ANN["email"], to, "Re: confirm", "Yes, it was me.\n"), to, ANN["email"])
    assert last(world).outcome == "confirms nothing: this link was used already"
    assert len(world.letters(ANN["email"], "You will get")) == 1


def test_two_instances_pointed_at_each_other_settle_after_one_exchange(world: World) -> None:
    """Somebody asks in the name of another list's address: our answer reaches that list, whose answer reaches us."""
    world.publish()
    other = "news-request@lists.example.net"
    receive(world, letter(other, f"updates-request@{DOMAIN}", "help"), f"updates-request@{DOMAIN}", other)
    answer = world.letter(other)
    before = messages(world)
    for content in (answer.as_bytes(), letter(other, answer["From"], "help", Auto_Submitted="auto-replied")):
        receive(world, content, f"updates-request@{DOMAIN}", "")
    assert messages(world) == before == 1


COMMANDS = [
    ("subscribe", "", "confirm"), ("Re: SUBSCRIBE", "", "confirm"), ("AW: Fwd: subscribe!", "", "confirm"),
    ("", "subscribe\n", "confirm"), ("", "Hello,\n\nsubscribe\n", "confirm"), ("=?utf-8?b?c3Vic2NyaWJl?=", "", "confirm"),
    ("unsubscribe", "", "About what you asked for"), ("status", "", "link"), ("withdraw", "", "link"),
    ("help", "", "by e-mail"), ("What is this?", "I would like to subscribe to all sorts of things", "by e-mail"),
    ("Re: news", "Thanks\n> subscribe\n", "by e-mail"),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "text", "answer"), COMMANDS)
def test_a_command_is_answered_to_its_mailbox_alone(world: World, subject: str, text: str, answer: str) -> None:
    world.publish()
    content = raw(ANN["email"], f"updates-request@{DOMAIN}", subject, {}).replace(b"\r\nsubscribe\r\n", b"\r\n" + text.encode())
    receive(world, content, f"updates-request@{DOMAIN}", ANN["email"])
    (said,) = world.letters(ANN["email"])
    assert answer in said["Subject"]
    assert said["Auto-Submitted"] == "auto-replied"
    assert said["In-Reply-To"] == "<1@example.org>"
    assert "all sorts of things" not in text_of(said)
    assert not world.rows(select(Subscription.state).where(Subscription.state == "confirmed"))


@pytest.mark.parametrize(
    "body",
    [
        "Content-Type: text/html\r\n\r\n<html><body><p>subscribe</p></body></html>\r\n",
        "Content-Transfer-Encoding: base64\r\n\r\nc3Vic2NyaWJlCg==\r\n",
        "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsubscribe\r\n--b--\r\n",
    ],
)
def test_a_command_is_found_in_bodies_of_every_kind(world: World, body: str) -> None:
    world.publish()
    to = f"updates-request@{DOMAIN}"
    receive(world, f"From: {ANN['email']}\r\nTo: {to}\r\n{body}".encode(), to, ANN["email"])
    assert world.letter(ANN["email"], "confirm")


def test_asking_to_leave_by_name_asks_back_first(world: World) -> None:
    world.publish()
    world.subscribe(ANN)
    world.confirm(ANN["email"])
    with transaction() as session:  # the confirmation was long ago
        session.execute(update(Message).values(due_at=datetime.now(UTC) - timedelta(days=3)))
    receive(world, letter(ANN["email"], f"updates-unsubscribe@{DOMAIN}"), f"updates-unsubscribe@{DOMAIN}", ANN["email"])
    assert world.rows(select(Subscription.state)) == ["confirmed"]
    asked = world.letter(ANN["email"], "Do you want to leave")
    world.post(world.link(asked, "unsubscribe"))
    assert world.rows(select(Subscription.state)) == ["left"]


def test_letters_by_command_have_the_limits_of_the_web(world: World) -> None:
    world.publish()
    for _ in range(12):
        receive(world, letter(ANN["email"], f"updates-request@{DOMAIN}", "help"), f"updates-request@{DOMAIN}", ANN["email"])
    assert len(world.letters(ANN["email"])) == 1
    assert messages(world) == 4  # one went, three wait their time
    assert last(world).outcome == "not answered: ten answers a day are enough"
