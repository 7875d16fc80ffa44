"""Only a clear yes, or an answer with no words of its own, confirms; whatever else comes back is shown, and answered once."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as any_
from sqlalchemy import select

from service.incoming import assent, quotations
from service.models import Arrival, Message, Request, Subscription
from tests.inbound.post import DOMAIN, letter, receive
from tests.people import ANN
from tests.world import World, html_of, text_of

ASK = f"updates-subscribe@{DOMAIN}"
NAMES = {"{N}": "The Harbour Members' Network", "{A}": f"notices@{DOMAIN}", "{ME}": ANN["email"]}


def table(name: str) -> list[list[str]]:
    """A table of tests/inbound/answers, as its README says."""
    text = (Path(__file__).parent / "answers" / f"{name}.tsv").read_text()
    for mark, value in NAMES.items():
        text = text.replace(mark, value)
    return [[field.encode("latin-1", "backslashreplace").decode("unicode_escape") for field in line.split("\t")]
            for line in text.splitlines()]  # fmt: skip


HEADINGS, BLOCKS, DEVICES, YES, NO = (table(name) for name in ("headings", "blocks", "devices", "yes", "no"))


def own(text: str) -> list[str]:
    return quotations.own_lines(text).lines


@pytest.mark.parametrize(("language", "program", "heading"), HEADINGS)
def test_a_heading_is_no_word_of_the_author_and_what_stands_around_it_is(language: str, program: str, heading: str) -> None:
    assert own(f"{heading}\n\n> To confirm, answer this e-mail.\n> Thank you.\n") == []
    assert own(f"{heading}\n> To confirm, answer this e-mail.\n\nBelow.\n") == ["Below."]
    assert own(f"Above.\n\n{heading}\n> To confirm.\n\nBetween.\n\n> Thank you.\nBelow.\n") == ["Above.", "Between.", "Below."]


@pytest.mark.parametrize(("language", "program", "block"), BLOCKS)
def test_a_block_of_headers_is_a_heading(language: str, program: str, block: str) -> None:
    assert own(f"Above.\n\n{block}\n\nTo confirm, answer this e-mail.\n") == ["Above.", "To confirm, answer this e-mail."]


def test_headings_are_known_in_many_languages() -> None:
    assert len({row[0] for row in HEADINGS}) > 50
    assert len({row[0] for row in BLOCKS}) > 20


@pytest.mark.parametrize("line", [row[0] for row in DEVICES])
def test_a_phones_line_is_no_word_and_what_stands_below_it_is(line: str) -> None:
    assert own(f"\n{line}\n") == []
    assert own(f"{line}\n\nNo, not me.") == ["No, not me."]


SENTENCES = [
    "On 23 Nov 2026 I wrote to you to stop:", "At 18:02 25/11/2026 you wrote:", "From now on, no", "From me: no",
    "Subject: No", "Sent from my iPhone. No!", "Sent from my heart: no", "No mail", "Get mail",
    "No! On Wed, 25 Nov 2026 at 09:10, N <a@b.example> wrote:", "Wrong person 25/11/2026 09:10 <a@b.example>:",
    "I did not sign, N <a@b.example> wrote:", "-----No-----", "--- no thanks ---", "Le 25 nov. 2026 je vous ai écrit :",
    "El 25/11/2026 09:10 quiero la baja:", "On Friday 27 November at 10:30 there is a meeting:",
    "What you wrote on 25 Nov 2026 at 09:10 is a lie:", "Original message: no", "As I wrote:", "Date: never",
    "No dia 25 no vull res",
]  # fmt: skip


@pytest.mark.parametrize("sentence", SENTENCES)
def test_somebodys_own_sentence_is_never_taken_for_what_a_program_writes(sentence: str) -> None:
    assert own(f"{sentence}\n> quoted\n") == [sentence]


@pytest.mark.parametrize(("language", "text"), YES)
def test_a_clear_yes_is_one_in_many_languages(language: str, text: str) -> None:
    assert assent.answer(own(text), ["Ada Whitlock"]) == "yes"


@pytest.mark.parametrize(("language", "text"), NO)
def test_no_other_words_are_a_yes(language: str, text: str) -> None:
    assert assent.answer(own(text), ["Ada Whitlock"]) == "other"


WORDS = [text for _, text in NO] + ["Why?", "Please explain", "✗", "Maybe", "yes but no", "I am Ada"]
WRITTEN_ELSEWHERE = (
    [heading for *_, heading in HEADINGS] + [row[0] for row in DEVICES] + ["> quoted", ">> twice", "", "____", "-- ", "> "]
)


@settings(max_examples=600, deadline=None)
@given(
    before=any_.lists(any_.sampled_from(WRITTEN_ELSEWHERE), max_size=6),
    word=any_.sampled_from(WORDS),
    after=any_.lists(any_.sampled_from(WRITTEN_ELSEWHERE), max_size=6),
    yes=any_.booleans(),
)
def test_a_line_that_is_no_yes_is_found_wherever_it_stands(before: list[str], word: str, after: list[str], yes: bool) -> None:
    """Between quotations, headings and phones' lines in any order, with a yes above it or without."""
    text = "\n".join(["Yes" if yes else "", *before, word, *after])
    assert assent.answer(own(text), ["Ada Whitlock"]) == "other", own(text)


@settings(max_examples=300, deadline=None)
@given(any_.lists(any_.text(alphabet="bcdfghjklmnpqrstvwxz", min_size=9, max_size=20), min_size=1, max_size=5), any_.data())
def test_a_word_that_stands_in_no_list_is_read_by_a_person(words: list[str], data: any_.DataObject) -> None:
    friendly = data.draw(any_.lists(any_.sampled_from([text for _, text in YES]), max_size=5))
    text = " ".join(data.draw(any_.permutations([*words, *friendly])))
    assert assent.answer(own(text), ["Ada Whitlock"]) == "other"


# The story: somebody asked by e-mail, and answers the letter that asks back.


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
