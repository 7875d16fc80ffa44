"""Slots: where a placeholder of an update stands in text and HTML until a reader's copy is filled.

A slot is written in noncharacters (Unicode Standard §23.7). `characters.clean` takes them out of whatever people type, so no
words of an author are ever filled like a slot of ours. In an address the reader's value is percent-encoded (RFC 3986 §2.1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote

IN_TEXT, IN_ADDRESS, END = "\ufdd0", "\ufdd1", "\ufdd2"
NAMES = ("name", "clp", "office", "leave")
SLOT = re.compile(f"([{IN_TEXT}{IN_ADDRESS}])({'|'.join(NAMES)})\\.([0-9a-f]*){END}")

_BETWEEN = re.compile(SLOT.pattern.replace("(", "(?:"))


class Slot(NamedTuple):
    """Which value stands there, what stands there instead where there is none, and whether it is a part of an address."""

    name: str
    fallback: str
    in_address: bool

    def value(self, values: Mapping[str, str]) -> str:
        value = values.get(self.name) or self.fallback
        return quote(value, safe="") if self.in_address else value


def slot(name: str, fallback: str = "") -> str:
    return f"{IN_TEXT}{name}.{fallback.encode().hex()}{END}"


def read(match: re.Match[str]) -> Slot:
    return Slot(match[2], bytes.fromhex(match[3]).decode(), match[1] == IN_ADDRESS)


def in_address(text: str) -> str:
    """The same slots, to be filled with percent-encoded values."""
    return text.replace(IN_TEXT, IN_ADDRESS)


def fill(text: str, values: Mapping[str, str], escape: Callable[[str], str] = str) -> str:
    return SLOT.sub(lambda match: escape(read(match).value(values)), text)


def outside(text: str, change: Callable[[str], str]) -> str:
    """The text with whatever stands between its slots changed."""
    kept = [match[0] for match in SLOT.finditer(text)]
    return "".join(change(piece) + slot for piece, slot in zip(between(text), [*kept, ""], strict=True))


def between(text: str) -> list[str]:
    """What stands before, between and behind the slots: one piece more than there are slots."""
    return _BETWEEN.split(text)


def named(text: str) -> str:
    """The text with each slot as its author wrote it, for people to read."""
    return SLOT.sub(lambda match: f"{{{match[2]}}}", text)
