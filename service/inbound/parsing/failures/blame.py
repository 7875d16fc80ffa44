"""What a refusal is about. Only what is about the reader's mailbox, and says so without a second choice, can be its end.

"Not found", "unknown" and "does not exist" are said of senders, of our own host, of what could not be looked up just now; and
"unknown or full" says neither of the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from service.inbound.parsing.replies.phrases import phrase

Object = Literal["reader", "sender", "text", "time", "policy", "open"]
"""open: it is left open what is the matter."""
SENDER = phrase("speaks of a sender")
READER = phrase("speaks of a reader")
TEXT = phrase("speaks of a text")
SENTENCE: dict[Object, re.Pattern[str]] = {
    "time": phrase("speaks of a time"),
    "policy": phrase("speaks of a policy"),
    "open": phrase("leaves it open"),
}
OR = phrase("or")
ENDS = re.compile(r"[.;!?](?=\s|$)|\s-{1,2}\s|(?<!\d)[45]\d\d[ -](?=\S)")
"""Where a sentence, or a line of a reply, ends."""
BEFORE, AFTER, BEHIND = 90, 80, 24
"""Characters on both sides of the words found, of which their sentence is looked at; and right behind them, for a sender."""


def object_of(text: str, match: re.Match[str], is_other: Callable[[str], bool]) -> Object:
    """What the words found are said of. `is_other` tells whether words give a reason that is no dead mailbox."""
    before, after = _around(text, match)
    sentence = f"{before}{match[0]}{after}"
    if _nearest(SENDER, before, match[0]) or SENDER.search(after[:BEHIND]):
        return "sender"
    if _nearest(TEXT, before, match[0]):
        return "text"
    choices = OR.split(sentence)
    if len(choices) > 1 and any(is_other(choice) for choice in choices):
        return "open"
    return next((about for about, words in SENTENCE.items() if words.search(sentence)), "reader")


def _around(text: str, match: re.Match[str]) -> tuple[str, str]:
    """What stands before and behind the words found in their own sentence."""
    start = max(0, match.start() - BEFORE)
    start = max((end.end() for end in ENDS.finditer(text, start, match.start())), default=start)
    rest = text[match.end() : match.end() + AFTER]
    end = ENDS.search(rest)
    return text[start : match.start()], rest[: end.start()] if end else rest


def _nearest(words: re.Pattern[str], before: str, phrase: str) -> bool:
    """Whether the words stand in what was found, or nearer before it than any word for the reader."""
    last = max((match.end() for match in words.finditer(before + phrase)), default=-1)
    return last > max((match.start() for match in READER.finditer(before)), default=-1)
