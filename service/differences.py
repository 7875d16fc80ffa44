"""What changed between two texts, word by word, for people to read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import NamedTuple

WORDS = re.compile(r"\s+|[^\s]+")
MOST_WORDS = 20_000
"""Longer texts are compared line by line: word by word they would take seconds."""


class Piece(NamedTuple):
    """`kind` is same, added or removed."""

    kind: str
    text: str


def between(before: str, after: str) -> list[Piece]:
    """The pieces of both texts, in order."""
    old, new = _split(before, after)
    found: list[Piece] = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            found.append(Piece("same", "".join(new[c:d])))
            continue
        found += [Piece(kind, "".join(part)) for kind, part in (("removed", old[a:b]), ("added", new[c:d])) if part]
    return found


def _split(before: str, after: str) -> tuple[list[str], list[str]]:
    if len(before) + len(after) > MOST_WORDS * 5:
        return before.splitlines(keepends=True), after.splitlines(keepends=True)
    return WORDS.findall(before), WORDS.findall(after)


def of_parts(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, list[Piece]]:
    """The same for the named parts of a whole; those that did not change are left out."""
    names = [*after, *(name for name in before if name not in after)]
    changed = [name for name in names if before.get(name, "") != after.get(name, "")]
    return {name: between(before.get(name, ""), after.get(name, "")) for name in changed}
