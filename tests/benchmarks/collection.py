"""A folder of messages with a table of what is right for each: how many are judged so, and which are not.

`python -m tests.benchmarks.collection FOLDER [TABLE]`. The table (FOLDER/expected.tsv) has the columns `file`, `kind` and
`class`, and `folder` and `sender` where they are needed. `kind` is that of a judgement, or `person` for what somebody wrote and
`machine` for what a program did. Classes of a bounce: hard, soft, blocked, delayed, unknown; several with | between them are
all right. A row without a kind is not counted. No message is kept in the repository: collections are others' and name people.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.sandbox import Reader

Figure = tuple[str, float, str]
WRITTEN = {"person", "reply", "command"}
BY_PROGRAMS = {"machine", "bounce", "complaint", "auto-reply"}


class Row(NamedTuple):
    """One message and what is right for it."""

    name: str
    raw: bytes
    sender: str | None
    kind: str
    classes: frozenset[str]


def rows(folder: Path, table: Path) -> Iterator[Row]:
    with table.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if line["kind"]:
                path = folder / (line.get("folder") or "") / line["file"]
                classes = frozenset((line.get("class") or "").split("|"))
                yield Row(line["file"], path.read_bytes(), line.get("sender"), line["kind"], classes)


def figures(judged: Iterable[tuple[Row, Judgement]]) -> Iterator[Figure]:
    """Shares of the dead found, of the living called dead, of people called machines, and of machines called people."""
    counts: Counter[str] = Counter()
    for row, said in judged:
        dead, program = said.bounce_class == "hard", bool(said.machine)
        if row.kind == "bounce" and "hard" not in row.classes:
            counts += Counter(living=1, living_called_hard=dead)
        elif row.kind == "bounce" and row.classes == {"hard"}:
            counts += Counter(hard=1, hard_found=dead)
        if row.kind in WRITTEN:
            counts += Counter(people=1, people_called_machines=program)
        if row.kind in BY_PROGRAMS:
            counts += Counter(machines=1, machines_called_people=not program)
    for what, of in (("hard_found", "hard"), ("living_called_hard", "living"), ("people_called_machines", "people"),
                     ("machines_called_people", "machines")):  # fmt: skip
        yield of, counts[of], "count"
        yield what, counts[what] / max(1, counts[of]), "share"


def is_right(row: Row, said: Judgement) -> bool:
    if row.kind == "bounce":
        return said.kind == "bounce" and said.bounce_class in row.classes
    if row.kind in {"person", "machine"}:
        return bool(said.machine) == (row.kind == "machine")
    return said.kind == row.kind or (row.kind == "command" and said.kind in {"reply", "other"})


def main(folder: Path, table: Path) -> None:
    with Reader(seconds=20) as reader:
        judged = [(row, reader.judge(row.raw, row.sender)) for row in rows(folder, table)]
    for row, said in judged:
        if not is_right(row, said):
            right = f"{row.kind} {'|'.join(sorted(row.classes))}".strip()
            print(f"{row.name}: {said.kind} {said.bounce_class or said.machine} ({said.reason}) for {right}")
    for name, value, unit in figures(judged):
        print(f"{name} {value:,.3f} {unit}")


if __name__ == "__main__":
    if len(sys.argv) not in {2, 3}:
        sys.exit("usage: python -m tests.benchmarks.collection FOLDER [TABLE]")
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) == 3 else f"{sys.argv[1]}/expected.tsv"))
