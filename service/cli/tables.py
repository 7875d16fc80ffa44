"""Reading a CSV file that somebody else made: separator found, each bad line named by its number, memory bounded."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from service.errors import Refused

LONGEST_FIELD = 10_000
LONGEST_LINE = 100_000
Row = dict[str, str]
Judged = TypeVar("Judged")


class BadLine(Exception):
    """Why a line cannot be read as a row."""


class _Lines:
    """The physical lines of a file, numbered; those of an unfinished row can be given back and read again.

    A quotation mark that nobody closes would swallow the rest of the file: it costs its own line alone.
    """

    def __init__(self, opened: Iterator[str]) -> None:
        self.opened, self.number = opened, 0
        self.row: list[str] = []
        self.again: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.again.pop() if self.again else next(self.opened)
        self.number += 1
        self.row.append(line)
        return line

    def begin_row(self) -> int:
        self.row.clear()
        return self.number + 1

    def give_back(self) -> None:
        """All but the first line of the row."""
        self.again += reversed(self.row[1:])
        self.number -= len(self.row) - 1


def lines_of(file: Path, columns: Iterable[str] = ("email",)) -> Iterator[tuple[int, Row | BadLine]]:
    """The rows of a CSV file with the number of the line on which each begins.

    Comma, semicolon or tab between the columns, UTF-8 with or without a mark. Raises Refused where the first line does not
    name all of `columns`; a line that is no row comes as a BadLine.
    """
    csv.field_size_limit(LONGEST_FIELD)
    with file.open("rb") as raw:
        if raw.read(2) in {b"\xff\xfe", b"\xfe\xff"}:
            raise Refused(f"{file} is in UTF-16; save it as CSV in UTF-8.")
    with file.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as opened:
        lines = _Lines(iter(lambda: _bounded(opened.readline, LONGEST_LINE), ""))
        separator, header = _header(file, next(lines, ""), list(columns))
        reader = csv.reader(lines, delimiter=separator, strict=True)
        while True:
            number = lines.begin_row()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield number, BadLine(_why(error, lines))
                continue
            if any(cells):
                yield number, _row(header, cells)


def _bounded(readline: Callable[[int], str], longest: int) -> str:
    """One line, without what goes beyond `longest`: a file of one endless line is not taken into memory."""
    line = rest = readline(longest)
    while len(rest) == longest and not rest.endswith(("\n", "\r")):
        rest = readline(longest)
    return line


def _header(file: Path, first: str, columns: list[str]) -> tuple[str, list[str]]:
    """The separator under which the first line names the most columns we know, and its names."""
    missing = columns
    for separator in (",", ";", "\t"):
        try:
            names = [name.strip().lower() for name in next(csv.reader([first], delimiter=separator), [])]
        except csv.Error:
            continue
        if twice := [name for name in columns if names.count(name) > 1]:
            raise Refused(f"The first line of {file} names the column {twice[0]} twice.")
        absent = [name for name in columns if name not in names]
        if not absent:
            return separator, names
        missing = min(missing, absent, key=len)
    raise Refused(f"The first line of {file} should name its columns; it lacks: {', '.join(missing)}.")


def _why(error: csv.Error, lines: _Lines) -> str:
    if len(lines.row) > 1:
        lines.give_back()
        return "opens a quotation mark that is not closed properly"
    if "field limit" in str(error):
        return f"holds a field of more than {LONGEST_FIELD:,} characters"
    return "has a quotation mark where none can be, or opens one that is not closed"


def _row(header: list[str], cells: list[str]) -> Row | BadLine:
    if len(cells) > len(header) and any(cells[len(header) :]):
        return BadLine(f"has {len(cells)} columns, but the first line names {len(header)}")
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:  # bytes that were no UTF-8 stand in the text as surrogates
        return BadLine("is not in UTF-8; save the file as CSV in UTF-8")
    return dict(zip(header, cells, strict=False))


def judge(
    rows: Iterable[tuple[int, Row | BadLine]], read: Callable[[int, Row], Judged], bad: list[tuple[int, str]]
) -> list[Judged]:
    """What `read` makes of the good rows; the others go to `bad`, each with its number and the reason."""
    good = []
    for number, row in rows:
        if isinstance(row, BadLine):
            bad.append((number, str(row)))
            continue
        try:
            good.append(read(number, row))
        except Refused as refused:
            bad.append((number, "; ".join(f"{field}: {text}" for field, text in refused.errors.items())))
    return good
