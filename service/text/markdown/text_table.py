"""A table in plain text: in columns where they fit on a line, else cell by cell with the heading of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from unicodedata import combining, east_asian_width

from service.text.markdown import slots

BETWEEN = "  "


def width(text: str) -> int:
    """How many columns a text takes in a fixed-width font (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1 for character in text)


@dataclass
class Table:
    """The first row holds the headings; `aligned` has left, right, center or nothing for each column."""

    rows: list[list[str]] = field(default_factory=list)
    aligned: list[str] = field(default_factory=list)

    def columns(self, room: int) -> str | None:
        """The table in columns; None where that is too wide, or the width of a cell is not known yet."""
        cells = [cell for row in self.rows for cell in row]
        if any("\n" in cell or slots.SLOT.search(cell) for cell in cells):
            return None
        widths = [max(width(row[at]) for row in self.rows) for at in range(len(self.aligned))]
        if sum(widths) + len(BETWEEN) * (len(widths) - 1) > room:
            return None
        lines = [[self._padded(cell, at, widths[at]) for at, cell in enumerate(row)] for row in self.rows]
        lines.insert(1, ["-" * width for width in widths])
        return "\n".join(BETWEEN.join(line).rstrip() for line in lines)

    def _padded(self, cell: str, at: int, wide: int) -> str:
        space = wide - width(cell)
        before = {"right": space, "center": space // 2}.get(self.aligned[at], 0)
        return " " * before + cell + " " * (space - before)

    def in_words(self) -> list[str]:
        """Each row as lines: what its column is called, and what stands in the cell."""
        headings, *rows = self.rows
        if not rows:
            return ["\n".join(filter(None, headings))]
        named = ((zip(headings, row, strict=True)) for row in rows)
        return ["\n".join(f"{heading}: {cell}".removeprefix(": ") for heading, cell in row if cell) for row in named]
