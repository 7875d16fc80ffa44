"""Cells of CSV files that a spreadsheet does not take for formulas, and that come back as they went out.

Where a semicolon or a tab separates columns, as in most of Europe, a spreadsheet splits our cells there, and at line breaks:
what follows may not begin a formula either.
"""

from __future__ import annotations

import re

FORMULA = re.compile(r"'*\s*[=+\-@\t\r\n＝＋－＠]")
"""How a formula begins (OWASP, "CSV Injection"), also full-width or after spaces; and a text that was kept from being one."""
SEPARATOR = re.compile(r"([;\t\r\n])")


def plain_cell(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet might take for a formula."""
    first, *rest = SEPARATOR.split(text)
    start = "'" if FORMULA.match(text) else ""
    return start + first + "".join(_plain(part) for part in rest)


def _plain(part: str) -> str:
    return f"'{part}" if FORMULA.match(part) and not SEPARATOR.match(part) else part


def text_of_cell(cell: str) -> str:
    """The text of which `plain_cell` made this cell."""
    first, *rest = SEPARATOR.split(cell)
    start = 1 if cell.startswith("'") and FORMULA.match(cell, 1) else 0
    return first[start:] + "".join(_text(part) for part in rest)


def _text(part: str) -> str:
    return part[1:] if part.startswith("'") and FORMULA.match(part, 1) else part
