"""Whose message it is and what its subject says, in every form that mail programs write; bodies are decoded whole."""

from __future__ import annotations

import base64
import time
from email.header import Header

import pytest
from hypothesis import given, settings
from hypothesis import strategies as any_
from sqlalchemy import select

from service.inbound.parsing.classify import Judgement, judge
from service.inbound.parsing.mime import transfer_encodings
from service.models import Arrival, Message, Subscription
from tests.inbound.post import DOMAIN, receive
from tests.stories.operations.test_commands import run
from tests.support.world import World

ASK = f"updates-subscribe@{DOMAIN}"


def read(headers: str = "", body: bytes = b"Hello.\r\n", writer: str = "Ada <ada@example.org>") -> Judgement:
    """A message as it comes over the wire: headers that no library would write, octets that are no text."""
    head = f"From: {writer}\r\nTo: {ASK}\r\n{headers}\r\n".encode("latin-1" if "\xff" not in headers else "utf-8", "replace")
    return judge(head + body, "ada@example.org")


ONE_AUTHOR = [
    "ada@example.org", "<ada@example.org>", "Ada Whitlock <ada@example.org>", "ada@example.org (Ada Whitlock)",
    '"Ada \\"Addie\\" Whitlock" <ada@example.org>', "ada@example.org <ada@example.org>", "ADA@example.org <ada@EXAMPLE.org>",
    "=?iso-8859-1?Q?Whitl=F6ck,=20Ada?= <ada@example.org>", "Whitlock, Ada <ada@example.org>",
    "Ada W. Whitlock <ada@example.org>", "(a) ada (b) @ (c (d)) example.org (Ada)", "Ada <ada@example.org> (the treasurer)",
    "Ada (née Byrd) Whitlock <ada@example.org>", '"ada"@example.org', "Ada <ada@example.org.>",
    "=?utf-8?Q?Ada?=\r\n =?utf-8?Q?_Whitlock?= <ada@example.org>", '"ada@example.org" <ada@example.org>',
    "Ada\t<ada@example.org>", "ada@example.org (Ada \\) Whitlock)",
    "=?utf-8?B?QWRhIDxhZGFAZXhhbXBsZS5vcmc+?= <ada@example.org>",
]  # fmt: skip
NO_AUTHOR = [
    "Ada", "", "ada@example.org, bo@example.org", "us: ada@example.org;", "undisclosed-recipients:;",
    "ada@example.org bo@example.org", "bo@example.org <ada@example.org>", "Ada <ada@example.org> <bo@example.org>",
    "<@relay.example:ada@example.org>", "=?utf-8?q?ada=40example.org?=", "Ada <=?utf-8?q?ada=40example.org?=>",
    "ada@[192.0.2.1]", "Ada <ada@example.org", "Ada <>", "(ada@example.org)", "Ada <ada@example.org>, Bo", "a da@example.org",
    "Ada <ada@@example.org>", "(" * 200 + ")" * 200 + "a@b.org",
]  # fmt: skip


@pytest.mark.parametrize("writer", ONE_AUTHOR)
def test_one_mailbox_in_any_form_is_the_author(writer: str) -> None:
    assert read(writer=writer).author.lower() == "ada@example.org"


@pytest.mark.parametrize("writer", NO_AUTHOR)
def test_where_anybody_could_doubt_nobody_is_the_author(writer: str) -> None:
    assert read(writer=writer).author == ""


@pytest.mark.parametrize(
    "writer",
    [
        "{} <{}>",
        "{1} ({0})",
        '"Ada \\"Addie\\" {0}" <{1}>',
        "{1} <{1}>",
        "=?iso-8859-1?Q?W=F6lf,=20{0}?= <{1}>",
        "Wolf, {0} <{1}>",
    ],
)
def test_whoever_writes_a_from_of_their_own_form_is_answered(world: World, writer: str) -> None:
    world.publish()
    raw = f"From: {writer.format('Ada', 'ada@example.org')}\r\nTo: {ASK}\r\nSubject: subscribe\r\n\r\n".encode()
    receive(world, raw, ASK, "ada@example.org")
    assert world.letter("ada@example.org", "confirm")


@pytest.mark.parametrize(("local", "stored"), [("o'brien", "o'brien"), ("ada+tag", "ada+tag"), ("a.b_c-d", "a.b_c-d")])
def test_the_letter_goes_to_the_very_address(world: World, local: str, stored: str) -> None:
    world.publish()
    raw = f"From: Ada <{local}@example.org>\r\nTo: {ASK}\r\nSubject: subscribe\r\n\r\n".encode()
    receive(world, raw, ASK, "ada@example.org")
    assert world.rows(select(Message.email)) == [f"{stored}@example.org"]


def test_an_address_in_letters_of_its_own_country_asks_and_confirms(world: World) -> None:
    world.publish()
    author = "Ada <ada@bücher.example>"
    receive(world, f"From: {author}\r\nTo: {ASK}\r\nSubject: subscribe\r\n\r\n".encode(), ASK, "ada@xn--bcher-kva.example")
    to = world.letter("ada@xn--bcher-kva.example", "confirm")["Reply-To"]
    receive(world, f"From: {author}\r\nTo: {to}\r\nSubject: Re: confirm\r\n\r\nYes.\r\n".encode(), to, "")
    receive(
        world, f"From: {author}\r\nTo: {to}\r\nSubject: Re: confirm\r\n\r\nYes.\r\n".encode(), to, "ada@xn--bcher-kva.example"
    )
    assert world.rows(select(Subscription.state)) == ["confirmed"]


ADDRESSED = [
    f"To: somebody@example.net\r\nCc: {ASK}\r\n", f"To: =?utf-8?Q?Upd=C3=A4tes?= <{ASK}>\r\n",
    f'To: "updates-subscribe"@{DOMAIN}\r\n', f"To: =?utf-8?Q?updates-subscribe=40{DOMAIN}?=\r\n",
    f"To: us: somebody@example.net, {ASK};\r\n", f"To: {ASK} (Updates)\r\n",
    f'To: "{ASK}" <somebody@example.net>, <{ASK}>\r\n', f"Delivered-To: {ASK}\r\nTo: somebody@example.net\r\n",
    f"To: somebody@example.net\r\nBcc: {ASK.upper()}\r\n", f"To: somebody@example.net\r\nResent-To: {ASK}.\r\n",
]  # fmt: skip


@pytest.mark.parametrize("addressed", ADDRESSED)
def test_our_address_is_found_in_mail_from_a_pipe_wherever_it_stands(world: World, addressed: str) -> None:
    world.publish()
    path = world.settings.var_dir / "mail.eml"
    path.write_bytes(f"From: Ada <ada@example.org>\r\n{addressed}Subject: Hello\r\n\r\n".encode())
    assert run(world, "inbound", "process", str(path)).exit_code == 0
    world.work()
    assert world.letter("ada@example.org", "confirm")


SUBJECTS = [
    (b"=?iso-8859-8-i?B?+ezl7Q==?=", "שלום"), (b"=?ks_c_5601-1987?B?jGO55rCix88=?=", "똠방각하"),
    (b"=?utf-8?Q?Caf=C3?= =?utf-8?Q?=A9_on_Friday?=", "Café on Friday"), (b"=?utf-8?B?Q2Fmw6k=?= =?utf-8?B??=", "Café"),
    (b"=?utf-8?B?Q2Fm?=\r\n\t=?UTF-8?Q?=C3=A9?=", "Café"), (b"=?iso-8859-1?Q?Re:_Gr\xfc\xdfe?=", "Re: Grüße"),
    (b"=?utf-8?Q?Re: Caf=C3=A9 on Friday?=", "Re: Café on Friday"), (b"=?utf-8?Q?Really??=", "Really?"),
    (b"=?utf-8?Q?Gr=C3=BC=C3=9Fe?= aus =?utf-8?Q?K=C3=B6ln?=", "Grüße aus Köln"),
    (b"=?utf-8*de?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"), (b"=?x-mac-cyrillic?Q?=8F=F0=E8=E2=E5=F2?=", "Привет"),
    (b"=?gb2312?B?xOO6ww==?=", "你好"), (b"=?klingon?Q?nuqneH?=", "=?klingon?Q?nuqneH?="), (b"=?utf-8?B?Q2Fmw6k?=", "Café"),
    ("Grüße".encode(), "Grüße"), ("Grüße".encode("latin-1"), "Grüße"), (b"a =?utf-8?Q?b?= =?utf-8?Q?c?= d", "a bc d"),
    (b"=?windows-1252?Q?it=92s?=", "it’s"), (b"=?iso-8859-1?Q?it=92s?=", "it’s"),
    (b"=?utf-8?Q?=E2=80=AEgnp.exe?=", "gnp.exe"),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "shown"), SUBJECTS)
def test_a_subject_is_shown_as_its_writer_saw_it(subject: bytes, shown: str) -> None:
    assert judge(b"From: ada@example.org\r\nSubject: " + subject + b"\r\n\r\n").subject == shown


@given(any_.text(alphabet=any_.characters(categories=("L", "N")), min_size=1, max_size=60), any_.integers(1, 30))
def test_a_subject_split_anywhere_is_joined(words: str, at: int) -> None:
    """Some programs count octets, and split a character between two encoded words."""
    octets = words.encode()
    pieces = [octets[start : start + at] for start in range(0, len(octets), at)]
    subject = b"\r\n ".join(b"=?utf-8?B?" + base64.b64encode(piece) + b"?=" for piece in pieces)
    assert judge(b"From: ada@example.org\r\nSubject: " + subject + b"\r\n\r\n").subject == words


@given(any_.text(alphabet=any_.characters(categories=("L", "N")), min_size=1, max_size=120))
def test_what_pythons_own_library_encodes_is_read_back(words: str) -> None:
    subject = Header(words, "utf-8", maxlinelen=70).encode(linesep="\r\n")
    assert judge(f"From: ada@example.org\r\nSubject: {subject}\r\n\r\n".encode()).subject == words


@settings(max_examples=300)
@given(any_.binary(max_size=400), any_.integers(1, 80), any_.booleans())
def test_base64_is_decoded_to_its_last_octet(octets: bytes, width: int, padded: bool) -> None:
    text = base64.b64encode(octets) if padded else base64.b64encode(octets).rstrip(b"=")
    assert transfer_encodings.base64(b"\r\n".join(text[at : at + width] for at in range(0, len(text), width))) == octets


@pytest.mark.parametrize("text", ["No", "STOP", "Nein", "abc", "unsubscribe", "שלום", "N", "Dear all,\r\nNia"])
@pytest.mark.parametrize("padded", [True, False])
def test_a_base64_body_keeps_its_end(text: str, padded: bool) -> None:
    body = base64.b64encode(text.encode()).rstrip(b"=" if not padded else b"")
    headers = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: BASE64 \r\n"
    assert read(headers, body).body == text.replace("\r\n", "\n")


def test_pieces_of_base64_one_behind_the_other_are_all_read() -> None:
    body = b"\r\n".join(base64.b64encode(piece) for piece in (b"No", b", not me", b"."))
    assert read("Content-Transfer-Encoding: base64\r\n", body).body == "No, not me."


CHARSETS = [
    ("x-mac-cyrillic", "Привет".encode("mac_cyrillic"), "Привет"), ('\\"us-ascii\\"', b"Hello", "Hello"),
    ("'utf-8'", "é".encode(), "é"), ("utf8", "é".encode(), "é"), ("UTF_8", "é".encode(), "é"), ("utf-8;", "é".encode(), "é"),
    ("iso8859-15", b"\xa4", "€"), ("iso_8859-15:1998", b"\xa4", "€"), ("8859-1", b"\xe9", "é"),
    ("win-1251", "Да".encode("cp1251"), "Да"), ("windows-1252http-equivcontent-type", b"\x93No\x94", "“No”"),
    ("cp-850", "é".encode("cp850"), "é"), ("x-gbk", "你好".encode("gbk"), "你好"), ("gb2312", "你好".encode("gb18030"), "你好"),
    ("ks_c_5601-1987", "똠방".encode("cp949"), "똠방"), ("macintosh", "é".encode("mac_roman"), "é"),
    ("x-mac-roman", "é".encode("mac_roman"), "é"), ("koi8", "Да".encode("koi8_r"), "Да"),
    ("unicode-1-1-utf-8", "é".encode(), "é"), ("iso-8859-1 (Western)", b"\xe9", "é"), ("x-unknown", b"\xe9", "é"),
    ("shift-jis", "①".encode("cp932"), "①"), ("tis-620", "ใช่".encode("cp874"), "ใช่"),
    ("iso-2022-jp", "はい".encode("iso2022_jp"), "はい"), ("us-ascii", "é".encode(), "é"), ("us-ascii", b"\xe9", "é"),
    ("default", b"Hello", "Hello"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "octets", "shown"), CHARSETS)
def test_a_charset_is_known_by_the_names_that_programs_give_it(name: str, octets: bytes, shown: str) -> None:
    said = read(f"Content-Type: text/plain; charset={name}\r\n", octets)
    assert (said.body, said.quarantined) == (shown, False)


def test_an_attached_file_may_be_in_any_charset() -> None:
    file = b"Content-Type: text/csv; charset=klingon\r\nContent-Disposition: attachment\r\n\r\nx\r\n"
    parts = b"--b\r\n\r\nHello.\r\n--b\r\n" + file + b"--b--\r\n"
    said = read("Content-Type: multipart/mixed; boundary=b\r\n", parts)
    assert (said.body, said.quarantined) == ("Hello.", False)


@pytest.mark.parametrize(
    "name", ["X-Scan-Report", "X-MS-Exchange-AntiSpam-MessageData", "ARC-Seal", "Thread-Index", "Autocrypt"]
)
def test_a_long_header_that_nobody_needs_is_no_reason_for_a_quarantine(name: str) -> None:
    said = read(f"{name}: " + "k" * 60_000 + "\r\nSubject: Chairs\r\n")
    assert (said.quarantined, said.author, said.subject) == (False, "ada@example.org", "Chairs")


@pytest.mark.parametrize(
    "header",
    [
        "Subject: " + "a" * 20_000,
        "X: y\r\n" * 600 + "Subject: Chairs",
        "Subject: Chairs\r\nX: " + "z" * 140_000,
        "Subject: Chairs\0",
    ],
)
def test_a_quarantine_says_whose_message_it_seems_to_be(world: World, header: str) -> None:
    world.publish()
    receive(world, f"From: Ada <ada@example.org>\r\n{header}\r\n\r\nsubscribe".encode(), ASK, "ada@example.org")
    (row,) = world.rows(select(Arrival))
    assert (row.state, row.author) == ("quarantined", "ada@example.org")
    assert world.rows(select(Message)) == []


COSTLY = [
    "=?" * 5_000,
    "=?utf-8?Q?" * 1_500,
    '"' * 1_999,
    '"\\' * 1_000,
    "(\\" * 1_000,
    "a@" * 1_000,
    "<" * 2_000,
    "a@" + "a." * 900,
    "," * 2_000,
]


@pytest.mark.parametrize("value", COSTLY)
def test_no_header_costs_more_than_its_length(value: str) -> None:
    read()  # tables are read at the first message
    began = time.monotonic()
    judge(f"From: {value}\r\nSubject: {value}\r\nTo: {value}\r\n\r\nHello.\r\n".encode(), "ada@example.org")
    assert time.monotonic() - began < 1
