"""Cells of CSV files that a spreadsheet does not take for formulas, and that come back as they went out."""

from __future__ import annotations

import re

FORMULA = re.compile(r"'*\s*[=+\-@\t\r\n＝＋－＠]")
"""How a formula begins (OWASP, "CSV Injection"), also full-width or after spaces; and a text that was kept from being one."""


def plain_cell(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet might take it for a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def text_of_cell(cell: str) -> str:
    """The text of which `plain_cell` made this cell."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell, 1) else cell
