"""What changed between two texts, word by word, for people to read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import NamedTuple

WORDS = re.compile(r"\s+|[^\s]+")
MOST_PAIRS = 300_000
"""Pairs of equal words in both texts, which comparing costs; above, lines are compared, and above that the texts as one."""


class Piece(NamedTuple):
    """`kind` is same, added or removed."""

    kind: str
    text: str


def between(before: str, after: str) -> list[Piece]:
    """The pieces of both texts, in order."""
    old, new = _split(before, after)
    pieces: list[Piece] = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(Piece("same", "".join(new[c:d])))
            continue
        pieces += [Piece(kind, "".join(part)) for kind, part in (("removed", old[a:b]), ("added", new[c:d])) if part]
    return pieces


def _split(before: str, after: str) -> tuple[list[str], list[str]]:
    ways = (WORDS.findall(before), WORDS.findall(after)), (before.splitlines(keepends=True), after.splitlines(keepends=True))
    for old, new in ways:
        if _pairs(old, new) <= MOST_PAIRS:
            return old, new
    return [before], [after]


def _pairs(old: list[str], new: list[str]) -> int:
    counts = Counter(new)
    return sum(count * counts[word] for word, count in Counter(old).items())


def of_parts(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, list[Piece]]:
    """The same for the named parts of a whole; those that did not change are left out."""
    names = [*after, *(name for name in before if name not in after)]
    changed = [name for name in names if before.get(name, "") != after.get(name, "")]
    return {name: between(before.get(name, ""), after.get(name, "")) for name in changed}
