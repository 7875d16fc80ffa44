"""Only a clear yes, or an answer with no words of its own, confirms; whatever else comes back is shown, and answered once.

Somebody asked by e-mail, and answers the letter that asks back.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from service.core.db import transaction
from service.models import Arrival, Message, Request, Subscription
from tests.inbound.post import DOMAIN, letter, receive
from tests.support.people import ANN
from tests.support.world import World, html_of, text_of

ASK = f"updates-subscribe@{DOMAIN}"


def asked(world: World) -> tuple[str, str]:
    """The address to answer to, and our letter as it would be quoted."""
    world.publish()
    receive(world, letter(ANN["email"], ASK), ASK, ANN["email"])
    ours = world.letter(ANN["email"], "confirm")
    return str(ours["Reply-To"]), text_of(ours)


def state(world: World) -> str:
    return str(world.rows(select(Subscription.state))[0])


OURS = "Re: Please confirm that you want our updates"


def answer(world: World, to: str, body: str, headers: str = "", subject: str = OURS) -> Arrival:
    head = f"From: Ann Ashworth <{ANN['email']}>\r\nTo: {to}\r\nSubject: {subject}\r\n{headers}\r\n"
    receive(world, (head + body.replace("\n", "\r\n")).encode(), to, ANN["email"])
    return world.rows(select(Arrival).order_by(Arrival.id.desc()))[0]  # type: ignore[no-any-return]


def quoted(text: str) -> str:
    return "".join(f"> {line}\n" for line in text.splitlines())


CONFIRM = [
    "{q}", "On Wed, 25 Nov 2026 at 09:10, N <notices@lists.example.org> wrote:\n{q}", "Yes\n\n{q}",
    "{q}\nYes, that was me.\n", "", "Sent from my iPhone\n\n{q}", "-- \nAnn Ashworth\n+44 20 7946 0000\n\n{q}",
    "Ja, bitte!\n{q}", "No question about it: yes please.\n{q}",
    "No dia 25/11/2026, às 09:10, N <notices@lists.example.org> escreveu:\n{q}", "Ann\n\n{q}",
    "________________________________\nFrom: N <n@x.example>\nSent: 25 Nov 2026\nSubject: Please confirm\n\n{t}",
    "-----Original Message-----\nFrom: N\nSubject: Please confirm\n\n{t}",
]  # fmt: skip


@pytest.mark.parametrize("body", CONFIRM)
def test_a_clear_yes_or_nothing_but_our_own_letter_confirms(world: World, body: str) -> None:
    to, ours = asked(world)
    answer(world, to, body.format(q=quoted(ours), t=ours))
    assert state(world) == "confirmed"


def test_our_letter_quoted_without_a_mark_is_still_ours(world: World) -> None:
    """Outlook quotes the page, not the text, under a block of headers, each paragraph on a line of its own."""
    to, _ = asked(world)
    page = html_of(world.letter(ANN["email"], "confirm"))
    head = '<div id="divRplyFwdMsg"><b>From:</b> N &lt;n@x.example&gt;<br><b>Sent:</b> 25 Nov 2026<br></div>'
    answer(world, to, f"<p>&nbsp;</p><hr>{head}{page}", "Content-Type: text/html; charset=utf-8\r\n")
    assert state(world) == "confirmed"


REMAIN = [
    "Yes\n-- \nAnn\nforget it\n{q}", "Yes\n\nKind regards\nAnn\nforget it\n{q}", "Yes, forget it\n{q}",
    "{q}\nNo, that was not me.\n", "{q}No!\n{q}", "Sent from my iPhone\n\nNo, not me",
    "________________________________\nNo, I never asked for this",
    "-----Original Message-----\nFrom: N\nSubject: Please confirm\n\n{t}\nI did not sign anything. No.",
    "That isn't me, you have the wrong address.\n{q}",
    "Case 5512 was opened. Somebody will look at it by Friday.\n\nThe front desk", "Ann has left the branch.\n\n{q}",
    "Hello.\n{q}", "Who are you?\n{q}", "Please don't. Delete my details.\n{q}", "Yes, but who are you?\n{q}", "-- \nNo\n{q}",
    "No\n{q}", "Nein\n{q}", "{q}\n-- \nNot me\n", "👎\n{q}", ":(\n{q}", ">From my side: no.\n{q}",
    "-----BEGIN PGP MESSAGE-----\n\nhQEMA5\n-----END PGP MESSAGE-----\n",
]  # fmt: skip


@pytest.mark.parametrize("body", REMAIN)
def test_whatever_else_comes_back_confirms_nothing_is_shown_and_answered_once(world: World, body: str) -> None:
    to, ours = asked(world)
    for _ in range(3):
        row = answer(world, to, body.format(q=quoted(ours), t=ours))
        assert (state(world), row.folder) == ("pending", "replies")
    assert world.rows(select(Request.used_at)) == [None]
    assert world.rows(select(Message.kind).order_by(Message.id)) == ["confirm", "commands"]


MIXED = "multipart/mixed; boundary=b"


def parts(*bodies: str) -> str:
    return "".join(f"--b\n{body}\n" for body in bodies) + "--b--\n"


PARTS = {
    "an encrypted message": ("multipart/encrypted; boundary=b", parts("Content-Type: application/pgp-encrypted\n\nVersion: 1")),
    "an encrypted S/MIME message": ("application/pkcs7-mime; smime-type=enveloped-data", "MIAG\n"),
    "a picture": ("image/png", "iVBORw0KGgo=\n"),
    "a picture beside an empty text": (MIXED, parts("\n", "Content-Type: image/png\n\nx")),
    "a page with a picture": ("text/html", '<p></p><img src="https://pictures.example/no.png" width="300">'),
    "a file": (MIXED, parts("\n", "Content-Disposition: attachment; filename=no.txt\n\nNo")),
    "an encoding that nobody knows": ("text/plain\r\nContent-Transfer-Encoding: x-rot13", "Ab\n"),
    "base64 with something behind it": ("text/plain\r\nContent-Transfer-Encoding: base64", "Cg==\n-- \nNo!\n"),
    "a no on the page alone": ("multipart/alternative; boundary=b", parts("\n", "Content-Type: text/html\n\n<p>No</p>")),
    "a no in a second text": (MIXED, parts("\nYes", "Content-Type: text/plain\n\nNo, wait.")),
    "parts that are none": (MIXED, "No\n"),
    "more than we read": ("text/plain", "> quoted\n" * 80_000 + "No\n"),
    "a no below a long quotation": ("text/plain", "> quoted\n" * 5_000 + "No\n"),
    "a smiley that a program drew": ("text/html", '<div><img alt="👎" class="an1" src="https://emoji.example/x.png"></div>'),
    "a message within": (MIXED, parts("\n", "Content-Type: message/rfc822\n\nSubject: No\n\nNo")),
}


@pytest.mark.parametrize("name", PARTS)
def test_what_was_not_read_whole_is_no_answer_without_words(world: World, name: str) -> None:
    to, _ = asked(world)
    kind, body = PARTS[name]
    row = answer(world, to, body, f"MIME-Version: 1.0\r\nContent-Type: {kind}\r\n")
    assert (state(world), row.folder) == ("pending", "replies"), row.outcome


def test_the_letter_that_asks_again_may_be_answered_with_a_yes(world: World) -> None:
    to, ours = asked(world)
    answer(world, to, f"Who are you?\n\n{quoted(ours)}")
    with transaction() as session:  # its time has come
        session.execute(update(Message).values(due_at=datetime.now(UTC) - timedelta(minutes=5)))
    world.sweep()
    world.work()
    again = world.letter(ANN["email"], "About your answer")
    answer(world, str(again["Reply-To"]), f"Yes\n\n{quoted(text_of(again))}", subject=f"Re: {again['Subject']}")
    assert state(world) == "confirmed"


@pytest.mark.parametrize("subject", ["No", "Not me", "Re: No", "AW: Nein", "Re: wrong person", "Who is this?", "Stop"])
def test_a_subject_may_say_no_by_itself(world: World, subject: str) -> None:
    to, _ = asked(world)
    assert answer(world, to, "\n", subject=subject).folder == "replies"
    assert state(world) == "pending"


@pytest.mark.parametrize(
    "subject", ["Yes", OURS, OURS.replace("Re:", "RE: [EXTERNAL]"), "Antw: Re: please confirm", "", "confirm"]
)
def test_our_own_subject_or_a_yes_says_nothing_against_it(world: World, subject: str) -> None:
    to, _ = asked(world)
    answer(world, to, "\n", subject=subject)
    assert state(world) == "confirmed"


@pytest.mark.parametrize("text", ["No", "Nein", "STOP", "Yes, no"])
def test_a_short_no_in_base64_is_read(world: World, text: str) -> None:
    to, _ = asked(world)
    answer(world, to, base64.b64encode(text.encode()).decode(), "Content-Transfer-Encoding: base64\r\n")
    assert state(world) == "pending"
