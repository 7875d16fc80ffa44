"""What a leaf of an edition's tree says: its kind in public, and whose it is only to who has the nonce.

The entry is one byte for the kind and a SHA-256 over a nonce of 256 random bits and a statement. The nonce stands in the
signature's row and in the signer's receipt alone: without it nobody can test whether a person signed, and once it is erased
the leaf is noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from service.proof.encoding import Document, Unreadable, encode, from_hex
from service.proof.merkle import leaf_hash

NONCE_BYTES = 32
KINDS = {"sign": b"\x01", "withdraw": b"\x02"}
ACTS = KINDS | {"strike": KINDS["withdraw"]}
"""What a statement may say: a signature that was struck out counts no more, as one that was withdrawn."""
NAMES = {byte: kind for kind, byte in KINDS.items()}
FIRST_LINE = "undersigned-leaves-1"


def signed(edition_hash: str, number: int, name: str, clp: str) -> Document:
    """What a signer's leaf commits to."""
    return {"act": "sign", "edition": edition_hash, "number": number, "name": name, "clp": clp}


def withdrawn(edition_hash: str, number: int) -> Document:
    return {"act": "withdraw", "edition": edition_hash, "number": number}


def struck(edition_hash: str, number: int) -> Document:
    return {"act": "strike", "edition": edition_hash, "number": number}


def entry(act: str, nonce: bytes, statement: Document) -> bytes:
    return ACTS[act] + hashlib.sha256(b"undersigned leaf 1\n" + nonce + encode(statement)).digest()


def write(edition_hash: str, entries: Iterable[bytes]) -> Iterator[str]:
    """All leaves of a tree as lines of text: anybody can take the totals and the head of them again."""
    yield f"{FIRST_LINE} {edition_hash}\n"
    yield from (f"{NAMES[entry[:1]]} {entry[1:].hex()}\n" for entry in entries)


def read(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The edition's hash, and (kind, leaf hash) of each leaf. Raises Unreadable."""
    first, *lines = text.removesuffix("\n").split("\n")
    try:
        pairs = [line.split(" ") for line in lines]
        name, edition = first.split(" ")
        if name != FIRST_LINE:
            raise ValueError(name)
        return edition, [(kind, leaf_hash(KINDS[kind] + from_hex(commitment))) for kind, commitment in pairs]
    except (ValueError, KeyError, IndexError):
        raise Unreadable("it has a line that is no leaf") from None
