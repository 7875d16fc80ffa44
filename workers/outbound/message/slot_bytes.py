"""What stands in the slots of a copy, as quoted-printable bytes (RFC 2045 §6.7).

Each value ends in a soft line break, so that a value of any length leaves every line within 76 octets.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any
from urllib.parse import quote

from service.text.markdown import plain_text, slots
from workers.outbound.message import mime

SOFT = b"=\r\n"
PLAIN_VALUE = re.compile(r"(?!From )[A-Za-z0-9%](?!.*  )[A-Za-z0-9 ',:/@._+%~-]{0,72}(?<! )\Z")
STAND_INS = "\ufdee", "\ufdef"
"""Letters of words that are as long as a reader's, while lines are broken; by turns, so that two slots never run together."""
STAND_IN = re.compile("|".join(f"{letter}+" for letter in STAND_INS))
LAYOUTS = 2_000
"""Layouts of one paragraph that are kept: readers' names have some hundred pairs of lengths."""
VALUES = 5_000
"""Values that took time to encode and are kept: the same local parties come again and again."""

Filler = Callable[[Any, bytes], bytes]
"""Bytes for a reader (an object with name, clp and office), whose own link to leave is at hand as bytes."""


def literal(text: str) -> bytes:
    """What stands before a slot, with the soft line break that ends it; as the operator % of bytes wants it."""
    if not text:
        return b""
    return (mime.quoted_printable(text + "\0").removesuffix(b"=00\r\n") + SOFT).replace(b"%", b"%%")


@lru_cache(VALUES)
def _encoded(value: str) -> bytes:
    return mime.encoded_line(value.encode()) + SOFT if value else b""


def in_text(value: str) -> bytes:
    """A value; what it holds can break no line."""
    return value.encode() + SOFT if PLAIN_VALUE.match(value) else _encoded(value)


def in_html(value: str) -> bytes:
    """The same in HTML, whose markup it cannot break."""
    return value.encode() + SOFT if "'" not in value and PLAIN_VALUE.match(value) else _encoded(html.escape(value))


@lru_cache(VALUES)
def in_address(value: str) -> bytes:
    """The same in an address, percent-encoded, so that it is one part of it (RFC 3986 §2.1)."""
    return in_text(quote(value, safe=""))


def filler(slot: slots.Slot, *, is_html: bool) -> Filler:
    """How one slot is filled."""
    if slot.name == "leave":
        return lambda _, leave: leave
    value, fallback = attrgetter(slot.name), slot.fallback
    encode = in_address if slot.in_address else in_html if is_html else in_text
    return lambda reader, _: encode(value(reader) or fallback)


class ParagraphFiller:
    """Fills a paragraph of plain text, whose lines are broken anew for readers with longer or shorter names.

    Where lines break depends on how long the words are, not on what they say: each layout is made once.
    """

    def __init__(self, paragraph: plain_text.Paragraph) -> None:
        self.paragraph = paragraph
        self.slots = [slots.read(match) for match in slots.SLOT.finditer(paragraph.text)]
        self.values = [(attrgetter(slot.name), slot.fallback) for slot in self.slots]
        self.layout = lru_cache(LAYOUTS)(self._layout)
        around = slots.between(paragraph.first + paragraph.text)
        self.one_line = b"%b".join(map(literal, around))
        one_line = not paragraph.underline and "\n" not in paragraph.text and not any(slot.in_address for slot in self.slots)
        self.room = plain_text.WIDTH - sum(map(len, around)) if one_line else -1
        """How long all values may be together, so that the paragraph is one line."""

    def __call__(self, reader: Any, _leave: bytes) -> bytes:
        if len(self.values) == 1:  # as most greetings
            value, fallback = self.values[0]
            text = value(reader) or fallback
            if len(text) <= self.room:
                return self.one_line % in_text(text)
        return self._in_lines([value(reader) or fallback for value, fallback in self.values])

    def _in_lines(self, values: list[str]) -> bytes:
        if sum(map(len, values)) <= self.room:
            return self.one_line % tuple(map(in_text, values))
        words = [
            [quote(value, safe="")] if slot.in_address else value.split()
            for value, slot in zip(values, self.slots, strict=True)
        ]
        layout = self.layout(tuple([tuple(map(len, some)) for some in words]))
        return layout % tuple([in_text(word) for some in words for word in some])

    def _layout(self, lengths: tuple[tuple[int, ...], ...]) -> bytes:
        """The paragraph's bytes for words of these lengths, with `%b` for each word."""
        stand_ins = (" ".join(STAND_INS[number % 2] * length for length in some) for number, some in enumerate(lengths))
        text = slots.SLOT.sub(lambda _: next(stand_ins), self.paragraph.text)
        lines = self.paragraph._replace(text=text).lines()
        return b"%b".join(map(literal, STAND_IN.split(lines)))
