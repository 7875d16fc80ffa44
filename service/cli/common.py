"""What every command shares: sentences for errors, JSON for machines, progress bars, reading CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import OperationalError, ProgrammingError

from service import logs
from service.errors import NotFound, Refused

console = Console(stderr=True)


def now() -> datetime:
    return datetime.now(UTC)


def says_why(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turns every error that a user can mend into one sentence and exit 1."""

    @wraps(command)
    def wrapped(*args: Any, **options: Any) -> Any:
        logs.configure()
        try:
            return command(*args, **options)
        except (Refused, NotFound) as error:
            fail(str(error))
        except (OperationalError, ProgrammingError) as error:
            fail(f"The database said no: {str(error.orig).splitlines()[0]} (has `flask --app wsgi migrate` been run?)")
        except (OSError, UnicodeDecodeError) as error:
            fail(f"The file cannot be read: {error}")

    return wrapped


def fail(sentence: str) -> None:
    console.print(sentence[:1].upper() + sentence[1:], style="red", highlight=False, soft_wrap=True)
    sys.exit(1)


def say(as_json: bool, document: dict[str, Any], sentence: str) -> None:
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else sentence)


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


def lines_of(file: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    """The rows of a CSV file with their line numbers. Raises Refused where there is no header line with an email column."""
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as opened:
        reader = csv.DictReader(opened)
        if "email" not in [name.strip().lower() for name in reader.fieldnames or []]:
            raise Refused("The file's first line must name its columns, `email` among them.")
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
        try:
            for row in reader:
                yield reader.line_num, row
        except csv.Error as error:
            raise Refused(f"The file is no CSV after line {reader.line_num}: {error}.") from None


def bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=not console.is_terminal,
    )  # fmt: skip


def count_lines(file: Path) -> int:
    with file.open("rb") as opened:
        return max(sum(chunk.count(b"\n") for chunk in iter(lambda: opened.read(1 << 20), b"")) - 1, 0)


def report(as_json: bool, document: dict[str, Any], bad: list[tuple[int, str]], sentence: str) -> None:
    """Prints what was done and each bad line with its reason; ends the command with 1 where there was one."""
    bad.sort()
    document["bad"] = [{"line": number, "reason": reason} for number, reason in bad]
    say(as_json, document, sentence)
    for number, reason in bad[:1000]:
        console.print(f"line {number}: {reason}", highlight=False, soft_wrap=True, markup=False)
    if len(bad) > 1000:
        console.print(f"… and {len(bad) - 1000:,} more.")
    sys.exit(1 if bad else 0)
