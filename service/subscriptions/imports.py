"""Story: an organiser takes people in from a file: named, its columns told apart, judged, and only then taken in.

The file lies in VAR_DIR/uploads until a week has passed. A worker reads it, some thousand lines at a time; how far it is
stands in the row, so that a killed worker's successor goes on there, and of two workers only one does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from service import states
from service.core import queues
from service.core.config import settings
from service.errors import NotFound, Refused
from service.models import Import, ImportLine, MailingList, Organiser
from service.text.characters.control import BIDI, clean_line
from service.text.tables.csv_files import Row, names_of

COLUMNS = {
    "email": "Address",
    "name": "Name",
    "surname": "Last name, if it has a column of its own",
    "clp": "Local party",
    "office": "Office held",
}
FIRST_NAMES = ("first name", "first_name", "firstname", "forename", "given name", "given_name")
GUESSES = {
    "email": ("email", "e-mail", "mail", "address", "email address", "e-mail address"),
    "name": ("name", "full name", "member", *FIRST_NAMES),
    "surname": ("surname", "last name", "last_name", "lastname", "family name", "family_name"),
    "clp": ("clp", "local party", "constituency", "party"),
    "office": ("office", "office held", "position"),
}
KEPT = timedelta(days=7)


def take(
    session: Session, mailing_list: MailingList, by: Organiser, filename: str, source: str, read_as: str, now: datetime
) -> Import:
    """A file that was sent; `source` says where and when its people agreed, `read_as` how it was told. Raises Refused."""
    source, name = agreed(source), clean_line(BIDI.sub("", filename))[:100]
    import_row = Import(
        list_id=mailing_list.id, organiser_id=by.id, state="mapping", filename=name or "file",
        source=source[:1000], columns={}, created_at=now, read_as=read_as,
    )  # fmt: skip
    session.add(import_row)
    session.flush()
    return import_row


def agreed(source: str) -> str:
    """Raises Refused where it says nothing."""
    source = clean_line(source)
    if len(source) < 5:
        raise Refused(source="Say where and when these people agreed; it is kept as their consent.")
    return source


def file_of(number: int) -> Path:
    return settings().var_dir / "uploads" / f"{number}.csv"


def find(session: Session, number: int, *, lock: bool = False) -> Import:
    """Raises NotFound."""
    import_row = session.get(Import, number if 0 < number < 2**63 else 0, with_for_update=lock or None)
    if import_row is None:
        raise NotFound(f"there is no import {number}")
    return import_row


def recent(session: Session, limit: int = 20) -> list[Import]:
    return list(session.scalars(select(Import).order_by(Import.id.desc()).limit(limit)))


def waiting(session: Session, organiser: Organiser) -> list[Import]:
    """Those that wait for this organiser's word: their own, for nobody else knows the file."""
    conditions = (Import.organiser_id == organiser.id, Import.state.in_(("mapping", "judged")))
    return list(session.scalars(select(Import).where(*conditions).order_by(Import.id)))


def header(number: int) -> list[str]:
    """The names of the file's columns. Raises Refused, also where the file is gone."""
    try:
        return names_of(file_of(number))
    except FileNotFoundError:
        raise Refused("The file is not there any more; send it again.") from None


def guess(names: list[str]) -> dict[str, str]:
    """Which of the file's columns is probably which of ours. A last name is added to a first name only, not to a whole one."""
    guessed = {ours: next((name for name in likely if name in names), "") for ours, likely in GUESSES.items()}
    return guessed if guessed["name"] in FIRST_NAMES else guessed | {"surname": ""}


def tell_apart(session: Session, import_row: Import, chosen: Mapping[str, str], names: list[str]) -> None:
    """The organiser's word on the columns; then a worker judges every line and stores nothing. Raises Refused."""
    columns = {ours: chosen.get(ours, "") for ours in COLUMNS if chosen.get(ours)}
    if "email" not in columns:
        raise Refused(email="Choose the column that holds the addresses.")
    if not set(columns.values()) <= set(names) or len(set(columns.values())) < len(columns):
        raise Refused(email="Choose a column of the file for each, and none twice.")
    if twice := [ours for ours, theirs in columns.items() if names.count(theirs) > 1]:
        name = columns[twice[0]]
        raise Refused(**{twice[0]: f"The file has two columns called “{name}”. Rename one of them, and send the file again."})
    if "surname" in columns and "name" not in columns:
        raise Refused(name="Choose the column of the first names, too.")
    states.move(import_row, "judging")
    import_row.columns = columns
    _wake(session, import_row)


def accept(session: Session, import_row: Import) -> None:
    """Having seen the bad lines, take the good ones in."""
    states.move(import_row, "taking")
    import_row.done = import_row.good = 0
    _wake(session, import_row)


def drop(import_row: Import, now: datetime) -> None:
    """Also while a worker is at it: who was taken in by then stays, and the page says so."""
    import_row.problem = _stays(import_row) or import_row.problem
    states.move(import_row, "dropped")
    import_row.finished_at = now
    file_of(import_row.id).unlink(missing_ok=True)


def _wake(session: Session, import_row: Import) -> None:
    queues.wake(session, "read_import", import_row.id, queues.BULK)


def wake_unfinished(session: Session) -> None:
    """Rings for those that wait on a worker: the bell may have been lost."""
    for import_row in session.scalars(select(Import).where(Import.state.in_(("judging", "taking")))):
        _wake(session, import_row)


def ours(columns: Mapping[str, str], row: Row) -> Row:
    """A row of the file under our names, first and last name joined where they stand in two columns."""
    renamed = {name: row.get(theirs, "") for name, theirs in columns.items()}
    if surname := renamed.pop("surname", ""):
        renamed["name"] = f"{renamed.get('name', '')} {surname}".strip()
    return renamed


def begin(session: Session, number: int, lines: int) -> Import | None:
    """For the worker that starts, or goes on; None where there is nothing to do. Judging begins anew, for it stores nothing."""
    import_row = session.get(Import, number, with_for_update=True)
    if import_row is None or import_row.state not in {"judging", "taking"}:
        return None
    if import_row.state == "judging":
        session.execute(delete(ImportLine).where(ImportLine.import_id == number))
        import_row.done = import_row.good = 0
    import_row.lines = lines
    return import_row


def note(session: Session, number: int, after: int, count: int, good: int, bad: Mapping[int, str]) -> bool:
    """What came of the next `count` lines after the first `after`; False where another worker was quicker."""
    import_row = session.get_one(Import, number, with_for_update=True)
    session.refresh(import_row)
    if import_row.state not in {"judging", "taking"} or import_row.done != after:
        return False
    import_row.done, import_row.good = after + count, import_row.good + good
    if import_row.state == "judging":
        session.add_all(ImportLine(import_id=number, line=line, reason=reason) for line, reason in bad.items())
    return True


def end(session: Session, number: int, now: datetime) -> None:
    """All lines are read; how many were empty is known now."""
    import_row = session.get_one(Import, number, with_for_update=True)
    import_row.lines = import_row.done
    if import_row.state == "judging":
        states.move(import_row, "judged")
    elif import_row.state == "taking":
        states.move(import_row, "done")
        import_row.finished_at = now


def fail(session: Session, number: int, why: str, now: datetime) -> None:
    """The file cannot be read, or not to its end; who was taken in by then stays."""
    import_row = session.get_one(Import, number, with_for_update=True)
    if import_row.state in {"judging", "taking"}:
        import_row.problem, import_row.finished_at = f"{why} {_stays(import_row)}".strip(), now
        states.move(import_row, "failed")


def _stays(import_row: Import) -> str:
    if import_row.state != "taking" or not import_row.good:
        return ""
    return (
        "1 person had been taken in by then, and stays."
        if import_row.good == 1
        else (f"{import_row.good:,} people had been taken in by then, and stay.")
    )


def bad_lines(session: Session, number: int, limit: int = 100, after: int = 0) -> list[ImportLine]:
    conditions = (ImportLine.import_id == number, ImportLine.line > after)
    return list(session.scalars(select(ImportLine).where(*conditions).order_by(ImportLine.line).limit(limit)))


def with_what_stood_there(number: int, bad: list[ImportLine]) -> Iterator[tuple[int, str, str]]:
    """Line, reason, and the line itself where the file is still there."""
    reasons = {bad_line.line: bad_line.reason for bad_line in bad}
    path = file_of(number)
    if not path.exists():
        yield from ((line, reason, "") for line, reason in reasons.items())
        return
    with path.open(encoding="utf-8", errors="replace") as opened:
        for line, text in enumerate(opened, 1):
            if line in reasons:
                yield line, reasons[line], text.rstrip("\r\n")[:1000]


def forget_files(now: datetime) -> int:
    """Files older than a week; how many they were."""
    old = [path for path in (settings().var_dir / "uploads").glob("*") if path.stat().st_mtime < (now - KEPT).timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
