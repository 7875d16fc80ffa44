"""Encoded words (RFC 2047), decoded as people would read them; what cannot be decoded stays as it is."""

from __future__ import annotations

import binascii
import re
from quopri import decodestring

WORD = re.compile(r"=\?([\w.+:-]{1,40})(?:\*[\w-]{1,20})?\?([BbQq])\?([^?\s]{0,2000})\?=")
BETWEEN = re.compile(r"(\?=)\s+(?==\?)")
LONGEST = 10_000


def decoded(value: str) -> str:
    """One line; spaces between neighbouring words vanish (§6.2), and control characters become spaces."""
    words = BETWEEN.sub(r"\1", value[:LONGEST])
    shown = WORD.sub(lambda found: _word(found[1], found[2], found[3]) or found[0], words)
    return " ".join("".join(c if c.isprintable() else " " for c in shown).split())


def _word(charset: str, encoding: str, text: str) -> str | None:
    try:
        if encoding in "Bb":
            content = binascii.a2b_base64(text + "=" * (-len(text) % 4))
        else:
            content = decodestring(text.replace("_", "=20").encode())
        return content.decode(charset, "replace")
    except (LookupError, ValueError, UnicodeError):
        return None
