"""Every message is acted on, answered, or shown where an organiser finds it, with whose it is, its words and its files."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from itertools import product

import pytest
from sqlalchemy import select

from service.core.db import transaction
from service.emails import links
from service.mailings import mailing_lifecycle
from service.models import Arrival, Bounce, Message
from service.subscriptions import subscribing
from tests.inbound.post import DOMAIN, bounce, letter, receive
from tests.support.people import ANN, BEN, OLIVE
from tests.support.world import World

NOTICES = f"notices@{DOMAIN}"
TOKEN = "Message-ID: {}\r\n"
RETURNED = (
    "--=_edge\nContent-Type: text/rfc822-headers\n\nReturn-Path: <{}>\nMessage-ID: {}\nSubject: The first week\n\n--=_edge--"
)


def last(world: World) -> Arrival:
    return world.rows(select(Arrival).order_by(Arrival.id.desc()))[0]  # type: ignore[no-any-return]


def of_message(number: int, **how: str) -> bytes:
    """A report that returns the headers of one message of ours, and came to another address than that message's own."""
    returned = RETURNED.format(links.bounce_address(number), links.message_id(number)).replace("\n", "\r\n").encode()
    return bounce(**how).replace(b"--=_edge--", returned)


def welcomed(world: World) -> int:
    """Ann is on the list; the number of the message that welcomed her."""
    world.publish()
    world.subscribe(ANN)
    world.confirm(ANN["email"])
    return int(world.rows(select(Message.id).where(Message.kind == "welcome"))[0])


@pytest.mark.parametrize(
    "to", [NOTICES, f"contact@{DOMAIN}", f"updates-request@{DOMAIN}", f"postmaster@{DOMAIN}", f"updates-subscribe@{DOMAIN}"]
)
def test_a_bounce_to_any_address_counts_where_it_returns_the_sender_of_our_envelope(either_world: World, to: str) -> None:
    number = welcomed(either_world)
    receive(either_world, of_message(number), to, "")
    assert either_world.rows(select(Message.state).where(Message.id == number)) == ["bounced"]
    assert last(either_world).outcome.startswith("hard: ")
    assert len(either_world.rows(select(Bounce.id))) == 1


def test_a_bounce_that_names_its_message_by_what_anybody_may_read_changes_nothing(world: World) -> None:
    number = welcomed(world)
    told = bounce().replace(b"Auto-Submitted", f"In-Reply-To: {links.message_id(number)}\r\nAuto-Submitted".encode())
    receive(world, told, NOTICES, "")
    assert world.rows(select(Message.state).where(Message.id == number)) == ["accepted"]
    assert last(world).outcome.startswith("somebody says that it failed (hard: ")
    assert last(world).folder == "unclear"


OF_TEXT = """\
This message was created automatically by mail delivery software.
A message that you sent could not be delivered to one or more of its recipients.

  ann@example.org
    SMTP error from remote mail server after RCPT TO:<ann@example.org>:
    550 5.1.1 User unknown

------ This is a copy of the message, including all the headers. ------

Return-Path: <{}>
Subject: You will get our updates
"""


def test_a_bounce_of_no_standard_names_its_message_in_the_copy_below_its_text(world: World) -> None:
    number = welcomed(world)
    receive(
        world,
        letter("MAILER-DAEMON@mx.example.net", NOTICES, "Mail delivery failed", OF_TEXT.format(links.bounce_address(number))),
        NOTICES,
        "",
    )
    assert world.rows(select(Message.state).where(Message.id == number)) == ["bounced"]


FORGED = [
    (b"aaaaaaaaaaaaaaaaaaaaaaaaaa", "", "a token that is none of ours"),
    (None, "mallory@example.org", "an envelope sender who is no server"),
]  # fmt: skip


@pytest.mark.parametrize(("token", "sender", "name"), FORGED)
def test_a_bounce_that_proves_nothing_changes_nothing_and_is_shown(
    world: World, token: bytes | None, sender: str, name: str
) -> None:
    number = welcomed(world)
    world.add_organisers()
    raw = of_message(number)
    raw = re.sub(rb"(<|\+)[a-z2-7]{26}@", rb"\1" + token + b"@", raw) if token else raw
    receive(world, raw, NOTICES, sender)
    assert world.rows(select(Message.state).where(Message.id == number)) == ["accepted"], name
    assert last(world).folder == "unclear"
    page = world.get("/organise/inbox?folder=unclear", world.sign_in(OLIVE)).get_data(as_text=True)
    assert "Undelivered Mail Returned to Sender" in page
    assert "Write to this address no more" not in page


WRITERS = {
    "a person": "Ada <ada@example.org>", "two people": "ada@example.org, bo@example.org", "a group": "us: ada@example.org;",
    "nobody": "", "an address of another kind": "Ada <ada@[192.0.2.1]>", "no-reply": "no-reply@shop.example",
    "a daemon": "postmaster@example.org",
}  # fmt: skip
BODIES = {
    "words": ("text/plain", "Who brings the chairs?\r\n"), "nothing": ("text/plain", "\r\n"),
    "a file": ("application/pdf; name=form.pdf", "JVBERi0xLjQK\r\n"),
    "an odd charset": ("text/plain; charset=klingon", "nuqneH\r\n"), "encrypted": ("application/pkcs7-mime", "MIAG\r\n"),
    "somebody away": ("text/plain", "I am out of the office until Monday.\r\n"),
}  # fmt: skip
HEADERS = {
    "plain": "",
    "automatic": "Auto-Submitted: auto-replied\r\n",
    "forged": f"Authentication-Results: {DOMAIN}; dmarc=fail\r\n",
}


def addresses() -> list[str]:
    named = ["abuse", "updates-request", "updates-subscribe", "updates-unsubscribe", "again", "nolist-request"]
    tokens = [made(number) for made in (links.confirm_address, links.bounce_address) for number in (1, 99)]
    return [NOTICES, "nobody@elsewhere.example", *(f"{name}@{DOMAIN}" for name in named), *tokens]


def answered_before(world: World, row: Arrival) -> bool:
    """Whether a letter that says the same waits, or went: none is written twice."""
    return row.outcome.startswith("answered") and row.mailbox in world.rows(select(Message.mailbox))


@pytest.mark.settings(LIMIT_GAP_MINUTES="1", LIMIT_DAY="50")
@pytest.mark.parametrize("writer", WRITERS)
def test_no_message_vanishes(world: World, writer: str) -> None:
    """Whoever writes what to whichever address: it led to a letter, changed something, or stands in a folder."""
    world.publish()
    receive(world, letter("ada@example.org", f"updates-subscribe@{DOMAIN}"), f"updates-subscribe@{DOMAIN}", "ada@example.org")
    for (body, (kind, text)), (headers, head), to in product(BODIES.items(), HEADERS.items(), addresses()):
        raw = f"From: {WRITERS[writer]}\r\nTo: {to}\r\nSubject: Hello\r\nContent-Type: {kind}\r\n{head}\r\n{text}"
        before = len(world.rows(select(Message.id)))
        receive(world, raw.encode(), to, "x@example.org")
        row, written = last(world), len(world.rows(select(Message.id))) > before
        acted = row.outcome in {"confirmed by reply", "confirms nothing: this link was used already"}
        assert row.folder or written or acted or answered_before(world, row), (body, headers, to, row.outcome)
        if row.folder:
            assert row.written_by == WRITERS[writer], (to, row.outcome)


def test_an_answer_to_our_own_update_is_a_persons_whatever_its_subject_sounds_like(world: World) -> None:
    world.publish()
    with transaction() as session:
        updates = subscribing.find_list(session, "updates")
        mailing_lifecycle.draft(session, updates, "Out of office: who answers?", "Nobody.", None, datetime.now(UTC))
    for subject, folder in (
        ("Re: Out of office: who answers?", "replies"),
        ("Re: Out of office: back on Monday", "automatic"),
    ):
        receive(world, letter(ANN["email"], NOTICES, subject, "Well done all."), NOTICES, ANN["email"])
        assert last(world).folder == folder


UNSEEN = {
    "NUL in base64": ("text/plain\r\nContent-Transfer-Encoding: base64", base64.b64encode(b"I can\0 come.\7\33[2J")),
    "half a character in UTF-7": ("text/plain; charset=utf-7", b"I can +2AA- come."),
    "NUL in UTF-16": ("text/plain; charset=utf-16le", "I can\0 come.\ufffe".encode("utf-16-le")),
    "directions": ("text/html; charset=utf-8", "<p>\u202eI can\u2066 come.\u0000</p>".encode()),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_what_no_reader_sees_is_neither_stored_nor_in_the_way(either_world: World, name: str) -> None:
    either_world.publish()
    kind, body = UNSEEN[name]
    head = f"From: Ann <{ANN['email']}>\r\nSubject: =?utf-8?B?AGEH?=\r\nContent-Type: {kind}\r\n\r\n".encode()
    receive(either_world, head + body, NOTICES, ANN["email"])
    row = last(either_world)
    assert (row.folder, " ".join(row.own.split())) in {("replies", "I can come."), ("replies", "I can come.[2J")}
    assert (row.own + row.body + row.subject).replace("\n", "").isprintable()


def test_words_to_a_lists_address_that_are_no_command_are_answered_and_shown(world: World) -> None:
    world.publish()
    to = f"updates-request@{DOMAIN}"
    receive(world, letter(ANN["email"], to, "A question", "My mother died. Please take her off."), to, ANN["email"])
    assert (last(world).folder, last(world).outcome) == ("replies", "answered: help")
    assert world.letter(ANN["email"], "by e-mail")
    receive(world, letter(BEN["email"], to, "help", ""), to, BEN["email"])
    assert (last(world).folder, last(world).outcome) == ("", "answered: help")


def test_a_command_below_a_quotation_is_found(world: World) -> None:
    world.publish()
    to = f"updates-request@{DOMAIN}"
    text = f"On Mon, 23 Nov 2026 at 18:02, The Branch <{NOTICES}> wrote:\n> The first week\n> of many\n\nunsubscribe\n"
    receive(world, letter(ANN["email"], to, "Re: The first week", text), to, ANN["email"])
    assert last(world).outcome == "answered: unsubscribe"
