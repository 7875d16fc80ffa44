"""A file of people: sent, its columns told apart, judged, taken in; all of it watched in the browser."""

from __future__ import annotations

import csv
import io
import secrets
from pathlib import Path

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.datastructures import FileStorage

from service.core.config import settings
from service.core.db import reading
from service.errors import Refused
from service.models import MailingList
from service.subscriptions import imports, subscribing
from service.text.tables import table_files
from service.text.tables.csv_cells import plain_cell
from service.text.tables.csv_files import names_of
from service.web.guards import acting, now

blueprint = Blueprint("imports", __name__)
LARGEST = 300 * 1024 * 1024
SHOWN = 100
IN_A_FILE = 1_000_000


@blueprint.get("")
def files() -> ResponseReturnValue:
    return _files({}, {})


def _files(entered: dict[str, str], errors: dict[str, str]) -> str:
    with reading() as database:
        lists = list(database.scalars(select(MailingList).order_by(MailingList.id)))
        return render_template(
            "organise/imports.html", lists=lists, recent=imports.recent(database), entered=entered, errors=errors
        )


@blueprint.post("")
def upload() -> ResponseReturnValue:
    uploads = settings().var_dir / "uploads"
    uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = uploads / f"{secrets.token_hex(8)}.part"
    try:
        sent = _checked(request.files.get("file"))
        sent.save(part)
        read_as = _as_csv(part)
        with acting("send a file", "import") as database:
            mailing_list = subscribing.find_list(database, request.form.get("list", ""))
            source = request.form.get("source", "")
            import_row = imports.take(database, mailing_list, g.organiser, sent.filename or "", source, read_as, now())
            database.info["subject"] = f"import {import_row.id}"
            part.chmod(0o600)
            part.rename(imports.file_of(import_row.id))
    except Refused as refused:
        return _files(request.form.to_dict(), {field or "file": sentence for field, sentence in refused.errors.items()}), 422
    finally:
        part.unlink(missing_ok=True)
    return redirect(url_for("imports.show", number=import_row.id), 303)


def _as_csv(part: Path) -> str:
    """The file that was sent, made CSV in UTF-8 where it is another; how it was read. Raises Refused, also without a header."""
    made = part.with_suffix(".csv")
    try:
        read_as = table_files.as_csv(part, made, called="This file")
        if made.exists():
            made.replace(part)
    finally:
        made.unlink(missing_ok=True)
    names_of(part)
    return read_as


def _checked(sent: FileStorage | None) -> FileStorage:
    """The file, where the form is whole. Raises Refused, all errors at once."""
    errors: dict[str, str] = {}
    try:
        imports.agreed(request.form.get("source", ""))
    except Refused as refused:
        errors |= refused.errors
    if sent is None or not sent.filename:
        raise Refused(**({"file": "Choose a file."} | errors))
    if errors:
        raise Refused(**errors)
    return sent


@blueprint.get("/<int:number>")
def show(number: int) -> ResponseReturnValue:
    return _page(number, {})


def _page(number: int, errors: dict[str, str]) -> str:
    with reading() as database:
        import_row = imports.find(database, number)
        lines: list[str] = []
        try:
            lines = imports.header(number) if import_row.state == "mapping" else []
        except Refused as refused:
            errors = errors | refused.errors
        return render_template(
            "organise/import.html", one=import_row, header=lines, guessed=imports.guess(lines), columns=imports.COLUMNS,
            bad=imports.bad_lines(database, number, SHOWN), errors=errors, shown=SHOWN,
            mailing_list=database.get_one(MailingList, import_row.list_id),
        )  # fmt: skip


@blueprint.post("/<int:number>")
def act(number: int) -> ResponseReturnValue:
    """Tell the columns apart, take the good lines in, drop the file."""
    name = request.form.get("act", "")
    try:
        with acting(name, f"import {number}") as database:
            import_row = imports.find(database, number, lock=True)
            match name:
                case "judge":
                    imports.tell_apart(database, import_row, request.form, imports.header(number))
                case "take in":
                    imports.accept(database, import_row)
                case "drop":
                    imports.drop(import_row, now())
                case _:
                    raise Refused("Choose one of the buttons.")
    except Refused as refused:
        return _page(number, refused.errors), 422
    return redirect(url_for("imports.show", number=number), 303)


@blueprint.post("/<int:number>/bad-lines.csv")
def bad_lines(number: int) -> ResponseReturnValue:
    """The lines that were left out, each with its reason, to be mended and sent again."""
    with acting("export bad lines", f"import {number}") as database:
        imports.find(database, number)
        bad = imports.bad_lines(database, number, IN_A_FILE)
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["line", "reason", "what_stood_there"])
    for line, reason, text in imports.with_what_stood_there(number, bad):
        writer.writerow([line, plain_cell(reason), plain_cell(text)])
    headers = {"Content-Disposition": f'attachment; filename="import-{number}-bad-lines.csv"'}
    return Response(written.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)
