"""Characters that nobody sees, and that come along when text is copied from a contact, a chat or a word processor.

Which may be dropped without a change of meaning, and which may not: an override of direction makes a text read as another one.
"""

from __future__ import annotations

import re

_OVERRIDES = "\u202d\u202e"
"""They make a text read as another one (UAX 9 §2.2): harmless at its ends, a lie in its middle."""
_EMPTY = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202c\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffc\U0001d173-\U0001d17a\U000e0000-\U000e007f"
)
"""Soft hyphen, zero-width space, marks of direction, byte order mark, fillers, tags (Default_Ignorable_Code_Point)."""
_JOINERS = "\u200c\u200d"
"""They join or part letters and emoji, so they stay between those and go elsewhere."""
EMPTY = re.compile(f"[{_EMPTY}]")
ENDS = re.compile(f"^[{_OVERRIDES}{_JOINERS}\\s\u2800\u0300-\u036f\ufe00-\ufe0f]+|[{_OVERRIDES}{_JOINERS}\\s\u2800]+$")
BETWEEN_LATIN = re.compile(f"(?<=[\\x21-\\x7e])[{_JOINERS}]+(?=[\\x21-\\x7e])")
HIDDEN = re.compile(f"[{_EMPTY}{_OVERRIDES}{_JOINERS}]")


def without_empty(text: str) -> str:
    """The text without what is empty and changes nothing: anywhere, and at its ends overrides of direction and spaces, too."""
    if text.isascii():
        return text.strip()
    return ENDS.sub("", BETWEEN_LATIN.sub("", EMPTY.sub("", text)))


def holds_hidden(text: str) -> bool:
    """Whether a character stands in it that nobody sees, and that may not be dropped."""
    return not text.isascii() and HIDDEN.search(text) is not None
