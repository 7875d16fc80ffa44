"""What a mail program shows is what was hashed: where a letter holds, four independent parsers show what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from tests.mail_views import View, views
from tests.proof_files import SUBJECT
from tests.test_forgeries import (
    FALSE_TEXT,
    FORGED_LETTERS,
    HTML,
    INNER,
    NL,
    OUTER,
    TEXT,
    TRUE,
    judged,
    replaced,
    with_header,
    with_part,
)

CUT = b"Content-Transfer-Encoding: quoted-printable"
ATTACHED = b'Content-Disposition: attachment;\r\n filename="manifest.json"'
MORE: dict[str, bytes] = {
    "a boundary within a boundary": replaced(b"--" + INNER + NL, b"--" + INNER + b"x" + NL),
    "blanks behind a boundary, and another part": replaced(
        b"--" + INNER + b"--", b"--" + INNER + b" \t" + NL + HTML + NL * 2 + FALSE_TEXT + NL + b"--" + INNER + b"--"
    ),
    "a part between two line ends of one kind": with_part(HTML, FALSE_TEXT.replace(b"<", b"\n<"), INNER, first=True),
    "the inner end twice": replaced(
        b"--" + INNER + b"--", b"--" + INNER + b"--" + NL + b"--" + INNER + NL + HTML + NL * 2 + FALSE_TEXT
    ),
    "an inner boundary behind the inner end": replaced(
        b"--" + INNER + b"--" + NL, b"--" + INNER + b"--" + NL + FALSE_TEXT + NL + b"--" + INNER + b"--" + NL
    ),
    "a boundary in pieces": replaced(
        b'boundary="' + OUTER + b'"', b'boundary*0="' + OUTER[:4] + b'"; boundary*1="' + OUTER[4:] + b'"'
    ),
    "an extended boundary": replaced(b'boundary="' + OUTER + b'"', b"boundary*=us-ascii''" + OUTER),
    "an encoded boundary": replaced(b'boundary="' + OUTER + b'"', b'boundary="=?us-ascii?q?' + OUTER + b'?="'),
    "base64 with more behind its end": with_part(
        TEXT + NL + b"Content-Transfer-Encoding: base64", b"aGk=\r\nV2Ugd2l0aGRyYXcu", INNER
    ),
    "words behind base64's end": replaced(CUT, b"Content-Transfer-Encoding: base64"),
    "an encoding with a comment": replaced(CUT, CUT + b" (base64)"),
    "an encoding in capitals and blanks": replaced(CUT, b"Content-Transfer-Encoding:  QUOTED-PRINTABLE; x=y"),
    "an encoding of a multipart": replaced(
        b"Content-Type: multipart/mixed", b"Content-Transfer-Encoding: base64\r\nContent-Type: multipart/mixed"
    ),
    "a name for the text": replaced(b"Content-Type: text/plain; ", b'Content-Type: text/plain; name="manifest.txt"; '),
    "a name in a comment": replaced(ATTACHED, b'Content-Disposition: attachment (filename="x.html"); filename="manifest.json"'),
    "a name in an encoded word": replaced(ATTACHED, b'Content-Disposition: attachment; filename="=?utf-8?q?manifest.json?="'),
    "a name as RFC 2231 has it beside another": replaced(ATTACHED, ATTACHED + b"; filename*=utf-8''x.html"),
    "a type's name beside the disposition's": replaced(
        b"Content-Type: application/json", b'Content-Type: application/json; name="x.html"'
    ),
    "a message in two parts": replaced(
        b"Content-Type: multipart/mixed", b"Content-Type: message/partial; id=x; number=1; total=1"
    ),
    "a body elsewhere": with_part(
        b'Content-Type: message/external-body; access-type=URL; URL="https://evil.example"', b"Content-Type: text/html"
    ),
    "a digest": replaced(b"multipart/mixed", b"multipart/digest"),
    "a form of parallel parts": replaced(b"multipart/mixed", b"multipart/parallel"),
    "an attached text that is shown": with_part(TEXT + NL + b"Content-Disposition: inline", b"We withdraw.", OUTER, first=True),
    "uuencoded words": replaced(b"You are served.", b"You are served.\r\nbegin 644 x.html\r\n#0V%T\r\n`\r\nend"),
    "a flowed text": replaced(b'charset="utf-8"', b'charset="utf-8"; format=flowed; delsp=yes'),
    "a wrong charset for HTML": TRUE[::-1].replace(b'charset="utf-8"'[::-1], b'charset="iso-2022-jp"'[::-1], 1)[::-1],
    "a charset that nobody knows": replaced(b'charset="utf-8"', b'charset="x-unknown"'),
    "a subject in two words of two charsets": replaced(b"Subject: =?utf-8?", b"Subject: =?utf-7?q?+AFc-e?= =?utf-8?"),
    "a subject in a comment's clothes": replaced(b"Subject: ", b"Subject: (we withdraw) "),
    "a header in eight bits": with_header("Subject: Wir ziehen zurück".encode("latin-1"), first=True),
    "a header without a colon": with_header(b"We withdraw our notice"),
    "a blank line of blanks in the head": with_header(b" \t "),
    "a header of ten thousand": with_header(b"X-Long: " + b"x" * 10_000),
    "a line end of its own in the head": replaced(b"Subject: ", b"X: y\rSubject: "),
    "a sender in a group": replaced(b"From: ", b"From: Evil: <evil@evil.example>, "),
    "a route before the sender": replaced(b"<notices@example.org>", b"<@evil.example:notices@example.org>"),
    "TNEF": with_part(b"Content-Type: application/ms-tnef", b"\x78\x9f\x3e\x22"),
    "a calendar": with_part(b"Content-Type: text/calendar", b"BEGIN:VCALENDAR", INNER),
    "an AMP part": with_part(b"Content-Type: text/x-amp-html", b"<html amp4email>", INNER),
    "enriched words": with_part(b"Content-Type: text/enriched", b"We withdraw.", INNER),
    "a second date that was resent": with_header(b"Resent-Date: Sun, 15 Nov 2026 12:00:00 +0000"),
    "an old MIME": replaced(b"MIME-Version: 1.0", b"MIME-Version: 1.0 (produced by x)"),
    "no MIME at all": replaced(b"MIME-Version: 1.0\r\n", b""),
}
"""Beside those of test_forgeries.py. Some change nothing that is shown, and may hold."""
FRAGMENTS = (
    b"\r\n",
    b" ",
    b"\t",
    b"\r\n\r\n",
    b"\n",
    b"X-A: y\r\n",
    b" y\r\n",
    b"=\r\n",
    b"= \r\n",
    b"=20\r\n",
    b"=3D",
    b"=C3=A9",
    b"(x)",
    b";",
    b"--" + OUTER + b"\r\n",
    b"--" + OUTER + b"--\r\n",
    b"--" + INNER + b"\r\n",
    b"--" + INNER + b"--\r\n",
    b"--" + INNER + b" \r\n",
    b"--\r\n",
    b"Content-Type: text/html\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Disposition: inline\r\n",
    b"content-type:\r\n",
    b"Content-Location: https://evil.example\r\n",
    b"Content-Base: x\r\n",
    b"Subject: x\r\n",
    b"From: evil@evil.example\r\n",
    b"Date: x\r\n",
    b"Received: from a\r\n",
    b".\r\n",
    b"..\r\n",
    b">From x\r\n",
    b"From x\r\n",
    b"begin 644 x\r\n",
    b"\xff",
    b"\0",
    b"\x1a",
    b"\xe2\x80\xae",
    b"<!--",
)


def mutated() -> Iterator[bytes]:
    """Each of these fragments at the start of each line, and at the end of each."""
    lines = TRUE.split(NL)
    starts = [at for at in range(len(lines)) if at < 40 or lines[at].startswith((b"--", b"Content")) or not lines[at]]
    for at in starts:
        for fragment in FRAGMENTS:
            yield NL.join([*lines[:at], fragment + lines[at], *lines[at + 1 :]])
            yield NL.join([*lines[:at], lines[at] + fragment, *lines[at + 1 :]])


@cache
def sent() -> dict[str, View]:
    [found] = views([TRUE])
    return found


def test_the_parsers_are_of_one_mind_about_the_letter_that_was_sent() -> None:
    shown = {name: view["shown"] for name, view in sent().items()}
    files = {name: view["files"] for name, view in sent().items()}
    assert len(sent()) == 4
    assert len({repr(one) for one in shown.values()}) == 1, shown
    assert len({repr(sorted(map(list, one))) for one in files.values()}) == 1, files
    assert sent()["python"]["headers"]["Subject"] == [SUBJECT]


def assert_as_sent(letters: list[bytes]) -> None:
    for letter, found in zip(letters, views(letters), strict=True):
        for name, view in found.items():
            assert view.get("error") or view == sent()[name], (name, letter)  # one that refuses a letter shows nothing of it
        assert sum("error" in view for view in found.values()) <= 1


def test_forgeries_that_hold_show_the_letter_that_was_sent() -> None:
    """Those of A3 and these: most do not hold, and the others change nothing for any reader."""
    known = FORGED_LETTERS | MORE
    assert len(MORE) >= 20
    holding = [name for name, letter in known.items() if judged({"letter.eml": letter}) == "HOLDS"]
    assert not set(holding) & set(FORGED_LETTERS)
    assert_as_sent([known[name] for name in holding])


def test_whatever_is_put_anywhere_a_letter_that_holds_is_shown_as_it_was_sent() -> None:
    letters = list(dict.fromkeys(mutated()))
    holding = [letter for letter in letters if judged({"letter.eml": letter}) == "HOLDS"]
    assert len(letters) > 2_000
    assert len(holding) > 50
    assert_as_sent(holding)
