"""Reads the file of an import, judges its lines, and takes the good ones in; some thousand at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from itertools import islice

from sqlalchemy.exc import IntegrityError

from service.core.db import reading, transaction
from service.errors import Refused
from service.models import Import, MailingList
from service.subscriptions import imports, subscribing
from service.subscriptions.seen_mailboxes import Mentioned
from service.subscriptions.subscribing import Line
from service.text.tables.csv_files import Row, count_lines, judge, lines_of

BATCH = 5_000


def run(number: int) -> bool:
    """One import, from where it is to its end. False where there is nothing to do."""
    path = imports.file_of(number)
    try:
        lines = count_lines(path)
    except FileNotFoundError:
        lines = 0
    with transaction() as session:
        import_row = imports.begin(session, number, lines)
    if import_row is None:
        return False
    try:
        if _all_lines(import_row):
            with transaction() as session:
                imports.end(session, number, datetime.now(UTC))
    except (Refused, FileNotFoundError) as error:
        why = str(error) if isinstance(error, Refused) else "The file is not there any more."
        with transaction() as session:
            imports.fail(session, number, why.replace(str(path), import_row.filename), datetime.now(UTC))
    return True


def _all_lines(import_row: Import) -> bool:
    """False where another worker was quicker."""
    rows = islice(lines_of(imports.file_of(import_row.id), import_row.columns.values()), import_row.done, None)
    at = import_row.done
    with Mentioned() as mentioned:
        while batch := list(islice(rows, BATCH)):
            bad: list[tuple[int, str]] = []
            good = [line for line in judge(batch, partial(_read, import_row), bad) if _first(line, mentioned, bad)]
            if not _store(import_row, at, len(batch), good, dict(bad)):
                return False
            at += len(batch)
    return True


def _read(import_row: Import, number: int, row: Row) -> Line:
    return subscribing.read_line(number, imports.ours(import_row.columns, row))


def _first(line: Line, mentioned: Mentioned, bad: list[tuple[int, str]]) -> bool:
    before = mentioned.before(line.mailbox, line.number)
    if before is not None:
        bad.append((line.number, f"is the same mailbox as line {before}"))
    return before is None


def _store(import_row: Import, at: int, count: int, good: list[Line], bad: dict[int, str]) -> bool:
    """One batch; once more where somebody subscribed in the same moment."""
    try:
        return _store_once(import_row, at, count, good, bad)
    except IntegrityError:
        return _store_once(import_row, at, count, good, bad)


def _store_once(import_row: Import, at: int, count: int, good: list[Line], bad: dict[int, str]) -> bool:
    if import_row.state == "judging":
        with reading() as session:
            left_out = subscribing.left_out(session, session.get_one(MailingList, import_row.list_id), good)
        with transaction() as session:
            return imports.note(session, import_row.id, at, count, len(good) - len(left_out), bad | left_out)
    with transaction() as session:
        if not imports.note(session, import_row.id, at, count, 0, {}):
            return False
        mailing_list = session.get_one(MailingList, import_row.list_id)
        left_out = subscribing.take_in(session, mailing_list, good, import_row.source, datetime.now(UTC))
        session.get_one(Import, import_row.id).good += len(good) - len(left_out)
    return True
