"""A little notice with its manifests, letters and receipts, made without the service: what the verifier is tried on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.proof import evidence, keys, leaves, manifest, merkle, receipts
from service.proof.canonical import canonical, digest
from service.proof.encoding import decode, encode, sha256
from tests.rules.proof.test_merkle import Store
from workers.outbound.message import mime

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SERVICE = "https://notices.example.org"
FIRST, SECOND = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
TEXT = canonical("Open the books", "the General Secretary", "We demand:\n\n- that the accounts be published.")
EDITION = digest(TEXT)
NONCES = [bytes([number]) * 32 for number in range(5)]
STATEMENTS = [leaves.signed(EDITION, number, f"Signer {number}", "Harbour") for number in (1, 2, 3, 4)]
STATEMENTS.insert(2, leaves.withdrawn(EDITION, 1))
ENTRIES = [leaves.entry(one["act"], nonce, one) for one, nonce in zip(STATEMENTS, NONCES, strict=True)]
TREE = Store().grow([merkle.leaf_hash(entry) for entry in ENTRIES])
PDF, CSV = b"%PDF-1.7 names", b"\xef\xbb\xbfnumber,name,clp,office\r\n"
SALT = "5a" * 16
SUBJECT = "Notice: open the books – 2 signatures"
HEADERS = {
    "from": manifest.mailbox_hash(SALT, ["The Harbour Network", "notices@example.org"]),
    "to": manifest.mailbox_hash(SALT, ["Jamie Thornhill", "chair@nec.example"]),
    "reply-to": manifest.mailbox_hash(SALT, ["", "contact@example.org"]),
    "subject": SUBJECT,
    "date": "Sun, 22 Nov 2026 12:00:00 +0000",
}
WORDS = {"text": "You are served.\n", "html": "<p>You are served.</p>\n"}


def published(*pairs: tuple[Ed25519PrivateKey, datetime], by: Ed25519PrivateKey = FIRST) -> Any:
    return keys.document(SERVICE, [keys.endorse(by, keys.entry(keys.public_bytes(key), since)) for key, since in pairs])


ROTATED = NOW - timedelta(days=1)
KEYS = published((FIRST, NOW - timedelta(days=9)), (SECOND, ROTATED))
RECORDS: list[Any] = []
HEADS = [evidence.BEGINNING]
for number, kind in enumerate(("attempt", "notified", "acknowledged"), 1):
    record, head = evidence.link(
        HEADS[-1], {"notice": "open-the-books", "number": number, "kind": kind, "reply": "250 queued as 4711"}
    )
    RECORDS.append(record)
    HEADS.append(head)


def made(number: int, size: int, key: Ed25519PrivateKey = FIRST, before: bytes | None = None, **changes: Any) -> bytes:
    """A manifest over the first `size` leaves, chained to the one before."""
    signed = sum(one["act"] == "sign" for one in STATEMENTS[:size])
    old = decode(before)["manifest"]["tree"] if before else None
    proof = merkle.consistency(old["size"], size, TREE.fetch) if old else []
    grown = {"size": old["size"], "root": old["root"], "path": [step.hex() for step in proof]} if old else None
    tree = {"size": size, "root": merkle.root(size, TREE.fetch).hex(), "signed": signed, "withdrawn": size - signed}
    files = {"edition-1.txt": TEXT, "open-the-books.pdf": PDF, "open-the-books-signatures.csv": CSV}
    attachments = [{"filename": name, "sha256": sha256(content)} for name, content in files.items()]
    words = {kind: manifest.words_hash(text) for kind, text in WORDS.items()}
    delivery = {
        "office": "Chair",
        "message_id": f"<m{number}@example.org>",
        "names": 2,
        "attachments": attachments,
        "linked": [],
        "headers": HEADERS,
    } | words
    values: dict[str, Any] = {
        "service": SERVICE, "notice": "open-the-books", "number": number, "rehearsal": False,
        "edition": {"number": 1, "hash": EDITION}, "issued_at": NOW - timedelta(days=3 - number),
        "cut_off": signed, "count": signed - (size - signed), "tree": tree | {"grown_from": grown}, "deliveries": [delivery],
        "evidence": {"length": number, "head": HEADS[number]}, "previous": sha256(before) if before else None,
    }  # fmt: skip
    return manifest.sign(manifest.compose(**values | changes), key)


ONE = made(1, 2)
TWO = made(2, 5, SECOND, ONE)
THREE = made(3, 5, SECOND, TWO, issued_at=NOW)


def letter(file: bytes = ONE, number: int = 1) -> bytes:
    head = [
        mime.address_header("From", "The Harbour Network", "notices@example.org"),
        mime.address_header("To", "Jamie Thornhill", "chair@nec.example"),
        mime.header("Subject", SUBJECT),
        mime.header("Date", HEADERS["date"]),
        mime.header("Message-ID", f"<m{number}@example.org>"),
        mime.address_header("Reply-To", "", "contact@example.org"),
        mime.header("Undersigned-Salt", SALT),
    ]
    files = [
        mime.File("edition-1.txt", "text/plain; charset=utf-8", TEXT),
        mime.File("open-the-books.pdf", "application/pdf", PDF),
        mime.File("open-the-books-signatures.csv", "text/csv; charset=utf-8", CSV),
        mime.File("manifest.json", "application/json", file),
    ]
    return mime.message(head, WORDS["text"], WORDS["html"], files)


def receipt(position: int, *files: tuple[bytes, int]) -> bytes:
    servings = [
        {"manifest": decode(file), "path": [step.hex() for step in merkle.inclusion(position, size, TREE.fetch)]}
        for file, size in files
    ]
    return encode(receipts.receipt(SERVICE, "open-the-books", STATEMENTS[position], NONCES[position], position, servings))


def between(old: int, new: int) -> bytes:
    heads = [{"size": size, "root": merkle.root(size, TREE.fetch).hex()} for size in (old, new)]
    return encode(receipts.consistency(EDITION, *heads, merkle.consistency(old, new, TREE.fetch)))
