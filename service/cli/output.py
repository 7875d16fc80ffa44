"""What every command shares: sentences for errors, JSON for machines, how far a long one is."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import DBAPIError

from service.core import logs
from service.core.config import settings
from service.errors import NotFound, Refused
from service.text.tables import table_files

console = Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)
"""What people read beside the result. File names and what stands in files are text, never markup."""


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
            fail(str(error), options)
        except DBAPIError as error:
            fail(_of_database(error), options)
        except BrokenPipeError:  # whoever read our output has had enough
            sys.exit(1)
        except OSError as error:
            fail(f"{error.filename or 'The file'} cannot be read or written: {error.strerror or error}.", options)

    return wrapped


def _of_database(error: DBAPIError) -> str:
    """A database without tables is the mistake that people make; the rest is told as it is, without what was to be stored."""
    sentence = str(error.orig).splitlines()[0]
    if "no such table" in sentence or "does not exist" in sentence:
        return "The database has no tables yet, or old ones: run `flask --app wsgi migrate` first."
    if "unable to open" in sentence:
        where = settings().var_dir
        return f"There is no database in {where}, or it cannot be opened: run `flask --app wsgi migrate` first."
    return f"The database said no: {sentence}."


def read_text(file: Path) -> str:
    """A small file that somebody wrote. Raises Refused where it is not text."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{file} is not in UTF-8 (byte {error.start:,}); save it as UTF-8.") from None


@contextmanager
def table(file: Path) -> Iterator[tuple[Path, str]]:
    """A table that somebody sent, as CSV in UTF-8, and how it was read; a sentence where that was not UTF-8. Raises Refused."""
    with TemporaryDirectory() as folder:
        made = Path(folder) / "table.csv"
        read_as = table_files.as_csv(file, made)
        if read_as != table_files.UTF8:
            console.print(f"{file} was read as {read_as}; if accents look wrong, save it as CSV in UTF-8.")
        try:
            yield (made if made.exists() else file), read_as
        except Refused as refused:
            raise Refused(str(refused).replace(str(made), str(file))) from None


def fail(sentence: str, options: Mapping[str, Any]) -> None:
    """One sentence, and exit 1; with --json also as the one document."""
    sentence = sentence[:1].upper() + sentence[1:]
    if options.get("as_json"):
        click.echo(json.dumps({"error": sentence}, ensure_ascii=False))
    console.print(sentence, style="red")
    sys.exit(1)


def say(as_json: bool, document: dict[str, Any], sentence: str) -> None:
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else sentence)


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
file_argument = click.argument("file", type=click.Path(path_type=Path))


class Steps:
    """How far a long command is, on standard error: a bar on a terminal, else a line now and then."""

    EVERY = 100_000

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self.task = self.bar.add_task(what, total=total)

    def __enter__(self) -> Steps:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def advance(self, count: int) -> None:
        before, self.done = self.done, self.done + count
        self.bar.update(self.task, completed=self.done)
        if self.bar.disable and before // self.EVERY != self.done // self.EVERY:
            console.print(f"{self.what}: {self.done:,} of {self.total:,} lines")


def report(as_json: bool, document: dict[str, Any], bad: list[tuple[int, str]], sentence: str) -> None:
    """Prints what was done and each bad line with its reason; ends the command with 1 where there was one."""
    bad.sort()
    document["bad"] = [{"line": number, "reason": reason} for number, reason in bad]
    say(as_json, document, sentence)
    for number, reason in bad[:1000]:
        console.print(f"line {number}: {reason}")
    if len(bad) > 1000:
        console.print(f"… and {len(bad) - 1000:,} more.")
    sys.exit(1 if bad else 0)
