"""The manifest of a serving: what was served, with how many signatures, on whom; signed, and chained to the one before it."""

from __future__ import annotations

import base64
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.proof import keys
from service.proof.encoding import Document, encode, sha256

FORMAT = "undersigned-manifest-2"
OLDER_FORMATS = ("undersigned-manifest-1",)
"""Their deliveries name no headers."""


def compose(
    *, service: str, notice: str, number: int, rehearsal: bool, edition: Document, issued_at: datetime, cut_off: int,
    count: int, tree: Document, deliveries: list[Document], evidence: Document, previous: str | None,
) -> Document:  # fmt: skip
    """What is signed.

    edition:    {"number", "hash"}
    tree:       {"size", "root", "signed", "withdrawn", "struck", "grown_from": {"size", "root", "path"} or None}, hashes in
                hexadecimal; `withdrawn` are all that count no more, `struck` those of them that organisers struck out (older
                manifests do not say); `grown_from` proves that the tree begins with the one of the previous manifest of the
                same edition
    deliveries: [{"office", "message_id", "names", "text", "html", "attachments": [{"filename", "sha256"}], "linked": [the
                same], "headers": {"from", "to", "reply-to", "subject", "date"}}]; `text` and `html` are the SHA-256 of the
                letter's own words, lines ended by LF, with one at the end; `linked` files are too large to attach; mailboxes
                stand as `mailbox_hash` makes them, because a manifest is public
    evidence:   {"length", "head"} of the notice's evidence chain at that time
    previous:   the SHA-256 of the notice's previous manifest as a file; `number` counts them from 1 (a rehearsal's is 0)
    """
    return {
        "format": FORMAT, "service": service, "notice": notice, "number": number, "rehearsal": rehearsal, "edition": edition,
        "issued_at": issued_at.isoformat(timespec="seconds"), "cut_off": cut_off, "count": count, "tree": tree,
        "deliveries": deliveries, "evidence": evidence, "previous": previous,
    }  # fmt: skip


def sign(manifest: Document, key: Ed25519PrivateKey) -> bytes:
    """The manifest as the file that is attached, published and hashed."""
    public = base64.b64encode(keys.public_bytes(key)).decode()
    return encode({"manifest": manifest, "public_key": public, "signature": keys.sign(key, "manifest", manifest)})


def mailbox_hash(salt: str, mailbox: list[str]) -> str:
    """Of [name, address], with the salt that stands in the letter alone (its header Undersigned-Salt)."""
    return sha256(f"undersigned mailbox 2\n{salt}\n".encode() + encode(mailbox))


def words_hash(text: str) -> str:
    """The SHA-256 of a letter's own words, whatever its way did to line ends."""
    lines = text.replace("\r\n", "\n").rstrip("\n")
    return sha256(f"{lines}\n".encode())
