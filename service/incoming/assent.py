"""Whether an answer to "is this you?" is a yes. Only a clear yes, or an answer without words, is one (UK GDPR Art 4(11))."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from service.incoming import phrasebook, quotations
from service.incoming.headings import of_sentences, refusing
from service.incoming.phrasebook import Phrases, book, tokens

Answer = Literal["yes", "nothing", "other"]
TABLE = "assent.txt"
Tables = Sequence[tuple[str, str]]
"""Sections of phrases, each with its file."""
YES: Tables = ((TABLE, "yes"), (TABLE, "with a yes"))
LEAVE: Tables = (("leaving.txt", "leave"), ("leaving.txt", "with a leave"), (TABLE, "with a yes"))
"""What is said by who wants no more updates, and what may stand beside it."""
SIGNATURE = "--"
"""RFC 3676 §4.3; without the space at its end, which is lost on the way."""
CONTACT = re.compile(
    r"(?:(?:tel|phone|mob(?:ile)?|cell|fax|handy|mobil|tél|e-?mail|mail|web|www|t|m|e|f|w)\b[.:]?\s*)?"
    r"(?:[+(]?[\d][\d\s().+/-]{5,24}|<?\S{1,64}@\S{3,253}>?|(?:https?://|www\.)\S{3,200})",
    re.IGNORECASE,
)
MOST_LINES, MOST_WORDS = 30, 80
LONGEST_OF_A_SIGNATURE, MOST_OF_A_SIGNATURE = 60, 8


def answer(lines: Sequence[str], names: Iterable[str] = (), tables: Tables = YES) -> Answer:
    """What the author's own lines say; `names` are those that stand below and in a greeting: the author's, and ours.

    "yes" stands for what the first of the tables says; the others hold what may stand beside it.
    """
    known = {word for name in names for word in tokens(name)} - refusing()
    if len(lines) > MOST_LINES or any(len(line) > 400 for line in lines):
        return "other"
    main, below = _parted(lines, known)
    if all(_is_signature(line, known) for line in [*main, *below]):
        return "nothing"
    words = tokens("\n".join(main))
    is_yes = len(words) <= MOST_WORDS and any(0 in way for way in phrasebook.covered(words, _books(known, tables)))
    return "yes" if is_yes and all(tokens(line) for line in main) and _may_stand_below(below, known) else "other"


def _books(known: set[str], tables: Tables) -> list[Phrases]:
    return [*(book(file, title) for file, title in tables), book(TABLE, "closings"), phrasebook.phrases(known)]


def _parted(lines: Sequence[str], known: set[str]) -> tuple[list[str], list[str]]:
    """What is said, and the signature: behind its mark, or behind "Kind regards"."""
    for at, line in enumerate(lines):
        if line == SIGNATURE:
            return list(lines[:at]), list(lines[at + 1 :])
        if at and _is_closing(line, known):
            return list(lines[: at + 1]), [below for below in lines[at + 1 :] if below != SIGNATURE]
    return list(lines), []


def _is_closing(line: str, known: set[str]) -> bool:
    return any(0 in way for way in phrasebook.covered(tokens(line), [book(TABLE, "closings"), phrasebook.phrases(known)]))


def _is_signature(line: str, known: set[str]) -> bool:
    """A line of nothing but the author's name, a telephone number or an address: no words."""
    words = tokens(quotations.LINK.sub(" ", line))
    return line == SIGNATURE or (bool(words) and set(words) <= known) or bool(CONTACT.fullmatch(line))


def _may_stand_below(lines: Sequence[str], known: set[str]) -> bool:
    """Whether what stands below a yes is its author's office, party and telephone, and no sentence that takes it back."""
    if len(lines) > MOST_OF_A_SIGNATURE:
        return False
    for line in lines:
        words = set(tokens(line)) - known
        if len(line) > LONGEST_OF_A_SIGNATURE or "?" in words or words & (refusing() | of_sentences()):
            return False
    return True
