"""How a document of ours is written as bytes: JSON in one spelling only, so that a hash or a signature has one meaning.

Keys sorted, no space, UTF-8, one final newline (after RFC 8785; there are no fractions in our documents).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

Document = dict[str, Any]


class Unreadable(ValueError):
    """These bytes are not a document of ours; the text says why."""


def encode(value: object) -> bytes:
    return (json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n").encode()


def decode(content: bytes) -> Document:
    """The document in these bytes. Raises Unreadable where they are not JSON, or spelt in another way than `encode` does."""
    try:
        value = json.loads(content.decode(), parse_float=_no_fraction, parse_constant=_no_fraction)
        same = isinstance(value, dict) and encode(value) == content
    except (ValueError, RecursionError):
        raise Unreadable("it is not JSON as we write it") from None
    if not same:
        raise Unreadable(
            "it is JSON, but not in the one spelling that we write: another program saved it anew, or it was changed"
        )
    return dict(value)


def _no_fraction(text: str) -> object:
    raise ValueError(text)


def sha256(content: bytes) -> str:
    """Lower-case hexadecimal, as `sha256sum` prints it."""
    return hashlib.sha256(content).hexdigest()


def from_hex(text: str) -> bytes:
    """Raises ValueError for anything but the one spelling of some bytes."""
    content = bytes.fromhex(text)
    if content.hex() != text:
        raise ValueError("not the spelling that we write")
    return content
