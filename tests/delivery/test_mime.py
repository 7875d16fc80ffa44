"""What stands on the wire (RFC 5322, 2045–2047, 2231, 8058): every kind of letter, and names at their nastiest."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from service.core.db import transaction
from service.errors import Refused
from service.models import Letter, Message
from service.organisers import accounts
from service.people import complaints
from service.text import email_addresses, person_names
from tests.support.people import ANN, BEN, OLIVE
from tests.support.world import World, html_of, text_of
from workers.outbound.message import mime
from workers.outbound.message.letter_bytes import write

ONCE = ("From", "Date", "Message-ID", "To", "Subject", "MIME-Version", "Content-Type")
NASTY = (
    "Ashworth, Ann",
    'Ann "the pen" Ashworth',
    "Ann \\ Ashworth",
    "O'Malley (Ben)",
    "Ann <ann@evil.example>",
    "a@b.example, c",
    "Ünïcödé Ñame",
    "张伟",
    "محمد علي",
    "דוד",
    "👩‍👩‍👧 Family",
    "Ann =?utf-8?q?a=2Cb?=",
    "=?utf-8?b?YQ==?= Ann",
    "A" * 100,
    "ü" * 100,
    "a " * 50,
    "👩" * 99 + "a",
    "Dr. A. B. Smith; Esq: x",
    "a, " * 33,
    "From Ann",
    ". dot",
    '"',
    'a"',
    "a\\",
    "x" * 60 + " " + "ü" * 39,
    "A" * 70 + "," + "B" * 29,
)
LONG_ADDRESS = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.example.org"
letters_of_names = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn")), max_size=100
)
some_names = st.one_of(st.sampled_from(NASTY), letters_of_names, st.text('abü ,;:"\\<>()@.=?_', max_size=100))


def readable(name: str) -> str:
    """As names.clean leaves it; "" for what it refuses."""
    try:
        return person_names.clean(name, "name")
    except Refused:
        return ""


def wire_rules(raw: bytes, longest: int = 998) -> None:
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", raw), "a bare CR, LF or NUL"
    assert max(map(len, raw.split(b"\r\n"))) <= longest
    assert raw.isascii(), "8-bit on the wire"
    head = raw.partition(b"\r\n\r\n")[0]
    for word in re.findall(rb"=\?[^\s?]+\?[qbQB]\?[^?\s]*\?=", head):
        assert len(word) <= 75, word
    assert not re.search(rb"(?m)^[ \t]*\r?$", head), "a line of the head that is only space"


def the_one_address(raw: bytes, header: str) -> tuple[str, str]:
    """Read by both of the standard library's parsers, neither of which this code writes with.

    The newer one of Python 3.11 puts spaces between the encoded words of a name, so the older one reads the name.
    """
    value = message_from_bytes(raw, policy=policy.default)[header]
    assert len(value.addresses) == 1, value
    assert not value.defects, value.defects
    [(name, email)] = getaddresses([re.sub(r"\r\n(?=[ \t])", "", str(message_from_bytes(raw)[header]))])
    assert email == value.addresses[0].addr_spec
    return str(make_header(decode_header(name))), email


def by_hand(raw: bytes) -> str:
    """What stands in angles outside quotes and encoded words: a second reading, by RFC 5322's grammar alone."""
    value = re.sub(rb"\r\n(?=[ \t])", b"", raw).decode().partition(": ")[2].strip()
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", re.sub(r"=\?[^\s?]+\?[qb]\?[^?\s]*\?=", "", value))
    assert not re.search(r'[,;:"()\\]', bare), bare
    assert bare.count("@") == 1
    return bare.rpartition("<")[2].rstrip(">").strip()


@settings(max_examples=200, deadline=None)
@given(some_names.map(readable), st.sampled_from(["ann@example.org", LONG_ADDRESS]))
def test_a_name_and_an_address_are_read_as_exactly_one(name: str, email: str) -> None:
    raw = mime.address_header("To", name, email)
    wire_rules(raw + b"\r\n", longest=78 if email != LONG_ADDRESS else 998)
    assert the_one_address(raw + b"\r\n", "To") == (name, email)
    assert by_hand(raw) == email


@settings(max_examples=150, deadline=None)
@given(st.one_of(some_names, st.sampled_from(["=?utf-8?q?hidden?=", "a =?utf-8?q?b?= c"])).map(readable).filter(bool))
def test_a_subject_is_read_as_it_was_written(subject: str) -> None:
    raw = mime.header("Subject", subject)
    wire_rules(raw + b"\r\n", longest=130)
    assert str(message_from_bytes(raw + b"\r\n", policy=policy.default)["Subject"]) == subject


@pytest.mark.parametrize("bad", ["\r", "\n", "\r\nBcc: x@example.org", "\0", "\u2028", "\u2029", "\x0b", "\x1b", "\x85"])
def test_control_characters_never_reach_a_header(bad: str) -> None:
    for make in (
        lambda: mime.header("Subject", f"a{bad}b"), lambda: mime.header(f"X{bad}", "a"),
        lambda: mime.address_header("To", f"a{bad}b", "a@example.org"),
        lambda: mime.address_header("To", "a", f"a{bad}@example.org"),
        lambda: mime.file_part(mime.File(f"a{bad}.pdf", "application/pdf", b"")),
    ):  # fmt: skip
        with pytest.raises(mime.BadHeader):
            make()


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=300), st.text("a .\n\r=Fromü\t", max_size=300), st.just("From " + "x" * 90)))
def test_quoted_printable_says_what_the_text_says(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    raw = mime.text_part("plain", text)
    wire_rules(raw, longest=76)
    assert b"\nFrom " not in raw
    content = message_from_bytes(raw, policy=policy.default).get_content()
    assert content.replace("\r\n", "\n").rstrip("\n") == re.sub(r"\r\n?", "\n", text).rstrip("\n")


def test_the_name_of_an_attachment_by_rfc_2231() -> None:
    for name in ("list.pdf", "Öffnet die Bücher.pdf", 'a"b\\c.csv', "ü" * 80 + ".pdf"):
        raw = mime.file_part(mime.File(name, "application/pdf", b"%PDF-1.7 \xff\x00\r\n."))
        wire_rules(raw)
        part = message_from_bytes(raw, policy=policy.default)
        assert part.get_filename() == name
        assert part.get_content() == b"%PDF-1.7 \xff\x00\r\n."


class Links(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {
            value for key, value in attrs if tag == "a" and key == "href" and value and not value.startswith("mailto:")
        }


def same_links(letter: EmailMessage) -> None:
    in_text = {link.rstrip(".,>") for link in re.findall(r"https?://\S+", text_of(letter))}
    assert in_text == Links(html_of(letter)).found, letter["Subject"]
    assert [part.get_content_type() for part in letter.walk() if part.get_content_maintype() == "text"][:2] == [
        "text/plain",
        "text/html",
    ]


def one_of_each_kind(world: World) -> None:
    """Makes the service write every kind of letter it knows."""
    nasty = {"name": 'Ünsal, "Zoë" 张伟 ' + "x" * 60, "email": ANN["email"]}
    world.publish(milestones=(1,))
    world.add_organisers()
    world.sign(nasty, clp="Bœuf & Co, <b>", updates="yes")
    world.confirm(ANN["email"])
    world.sign(nasty)
    world.post("/manage", {"email": BEN["email"]})
    now = datetime.now(UTC)
    with transaction() as session:
        complaints.take(session, nasty | {"email": "chi@example.org", "text": "Hello"}, now)
        accounts.ask(session, OLIVE, now)
    olive = world.sign_in(OLIVE)
    fields = {
        "list": "updates",
        "subject": "Ünser =?utf-8?q?x?= Brief, heute",
        "body": "{name|friend}: [here](https://example.org/a?b=c&d=é) <https://example.org>",
    }
    where = world.post("/organise/updates/new", fields, olive).headers["Location"]
    world.post(where, {"act": "test"}, olive)
    world.sweep()
    world.work()


def test_every_kind_of_letter_keeps_the_rules(world: World) -> None:
    one_of_each_kind(world)
    with transaction() as session:
        rows = session.execute(select(Message, Letter).join(Letter, Letter.message_id == Message.id)).all()
        assert {message.kind for message, _ in rows} == {
            "confirm", "receipt", "welcome", "already", "manage_link", "complaint", "sign_in", "serving", "test_copy"
        }  # fmt: skip
        for message, letter in rows:
            first, again = write(session, message, letter), write(session, message, letter)
            wire_rules(first, longest=300)
            read = message_from_bytes(first, policy=policy.default)
            assert read["Message-ID"] == message_from_bytes(again, policy=policy.default)["Message-ID"]
            for name in ONCE:
                assert len(read.get_all(name, [])) == 1, (message.kind, name)
            assert read["Bcc"] is None
            assert read["Message-ID"].endswith(f"@{world.settings.mail_domain}>")
            assert not read.defects
            assert the_one_address(first, "To")[1] == message.email
            assert str(read["Subject"]) == letter.subject
            assert len(read.get_all("Reply-To", [])) <= 1
            one_by_one = message.kind not in {"serving", "test_copy"}
            assert (read["Auto-Submitted"] == "auto-generated") == one_by_one
            assert (read["X-Auto-Response-Suppress"] == "All") == one_by_one
            assert (read["List-Unsubscribe"] is None) == (message.kind != "test_copy")  # that is a mailing's copy
            same_links(read)


def test_the_postbox_gets_what_the_row_says(world: World) -> None:
    one_of_each_kind(world)
    confirm, receipt = (world.letters(ANN["email"], subject)[0] for subject in ("confirm", "Your signature counts"))
    assert not confirm["To"].addresses[0].display_name  # a stranger may have written it
    assert receipt["To"].addresses[0].display_name.startswith("Ünsal, ")
    assert not confirm.defects
    assert not receipt.defects


@pytest.mark.parametrize(
    ("email", "wire"), [("ann@bücher.example", "ann@xn--bcher-kva.example"), ("Ann@EXAMPLE.org", "Ann@example.org")]
)
def test_international_domains_go_as_a_labels(email: str, wire: str) -> None:
    assert email_addresses.parse(email) == wire
