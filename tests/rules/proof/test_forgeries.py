"""Forged letters, receipts and chains: none of them is ever said to hold, by the command or by anybody's key but theirs."""

from __future__ import annotations

import base64
from email import message_from_bytes, policy

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.proof import evidence, keys, manifest, receipts
from service.proof.encoding import Unreadable, decode, encode
from service.proof.manifests_check import Trust
from service.proof.verify import NOBODY, Verdict, verdict, verify
from tests.support.proof_files import (
    CSV,
    HEADS,
    KEYS,
    NONCES,
    NOW,
    ONE,
    PDF,
    RECORDS,
    STATEMENTS,
    SUBJECT,
    WORDS,
    letter,
    published,
    receipt,
)
from workers.outbound.message import mime

FORGER = Ed25519PrivateKey.from_private_bytes(bytes([66]) * 32)
THEIRS = Trust(keys=KEYS)
NL = b"\r\n"
LIST = b"Content-Type: text/csv; charset=utf-8\r\n"


def judged(files: dict[str, bytes], trust: Trust = THEIRS) -> str:
    """The verdict's name, or "UNREADABLE"."""
    try:
        return verdict(verify(list(files.items()), NOW, trust)).name
    except Unreadable:
        return "UNREADABLE"


def by_forger(document: bytes = ONE, **changes: object) -> bytes:
    return manifest.sign(decode(document)["manifest"] | changes, FORGER)


FORGERS_KEYS = encode(published((FORGER, NOW.replace(day=1)), by=FORGER))
TRUE = letter()
HEAD, _, BODY = TRUE.partition(NL * 2)
OUTER = message_from_bytes(TRUE, policy=policy.default).get_boundary().encode()  # type: ignore[union-attr]
INNER = next(message_from_bytes(TRUE, policy=policy.default).iter_parts()).get_boundary().encode()  # type: ignore[attr-defined]


def replaced(before: bytes, after: bytes) -> bytes:
    assert TRUE.count(before) >= 1, before
    return TRUE.replace(before, after, 1)


def with_part(head: bytes, content: bytes, boundary: bytes = OUTER, *, first: bool = False) -> bytes:
    """The true letter with one more part, at the beginning or the end of a multipart."""
    part = b"--" + boundary + NL + head + NL * 2 + content + NL
    edge = b"--" + boundary + (NL if first else b"--")
    return replaced(edge, part + edge)


def with_header(line: bytes, *, first: bool = False) -> bytes:
    return line + NL + TRUE if first else HEAD + NL + line + NL * 2 + BODY


HTML, TEXT = b"Content-Type: text/html; charset=utf-8", b"Content-Type: text/plain; charset=utf-8"
CSV_FILE = b'Content-Type: text/csv\r\nContent-Disposition: attachment; filename="open-the-books-signatures.csv"'
FALSE_TEXT = b"<p>We withdraw our notice.</p>"

FORGED_LETTERS: dict[str, bytes] = {
    "a third alternative": with_part(HTML, FALSE_TEXT, INNER),
    "a second HTML beside": with_part(HTML, FALSE_TEXT),
    "a second HTML in front": with_part(HTML, FALSE_TEXT, first=True),
    "a second text": with_part(TEXT, b"We withdraw.", INNER, first=True),
    "a message within": with_part(b"Content-Type: message/rfc822", b"Subject: x\r\n\r\nWe withdraw."),
    "an image without a name": with_part(b"Content-Type: image/png\r\nContent-Disposition: inline", b"x"),
    "two files of one name": with_part(CSV_FILE, b"number,name,clp,office", first=True),
    "two files of one name behind": with_part(CSV_FILE, b"number,name,clp,office"),
    "a receipt beside": with_part(
        b'Content-Type: application/json\r\nContent-Disposition: attachment; filename="receipt.json"', receipt(1, (ONE, 2))
    ),
    "another file": with_part(b'Content-Type: text/plain\r\nContent-Disposition: attachment; filename="x.txt"', b"x"),
    "another subject": replaced(b"Subject: ", b"Subject: We withdraw. "),
    "a subject in other words": replaced(TRUE.split(b"Subject: ")[1].split(NL)[0], b"We withdraw our notice"),
    "a second subject": with_header(b"Subject: We withdraw our notice"),
    "a second subject in front": with_header(b"Subject: We withdraw our notice", first=True),
    "another recipient": replaced(b"chair@nec.example", b"other@nec.example"),
    "another recipient's name": replaced(b"Jamie Thornhill", b"Somebody Else"),
    "another sender": replaced(b"notices@example.org", b"notices@evil.example"),
    "another sender's name": replaced(b"The Harbour Network", b"The Enemy Network"),
    "a second sender": with_header(b"From: Evil <evil@evil.example>"),
    "a second sender in front": with_header(b"From: Evil <evil@evil.example>", first=True),
    "two senders in one": replaced(b"<notices@example.org>", b"<notices@example.org>, evil@evil.example"),
    "a Sender": with_header(b"Sender: evil@evil.example"),
    "a Cc": with_header(b"Cc: press@evil.example"),
    "another Reply-To": replaced(b"Reply-To: contact@example.org", b"Reply-To: evil@evil.example"),
    "a second Reply-To": with_header(b"Reply-To: evil@evil.example", first=True),
    "no Reply-To": replaced(b"Reply-To: contact@example.org\r\n", b""),
    "another date": replaced(b"Sun, 22 Nov 2026", b"Sun, 15 Nov 2026"),
    "a second date": with_header(b"Date: Sun, 15 Nov 2026 12:00:00 +0000", first=True),
    "a second Content-Type": with_header(b"Content-Type: text/html", first=True),
    "a second Content-Type behind": with_header(b"Content-Type: text/html"),
    "a header's name with a space": with_header(b"Content-Type : text/html"),
    "UTF-7": replaced(b'charset="utf-8"', b'charset="utf-7"'),
    "UTF-16": replaced(b'charset="utf-8"', b'charset="utf-16"'),
    "two charsets": replaced(b'charset="utf-8"', b'charset="utf-8"; charset="utf-7"'),
    "an extended charset": replaced(b'charset="utf-8"', b"charset*=utf-8''utf-7"),
    "another encoding": replaced(b"Content-Transfer-Encoding: quoted-printable", b"Content-Transfer-Encoding: x-uuencode"),
    "two encodings": replaced(
        b"Content-Transfer-Encoding: quoted-printable",
        b"Content-Transfer-Encoding: quoted-printable\r\nContent-Transfer-Encoding: base64",
    ),
    "a boundary said twice": replaced(b'boundary="' + OUTER + b'"', b'boundary="' + OUTER + b'"; boundary="x"'),
    "words in front of the parts": replaced(NL * 2 + b"--" + OUTER, NL * 2 + b"We withdraw." + NL + b"--" + OUTER),
    "words behind the parts": TRUE + b"We withdraw our notice." + NL,
    "parts behind the end": TRUE + b"--" + OUTER + NL + HTML + NL * 2 + FALSE_TEXT + NL + b"--" + OUTER + b"--" + NL,
    "no end": TRUE.replace(b"--" + OUTER + b"--", b""),
    "another kind of multipart": replaced(b"multipart/alternative", b"multipart/related"),
    "a banner": replaced(b"You are served.", b"CAUTION: external.\r\n\r\nYou are served."),
    "a footer": replaced(b"You are served.\r\n", b"You are served.\r\n\r\nThis mail was scanned.\r\n"),
    "a bare CR": replaced(b"You are served.", b"You are\rserved."),
    "a NUL": replaced(b"You are served.", b"You are\0 served."),
    "a comment in a header": replaced(b"Content-Type: application/json", b"Content-Type: (x) application/json"),
    "a file's name in pieces": replaced(b'filename="manifest.json"', b'filename*0="manifest"; filename*1=".json"'),
    "HTML and text exchanged": replaced(b"Content-Type: text/plain", b"Content-Type: text/html"),
    "no salt": replaced(b"Undersigned-Salt: ", b"X-Salt: "),
}


@pytest.mark.parametrize("what", FORGED_LETTERS)
def test_a_forged_letter_never_holds(what: str) -> None:
    assert judged({"letter.eml": FORGED_LETTERS[what]}) in {"DOES_NOT_HOLD", "UNREADABLE"}


def test_the_true_letter_holds_as_it_came_and_with_what_relays_rightly_do() -> None:
    assert judged({"letter.eml": TRUE}) == "HOLDS"
    assert judged({"letter.eml": TRUE.replace(NL, b"\n")}) == "HOLDS"
    received = b"Received: from a by b\r\n\tfor c; Sun, 22 Nov 2026 12:00:01 +0000\r\nDKIM-Signature: v=1; b=x\r\n"
    assert judged({"letter.eml": received + TRUE}) == "HOLDS"
    assert judged({"letter.eml": b"From notices Sun Nov 22 12:00:00 2026\r\n" + TRUE}) == "HOLDS"
    in_base64 = base64.encodebytes(WORDS["html"].encode()).replace(b"\n", NL)
    start = TRUE.index(b"Content-Type: text/html")
    end = TRUE.index(b"--" + INNER + b"--")
    encoded = HTML + NL + b"Content-Transfer-Encoding: base64" + NL * 2 + in_base64
    assert judged({"letter.eml": TRUE[:start] + encoded + TRUE[end:]}) == "HOLDS"


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("a banner", "our own words are whole, but somebody added to them on the way: “CAUTION: external.”"),
        ("a footer", "our own words are whole, but somebody added to them on the way: “This mail was scanned.”"),
        ("a subject in other words", f"not the one that it was sent with, “{SUBJECT}”"),
        ("a second sender", "it has 2 headers From where a letter has one"),
        ("a third alternative", "a part was added or taken out"),
    ],
)
def test_the_reason_is_named(what: str, named: str) -> None:
    try:
        said = [finding.sentence for finding in verify([("letter.eml", FORGED_LETTERS[what])], NOW, THEIRS)]
    except Unreadable as error:
        said = [str(error)]
    assert any(named in sentence for sentence in said), said


def test_external_before_the_subject_is_named_apart() -> None:
    changed = letter().replace(b"Subject: ", b"Subject: [EXTERNAL] ")
    said = [finding.sentence for finding in verify([("letter.eml", changed)], NOW, THEIRS) if finding.holds is False]
    assert said == ["letter.eml: somebody on the way put “[EXTERNAL]” before its subject, which is ours otherwise."]


INVENTED = letter(by_forger(count=1_000_000))
UNSIGNED: dict[str, dict[str, bytes]] = {
    "an invented letter": {"letter.eml": INVENTED},
    "an invented letter with the forger's keys": {"letter.eml": INVENTED, "published-keys.json": FORGERS_KEYS},
    "an invented manifest": {"manifest.json": by_forger()},
    "an invented chain of evidence": {"evidence.json": encode(evidence.document("open-the-books", RECORDS, HEADS[-1]))},
    "an invented receipt": {
        "receipt.json": encode(
            receipts.receipt("https://notices.example.org", "open-the-books", STATEMENTS[1], NONCES[1], 1, [])
        )
    },
    "the forger's keys alone": {"keys.json": FORGERS_KEYS},
    "a list with an invented manifest": {"list.csv": CSV, "manifest.json": by_forger()},
    "a PDF with an invented manifest": {"list.pdf": PDF, "manifest.json": by_forger()},
}


@pytest.mark.parametrize("what", UNSIGNED)
@pytest.mark.parametrize("trust", [NOBODY, THEIRS], ids=["who trusts nobody", "who has their keys"])
def test_what_nobody_known_signed_never_holds(what: str, trust: Trust) -> None:
    assert judged(UNSIGNED[what], trust) in {"CANNOT_BE_JUDGED", "DOES_NOT_HOLD"}


def test_a_letter_around_a_receipt_is_nobodys_word() -> None:
    """The receipt says that somebody was counted, and nothing about what stands around it."""
    head = [mime.header(name, value) for name, value in (("Date", "x"), ("Message-ID", "<r@example.org>"))]
    head += [mime.address_header(name, "", "a@example.org") for name in ("From", "To")] + [mime.header("Subject", "Send money")]
    file = mime.File("receipt.json", "application/json", receipt(1, (ONE, 2)))
    assert judged({"receipt.json": file.content}) == "HOLDS"
    assert judged({"letter.eml": mime.message(head, "Send money.", "<p>Send money.</p>", [file])}) == "CANNOT_BE_JUDGED"


def test_keys_beside_a_letter_give_no_trust() -> None:
    """Not even true ones: whoever only has the files cannot tell them from forged ones."""
    assert judged({"letter.eml": TRUE, "keys.json": encode(KEYS)}, NOBODY) == "CANNOT_BE_JUDGED"
    assert judged({"letter.eml": TRUE}, Trust((keys.key_id(b"x"),))) == "DOES_NOT_HOLD"


def test_a_manifest_that_was_never_issued_does_not_hold_where_that_is_known() -> None:
    """A stolen key signs what it likes; their own page knows what was issued."""
    assert judged({"one.json": ONE}, Trust(keys=KEYS, issued=frozenset())) == "DOES_NOT_HOLD"


def test_a_letter_of_the_older_form_holds_and_says_what_that_leaves_open() -> None:
    body = decode(ONE)["manifest"] | {"format": manifest.OLDER_FORMATS[0]}
    for delivery in body["deliveries"]:
        del delivery["headers"]
    first = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    old = letter(manifest.sign(body, first))
    findings = verify([("letter.eml", old)], NOW, THEIRS)
    assert verdict(findings) is Verdict.HOLDS
    assert any("does not say who sent it to whom" in finding.sentence for finding in findings)
    assert judged({"letter.eml": old.replace(inner_end(old), b"")}) == "UNREADABLE"


def inner_end(content: bytes) -> bytes:
    inner = next(message_from_bytes(content, policy=policy.default).iter_parts())  # type: ignore[attr-defined]
    return b"--" + bytes(inner.get_boundary().encode()) + b"--"
