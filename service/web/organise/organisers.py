"""Organisers, as administrators see them: who they are, their roles, their sessions. And the audit of what all of them did."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from flask import Blueprint, Response, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from service.core.db import reading
from service.errors import Refused
from service.organisers import accounts, audit, proposals
from service.organisers.roles import ROLES
from service.web.guards import acting, now
from service.web.organise.approvals import propose

blueprint = Blueprint("team", __name__)
PAGE = 100


@blueprint.get("/organisers")
def team() -> ResponseReturnValue:
    return _team({}, {})


def _team(entered: dict[str, str], errors: dict[str, str]) -> str:
    with reading() as database:
        waiting = [proposal for proposal in proposals.waiting(database) if proposal.kind in {"organiser", "second factor"}]
        organisers = [
            (organiser, len(accounts.sessions(database, organiser, now()))) for organiser in accounts.all_of_them(database)
        ]
        return render_template(
            "organise/team.html",
            found=organisers,
            roles=ROLES,
            entered=entered,
            errors=errors,
            waiting=waiting,
            about=proposals.described(database),
        )


@blueprint.post("/organisers")
def add() -> ResponseReturnValue:
    """A new organiser, or another role for one: more than they have takes a second organiser, less is given at once."""
    form = request.form
    try:
        with acting("add organiser", "organiser", role=form.get("role", "")) as database:
            email, role = accounts.checked(form.get("email", ""), form.get("role", "")), form.get("role", "")
            if accounts.is_raised(database, email, role):
                database.info["subject"] = propose(database, "organiser", {"email": email, "role": role})
            else:
                database.info["subject"] = f"organiser {accounts.add(database, email, role, now()).id}"
    except Refused as refused:
        return _team(form.to_dict(), refused.errors), 422
    return redirect(url_for("team.team"), 303)


@blueprint.post("/organisers/<int:number>")
def act(number: int) -> ResponseReturnValue:
    """Remove, end sessions, take off the second factor."""
    name = request.form.get("act", "")
    try:
        with acting(name, f"organiser {number}") as database:
            organiser = accounts.find(database, number)
            match name:
                case "remove":
                    accounts.remove(database, organiser, now())
                case "end sessions":
                    accounts.end_all_sessions(database, organiser)
                case "take off second factor":
                    about = {"organiser": organiser.id, "email": organiser.email}
                    database.info["subject"] = propose(database, "second factor", about)
                case _:
                    raise Refused("Choose one of the buttons.")
    except Refused as refused:
        return _team({}, refused.errors), 409
    return redirect(url_for("team.team"), 303)


@blueprint.get("/audit")
def entries() -> ResponseReturnValue:
    words, who = request.args.get("words", "")[:100].strip(), request.args.get("who", type=int)
    before = request.args.get("before", type=int)
    with reading() as database:
        audit_entries = audit.search(database, words=words, organiser_id=who, before=before, limit=PAGE + 1)
        names = accounts.names(database)
        return render_template(
            "organise/audit.html", entries=audit_entries[:PAGE], more=len(audit_entries) > PAGE,
            words=words, who=who, names=names
        )  # fmt: skip


@blueprint.post("/audit.csv")
def export() -> ResponseReturnValue:
    with acting("export audit", "audit"):
        pass
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return Response(stream_with_context(_lines()), content_type="text/csv; charset=utf-8", headers=headers)


def _lines() -> Iterator[str]:
    yield _line(audit.COLUMNS)
    with reading() as database:
        for entry in audit.every(database):
            yield _line(audit.row(entry))


def _line(cells: tuple[str, ...] | list[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
