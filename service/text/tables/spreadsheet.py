"""`python -m service.text.tables.spreadsheet SOURCE TARGET`: the first sheet that holds something, as CSV in UTF-8.

It runs by itself, with little memory and time, because a spreadsheet is a packed file that a stranger may have made.
"""

from __future__ import annotations

import csv
import datetime
import resource
import sys

from python_calamine import CalamineError, CalamineWorkbook

SIGNATURES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""Excel since 2007 and OpenDocument are ZIP files; Excel before that is an OLE document."""
UNREADABLE, BOUNDS = 3, 4
MEMORY = 2 << 30
LARGEST = 300 << 20
PROCESSOR_SECONDS = 60


def main(source: str, target: str) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    try:
        workbook = CalamineWorkbook.from_path(source)
        rows = next((rows for name in workbook.sheet_names if (rows := workbook.get_sheet_by_name(name).to_python())), [])
    except CalamineError:
        return UNREADABLE
    except MemoryError:
        return BOUNDS
    with open(target, "w", newline="", encoding="utf-8") as written:
        csv.writer(written, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return 0


def _cell(value: object) -> str:
    """What a person sees in the cell, on one line."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    return " ".join(str(value).split())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
