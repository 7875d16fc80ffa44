"""What stands in an answer beside its author's own words: quotations, their headings, and lines that a mail program adds.

Every line that is none of these is the author's own, wherever it stands: above a quotation, below it, or between.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from service.inbound.parsing.replies import phrasebook
from service.inbound.parsing.replies.headings import QUOTED, TABLE, heading, refusing
from service.inbound.parsing.replies.phrasebook import book, tokens

RULE = re.compile(r"(?!--$)[\s\-_=*~#.·•–—─━═]+")
"""A line of dashes or dots; two dashes alone are the mark of a signature (RFC 3676 §4.3)."""
LINK = re.compile(r"<?\b(?:https?://|mailto:)[^\s<>]{1,2000}>?", re.IGNORECASE)
MOST_LINES = 500
"""Neither quoted nor empty: nobody writes more in an answer, and each is looked at."""
LONGEST_OF_A_DEVICE = 300
RUN = 4
"""Words in a row that nobody writes by chance as we wrote them."""


class Own(NamedTuple):
    lines: list[str]
    text: str
    """The lines with an empty one where something stood between them."""
    is_whole: bool
    """False where there are more of them than anybody writes."""


def own_lines(text: str) -> Own:
    """The lines that the author wrote, without empty ones."""
    lines = [_plain(line) for line in text.splitlines()]
    own: dict[int, str] = {}
    at = looked_at = 0
    while at < len(lines) and looked_at < MOST_LINES:
        line = lines[at]
        length = 0
        if line and not QUOTED.match(line) and not RULE.fullmatch(line):
            looked_at += 1
            length = heading(lines, at)
            if not length and not is_of_a_device(line):
                own[at] = line.removeprefix(">") if line.startswith(">From ") else line
        at += length or 1
    shown = "".join(f"\n{line}" if number - 1 in own else f"\n\n{line}" for number, line in own.items())
    return Own(list(own.values()), shown.strip(), at >= len(lines))


def _plain(line: str) -> str:
    """Without marks for the direction of writing, and with spaces of one kind."""
    visible = line if line.isascii() else "".join(c for c in line if unicodedata.category(c) != "Cf")
    return " ".join(visible.split())


def is_of_a_device(line: str) -> bool:
    """Sent from my iPhone: a line of such words alone."""
    words = tokens(LINK.sub(" ", line)) if len(line) <= LONGEST_OF_A_DEVICE else []
    if not words or len(words) > 25:
        return False
    wholes, sent, small, devices = (book(TABLE, title) for title in ("whole lines of devices", "sent", "from my", "devices"))
    numbers = phrasebook.phrases(word for word in words if word.isdigit() and len(word) < 4)
    ways = phrasebook.covered(words, [wholes, sent, small, devices, numbers])
    return any(way == {0} or {1, 3} <= way for way in ways)


def without(lines: list[str], letter: str) -> list[str]:
    """The lines that do not repeat what stands in our own letter: some programs quote it without any mark."""
    rows = [tokens(LINK.sub(" ", line)) for line in lines]
    repeated = _repeated([word for row in rows for word in row], tokens(LINK.sub(" ", letter)))
    ours = {tuple(tokens(LINK.sub(" ", line))) for line in letter.splitlines()}
    kept, at = [], 0
    for line, row in zip(lines, rows, strict=True):
        if row:
            quoted = all(repeated[at : at + len(row)]) or (tuple(row) in ours and not set(row) <= refusing())
        else:
            links = LINK.findall(line)
            quoted = bool(links) and all(link.strip("<>") in letter for link in links)
        if not quoted:
            kept.append(line)
        at += len(row)
    return kept


def _repeated(words: list[str], ours: list[str]) -> list[bool]:
    """For each word, whether it stands in a run of words that stands in ours, too."""
    starts: dict[tuple[str, ...], list[int]] = {}
    for at in range(len(ours) - RUN + 1):
        starts.setdefault(tuple(ours[at : at + RUN]), []).append(at)
    repeated = [False] * len(words)
    at = 0
    while at < len(words):
        longest = max((_common(words, at, ours, start) for start in starts.get(tuple(words[at : at + RUN]), ())), default=0)
        repeated[at : at + longest] = [True] * longest
        at += longest or 1
    return repeated


def _common(words: list[str], at: int, ours: list[str], start: int) -> int:
    length = RUN
    while at + length < len(words) and start + length < len(ours) and words[at + length] == ours[start + length]:
        length += 1
    return length
