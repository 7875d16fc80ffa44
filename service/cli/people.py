"""`flask officials …`, `flask subscribers …`, `flask organisers …`: who is who."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import click
from flask.cli import AppGroup
from sqlalchemy.exc import IntegrityError

from service.cli.output import Steps, file_argument, json_option, now, report, say, says_why, table
from service.core.db import reading, transaction
from service.emails import links
from service.errors import Refused
from service.notices import officials
from service.organisers import accounts, audit
from service.organisers.roles import ROLES
from service.subscriptions import imports, subscribing
from service.subscriptions.seen_mailboxes import Mentioned
from service.text.characters import near_names
from service.text.characters.control import clean_line
from service.text.tables.csv_cells import plain_cell
from service.text.tables.csv_files import Row, count_lines, judge, lines_of, names_of

BATCH = 20_000
"""Rows of a transaction: the more at once, the fewer times each page of an index is written; the write lock is held longer."""
PAGE = 1_000
OFFICIALS = ("office", "name", "email", "source", "verified_on")
officials_group = AppGroup("officials", help="Whom notices are addressed to.")
subscribers_group = AppGroup("subscribers", help="Who is on a list.")
organisers_group = AppGroup("organisers", help="Who signs in.")


@officials_group.command("import")
@file_argument
@json_option
@says_why
def import_officials(file: Path, as_json: bool) -> None:
    """Take in officials from CSV (office,name,email,source,verified_on); bad lines are named, the rest is taken."""
    bad: list[tuple[int, str]] = []
    with table(file) as (csv_file, _):
        _refuse_near_columns(names_of(csv_file))
        good = judge(lines_of(csv_file, OFFICIALS), _reader_of_offices(), bad)
    with transaction() as session:
        added, changed = officials.take_in(session, good, now())
        audit.note(session, "import", "officials", now(), added=added, changed=changed)
    report(as_json, {"added": added, "changed": changed}, bad, f"Officials: {added} added, {changed} changed.")


def _refuse_near_columns(columns: list[str]) -> None:
    """A column that is nearly one of ours would be left out without a word: an official would have no other address."""
    for column in columns:
        near = near_names.meant(column, officials.FIELDS)
        if near and near not in columns:
            raise Refused(f"The file has a column {column!r}, which we do not know. Did you mean {near}?")


def _reader_of_offices() -> Callable[[int, Row], dict[str, object]]:
    """Reads officials, each office once: the second line of an office would overwrite the first."""
    lines: dict[object, int] = {}

    def read(number: int, row: Row) -> dict[str, object]:
        official = officials.read(row)
        before = lines.setdefault(official["office"], number)
        if before != number:
            raise Refused(office=f"Line {before} names this office already.")
        return official

    return read


@subscribers_group.command("import")
@file_argument
@click.option("--list", "slug", required=True, help="Slug of the list.")
@click.option("--source", required=True, help="Where and when these people agreed; kept as their consent.")
@click.option("--dry-run", is_flag=True, help="Judge every line, store nothing.")
@click.option("--column", "columns", multiple=True, metavar="OURS=THEIRS", help="What the file calls one of our columns.")
@json_option
@says_why
def import_subscribers(file: Path, slug: str, source: str, dry_run: bool, columns: Sequence[str], as_json: bool) -> None:
    """Add people to a list from CSV, Excel or OpenDocument (email,name,clp,office).

    Nobody who left or must not be written to comes back. First and last name in two
    columns are joined: --column "name=First name" --column "surname=Last name".
    """
    source = clean_line(source)
    if not source:
        raise Refused("Say in --source where and when these people agreed.")
    bad: list[tuple[int, str]] = []
    with table(file) as (csv_file, read_as):
        taken = _import(csv_file, _mapping(columns), slug, source, dry_run, bad)
    verb = "would be added" if dry_run else "added"
    document = {"list": slug, "added": 0 if dry_run else taken, "good": taken, "dry_run": dry_run, "read_as": read_as}
    report(as_json, document, bad, f"{taken:,} people {verb} to {slug}; {len(bad):,} lines left out.")


def _mapping(columns: Sequence[str]) -> dict[str, str]:
    """Our column → the file's, as --column says; each that is not named is called as we call it. Raises Refused."""
    mapping = {ours: ours for ours in ("email", "name", "clp", "office")}
    for column in columns:
        ours, _, theirs = column.partition("=")
        if ours not in imports.COLUMNS or not theirs:
            raise Refused(f'Write --column like name="First name"; the columns are {", ".join(imports.COLUMNS)}.')
        mapping[ours] = theirs.strip().lower()
    return mapping


def _import(file: Path, mapping: dict[str, str], slug: str, source: str, dry_run: bool, bad: list[tuple[int, str]]) -> int:
    """Takes in the good lines of a CSV file, or only judges them; how many they are."""
    taken = 0
    read = subscribing.read_line if all(ours == theirs for ours, theirs in mapping.items()) else partial(_read, mapping)
    needed = [theirs for ours, theirs in mapping.items() if ours == "email" or ours != theirs]
    rows = lines_of(file, needed, mapping.values())
    with Steps("Judging" if dry_run else "Importing", count_lines(file)) as steps, Mentioned() as mentioned:
        while batch := list(islice(rows, BATCH)):
            good = _first_of(judge(batch, read, bad), mentioned, bad)
            left_out = _take_in(slug, good, source, dry_run)
            bad += left_out.items()
            taken += len(good) - len(left_out)
            steps.advance(len(batch))
    return taken


def _read(mapping: dict[str, str], number: int, row: Row) -> subscribing.Line:
    return subscribing.read_line(number, imports.ours(mapping, row))


def _first_of(lines: list[subscribing.Line], mentioned: Mentioned, bad: list[tuple[int, str]]) -> list[subscribing.Line]:
    """Each mailbox once: a line that names one again is left out, also where nothing is stored."""
    first = []
    for line in lines:
        before = mentioned.before(line.mailbox, line.number)
        if before is None:
            first.append(line)
        else:
            bad.append((line.number, f"is the same mailbox as line {before}"))
    return first


def _take_in(slug: str, lines: list[subscribing.Line], source: str, dry_run: bool) -> dict[int, str]:
    """One batch; once more where somebody subscribed in the same moment."""
    try:
        return _store(slug, lines, source, dry_run)
    except IntegrityError:
        return _store(slug, lines, source, dry_run)


def _store(slug: str, lines: list[subscribing.Line], source: str, dry_run: bool) -> dict[int, str]:
    with reading() if dry_run else transaction() as session:
        mailing_list = subscribing.find_list(session, slug)
        if dry_run:
            return subscribing.left_out(session, mailing_list, lines)
        return subscribing.take_in(session, mailing_list, lines, source, now())


@subscribers_group.command("export")
@click.option("--list", "slug", required=True, help="Slug of the list.")
@says_why
def export_subscribers(slug: str) -> None:
    """Print the people on a list as CSV (email,name,clp,office), safe to open in a spreadsheet."""
    with reading() as session:
        mailing_list = subscribing.find_list(session, slug)
        writer = csv.writer(sys.stdout)
        writer.writerow(["email", "name", "clp", "office"])
        after = 0
        while rows := subscribing.export(session, mailing_list, after, PAGE):
            for row in rows:
                writer.writerow([plain_cell(text) for text in (row.email, row.name, row.clp, row.office)])
            after = rows[-1].id
            session.expunge_all()


@organisers_group.command("add")
@click.argument("email")
@click.option("--role", type=click.Choice(list(ROLES)), required=True)
@json_option
@says_why
def add_organiser(email: str, role: str, as_json: bool) -> None:
    """Let somebody sign in; a new role for somebody known ends their sessions."""
    with transaction() as session:
        organiser = accounts.add(session, email, role, now())
        audit.note(session, "add organiser", f"organiser {organiser.id}", now(), role=role)
    say(as_json, {"email": organiser.email, "role": role}, f"{organiser.email} can sign in as {role}.")


@organisers_group.command("remove")
@click.argument("email")
@json_option
@says_why
def remove_organiser(email: str, as_json: bool) -> None:
    """Let somebody sign in no more; their sessions end at once."""
    with transaction() as session:
        organiser = accounts.by_address(session, email)
        accounts.remove(session, organiser, now())
        audit.note(session, "remove", f"organiser {organiser.id}", now())
    say(as_json, {"email": organiser.email, "removed": True}, f"{organiser.email} signs in no more.")


@organisers_group.command("link")
@click.argument("email")
@json_option
@says_why
def organiser_link(email: str, as_json: bool) -> None:
    """Print a sign-in link, single use, good for half an hour."""
    with transaction() as session:
        link = accounts.new_link(session, email, now())
        audit.note(session, "make a sign-in link", f"organiser {link.organiser_id}", now())
        url = links.sign_in_url(link.key)
    say(as_json, {"url": url}, url)
