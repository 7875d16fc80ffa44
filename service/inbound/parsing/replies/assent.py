"""Whether an answer to "is this you?" is a yes. Only a clear yes, or an answer without words, is one (UK GDPR Art 4(11))."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from service.inbound.parsing.replies import phrasebook
from service.inbound.parsing.replies.headings import refusing
from service.inbound.parsing.replies.phrasebook import book, tokens

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
MOST_LINES, MOST_WORDS, LONGEST_LINE, LONGEST_OF_A_SIGNATURE = 30, 80, 400, 60


def answer(lines: Sequence[str], names: Iterable[str] = (), tables: Tables = YES) -> Answer:
    """What the author's own lines say; `names` are those that stand below and in a greeting: the author's, and ours.

    "yes" stands for what the first of the tables says; the others hold what may stand beside it. A word that stands in none is
    one that nobody but a person can weigh, also where it stands below a yes.
    """
    name_words = {word for name in names for word in tokens(name)} - refusing()
    spoken = list(_spoken(lines, name_words, any_signature=tables is LEAVE))
    if not spoken:
        return "nothing"
    words = tokens("\n".join(spoken))
    if len(spoken) > MOST_LINES or len(words) > MOST_WORDS or not all(tokens(line) for line in spoken):
        return "other"
    books = [*(book(file, title) for file, title in tables), book(TABLE, "closings"), phrasebook.phrases(name_words)]
    return "yes" if any(0 in way for way in phrasebook.covered(words, books)) else "other"


def _spoken(lines: Sequence[str], name_words: set[str], *, any_signature: bool) -> Iterator[str]:
    """The lines that are more than the author's name; below the mark of a signature, more than a telephone or an address.

    `any_signature`: or anything short, for a wish that is asked back, or can be made good by asking again.
    """
    below = False
    for line in lines:
        words = set(tokens(line[:LONGEST_LINE]))
        below = below or line == SIGNATURE
        is_name = bool(words) and words <= name_words and len(line) < LONGEST_LINE
        of_signature = below and (CONTACT.fullmatch(line) or (any_signature and len(line) <= LONGEST_OF_A_SIGNATURE))
        if line != SIGNATURE and not is_name and not of_signature:
            yield line
