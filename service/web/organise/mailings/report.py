"""What became of an update: numbers, and the rows behind each."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from flask import Blueprint, Response, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue

from service import states
from service.core.db import reading
from service.mailings import mailing_lifecycle, progress, reports
from service.text.tables.csv_cells import plain_cell
from service.web.guards import acting, now

blueprint = Blueprint("reports", __name__)
PAGE = 100
CHUNK = 1_000


@blueprint.get("/<int:number>/report")
def report(number: int) -> ResponseReturnValue:
    with reading() as database:
        mailing = mailing_lifecycle.find(database, number)
        figures = reports.read(database, mailing, now())
        return render_template(
            "organise/report.html", mailing=mailing, report=figures, progress=progress.of(database, mailing, now())
        )


@blueprint.get("/<int:number>/outcomes")
def outcomes(number: int) -> ResponseReturnValue:
    chosen = _chosen(request.args)
    after = max(request.args.get("after", 0, type=int), 0)
    with acting("look at outcomes", f"mailing {number}") as database:
        mailing = mailing_lifecycle.find(database, number)
        rows = progress.outcomes(database, mailing, after=after, limit=PAGE, **chosen)
        return render_template(
            "organise/outcomes.html", mailing=mailing, rows=rows.rows, after=rows.after, states=sorted(states.MESSAGE),
            full=len(rows.rows) == PAGE, looked_at=progress.LOOKED_AT, first=not after, **chosen,
        )  # fmt: skip


def _chosen(fields: Mapping[str, str]) -> dict[str, str]:
    """Which rows: in what state, with which words, at which receiving domain."""
    return {"state": fields.get("state", ""), "words": fields.get("words", "")[:100], "host": fields.get("domain", "")[:100]}


@blueprint.post("/<int:number>/outcomes.csv")
def export(number: int) -> ResponseReturnValue:
    """The same rows as a file; that somebody took it stands in the audit."""
    chosen = _chosen(request.form)
    with acting("export outcomes", f"mailing {number}", state=chosen["state"]) as database:
        mailing_lifecycle.find(database, number)
    headers = {"Content-Disposition": f'attachment; filename="mailing-{number}.csv"'}
    return Response(stream_with_context(_lines(number, chosen)), content_type="text/csv; charset=utf-8", headers=headers)


def _lines(number: int, chosen: dict[str, str]) -> Iterator[str]:
    """A part at a time, each read in a transaction of its own: a slow reader holds nothing open."""
    yield _csv([["email", "state", "code", "reply", "at"]])
    after: int | None = 0
    while after is not None:
        with reading() as database:
            mailing = mailing_lifecycle.find(database, number)
            rows, after = progress.outcomes(database, mailing, after=after, limit=CHUNK, **chosen)
        yield _csv([
            [plain_cell(row.email or ""), row.state, str(row.reply_code or ""), plain_cell(row.reply_text),
             row.settled_at.isoformat() if row.settled_at else ""]
            for row in rows
        ])  # fmt: skip


def _csv(rows: list[list[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
