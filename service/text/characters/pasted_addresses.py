"""An e-mail address as people paste it: with `mailto:`, brackets, a name before it, a full stop behind it, full-width.

Only what can be no part of the address is taken off. What is left may still be none.
"""

from __future__ import annotations

import re
import unicodedata

from service.text.characters.invisible import without_empty

WITH_NAME = re.compile(r'(?:"(?:[^"\\<>]|\\.)*"|[^"<>]*+)\s*<([^<>]{3,320})>[\s.,;]*')
"""A name, and the address in angle brackets (RFC 5322 §3.4)."""
SCHEME = re.compile(r"mailto:(?://)?", re.IGNORECASE)
BEFORE = "<([“”„«»‹›"
BEHIND = ">)]“”«»‹›.,;:!?…。、，；"
FULL_WIDTH = re.compile("[\uff01-\uff5e\u3002\ufe52\uff61\ufe6b]")
APOSTROPHES = re.compile("[\u2018\u2019\u02bc]")
"""What word processors make of the apostrophe in o'brien@example.org."""
WRAPPED = re.compile(r"'(\S+)'|\{(\S+)\}|`(\S+)`|\"([^\"\s]+@[^\"\s]+)\"")
"""Signs that may begin a local part, too (RFC 5322 §3.2.3): taken off only where the other one stands behind."""


def without_wrapping(text: str) -> str:
    """The address in it; the same text where nothing is around it."""
    text = without_empty(text)
    if not text.isascii():
        text = FULL_WIDTH.sub(_half_width, text)
    if named := WITH_NAME.fullmatch(text):
        text = named[1].strip()
    if SCHEME.match(text):
        text = SCHEME.sub("", text, count=1).partition("?")[0]
    text = APOSTROPHES.sub("'", text).lstrip(BEFORE).rstrip(BEHIND)
    wrapped = WRAPPED.fullmatch(text)
    return next(part for part in wrapped.groups() if part) if wrapped else text.strip()


def _half_width(match: re.Match[str]) -> str:
    return "." if match[0] in "\u3002\ufe52\uff61" else unicodedata.normalize("NFKC", match[0])
