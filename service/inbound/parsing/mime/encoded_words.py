"""Encoded words (RFC 2047), decoded as people would read them; what cannot be decoded stays as it is."""

from __future__ import annotations

import re
from itertools import groupby
from quopri import decodestring
from typing import NamedTuple

from service.inbound.parsing.mime import charsets, transfer_encodings

WORD = re.compile(r"=\?([\w.+:-]{1,60})(?:\*[\w-]{1,20})?\?([BbQq])\?((?:[^?]|\?(?!=)){0,2000})\?=")
"""Spaces in a word, and a question mark, are against §2 of the standard, and common."""
LONGEST = 10_000


class Word(NamedTuple):
    charset: str
    octets: bytes


def decoded(value: str) -> str:
    """One line; spaces between neighbouring words vanish (§6.2), and control characters become spaces."""
    shown = "".join(_pieces(value[:LONGEST]))
    return " ".join("".join(c if c.isprintable() else " " for c in shown).split())


def _pieces(value: str) -> list[str]:
    """Plain text and decoded words. Neighbouring words of one charset are one: some programs split within a character."""
    pieces: list[str | Word] = []
    at = 0
    for match in WORD.finditer(value):
        between = value[at : match.start()]
        if between and not (at and not between.strip()):
            pieces.append(between)
        pieces.append(_word(match[1], match[2], match[3]) or match[0])
        at = match.end()
    pieces.append(value[at:])
    return [_text(list(run)) for _, run in groupby(pieces, lambda piece: piece.charset if isinstance(piece, Word) else None)]


def _text(run: list[str | Word]) -> str:
    octets = b"".join(piece.octets for piece in run if isinstance(piece, Word))
    first = run[0]
    return charsets.decoded(octets, first.charset) if isinstance(first, Word) else "".join(str(piece) for piece in run)


def _word(charset: str, encoding: str, text: str) -> Word | None:
    if charsets.codec(charset) is None:
        return None
    octets = _raw(text.replace("_", " ") if encoding in "Qq" else text, charset)
    return Word(charset.lower(), transfer_encodings.base64(octets) if encoding in "Bb" else decodestring(octets))


def _raw(text: str, charset: str) -> bytes:
    """The octets that a sender wrote: a header with raw octets was read as UTF-8, or as Latin-1 where it is none."""
    if charsets.codec(charset) == "utf-8":
        return text.encode("utf-8", "replace")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")
