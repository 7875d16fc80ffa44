"""The keys that sign manifests (Ed25519, RFC 8032), and the document that publishes them.

Each key is endorsed by the one before it, the first by itself: whoever kept an old copy of the document can follow to the new
key. A key is in use until the next one begins.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from service.proof.encoding import Document, encode, sha256

FORMAT = "undersigned-keys-1"
RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(*RAW)


def key_id(public_key: bytes) -> str:
    """The fingerprint that people compare: the first 128 bits of the key's SHA-256."""
    return sha256(public_key)[:32]


def sign(key: Ed25519PrivateKey, purpose: str, document: Document) -> str:
    """A signature for one purpose alone, in base64."""
    return base64.b64encode(key.sign(_message(purpose, document))).decode()


def fits(public_key: bytes, purpose: str, document: Document, signature: str) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(from_base64(signature), _message(purpose, document))
    except (InvalidSignature, ValueError):
        return False
    return True


def _message(purpose: str, document: Document) -> bytes:
    return f"undersigned {purpose} 1\n".encode() + encode(document)


def from_base64(text: Any) -> bytes:
    """Raises ValueError for anything but the one spelling of some bytes."""
    content = base64.b64decode(str(text), validate=True)
    if base64.b64encode(content).decode() != text:
        raise ValueError("not the spelling that we write")
    return content


def entry(public_key: bytes, since: datetime) -> Document:
    """A key as its endorsement covers it."""
    key = base64.b64encode(public_key).decode()
    return {"id": key_id(public_key), "algorithm": "Ed25519", "public_key": key, "from": since.isoformat(timespec="seconds")}


def document(service: str, entries: list[Document]) -> Document:
    """`entries`: as `entry` makes them, each with its `endorsement`, the oldest first."""
    return {"format": FORMAT, "service": service, "keys": entries}


def endorse(by: Ed25519PrivateKey, entry: Document) -> Document:
    """The entry with the signature of the key before it; the first key signs its own."""
    return entry | {"endorsement": sign(by, "key", entry)}


def endorsed(by: Document, one: Document) -> bool:
    """Whether an entry is built as `entry` builds it, and the key before it signed it."""
    bare = entry(from_base64(one["public_key"]), datetime.fromisoformat(one["from"]))
    same = one == bare | {"endorsement": one["endorsement"]}
    return same and fits(from_base64(by["public_key"]), "key", bare, one["endorsement"])
