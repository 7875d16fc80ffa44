"""Control characters in texts that people type, paste or import, and what stands in their place.

Word processors, slides and spreadsheets put control characters on the clipboard. XML 1.0 §2.2 forbids nearly all of them, so
that one of them in an update makes a feed unreadable; PostgreSQL stores no NUL; no terminal should be sent an ESC.
"""

from __future__ import annotations

import re

BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks and overrides of direction, which make a text read as another one."""
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane | 0xFFFE)}{chr(plane | 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
_NO_TEXT = f"\0-\x08\x0b\x0e-\x1f\x7f\x81\x8d\x8f\x90\x9d\u2028\ud800-\udfff{_NONCHARACTERS}"
CONTROL = re.compile(f"[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{_NONCHARACTERS}]")
"""Every character that `clean` changes: C0 but tab and line feed, DEL, C1, separators, half surrogates, noncharacters."""
_LINE_BREAKS = re.compile("\r\n?|[\x0c\u2029]")
_RUN = re.compile(f" ?[{_NO_TEXT}](?: ?[{_NO_TEXT}])* ?")
_WINDOWS_1252 = {
    number: bytes([number]).decode("cp1252") for number in range(0x80, 0xA0) if number not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


def clean(text: str) -> str:
    """The text without control characters, with a line feed at the end of each line.

    A page break or paragraph separator becomes a line end; a soft return (U+000B, U+2028) and whatever else is no text
    becomes a space. C1 controls are read as Windows-1252 wrote them, as browsers do (HTML Standard, "Numeric character
    reference end state"): nobody means U+0092, but everybody an apostrophe.
    """
    if text.isprintable() or not CONTROL.search(text):
        return text
    return _RUN.sub(" ", _LINE_BREAKS.sub("\n", text).translate(_WINDOWS_1252))


def clean_line(text: str) -> str:
    """As `clean`, on one line, with single spaces."""
    return " ".join(clean(text).split())
