"""People: found, looked at, taken off lists. A search is posted: an address must stand in no log and no history."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import addresses, audit, people, suppressions
from service.db import reading
from service.errors import Refused
from service.web.guards import acting, now

blueprint = Blueprint("people", __name__)


@blueprint.get("")
def search_form() -> ResponseReturnValue:
    return render_template("organise/people.html", entered={}, errors={}, found=None, suppressed=None)


@blueprint.post("")
def search() -> ResponseReturnValue:
    words, clp = request.form.get("words", "")[:200], request.form.get("clp", "")[:100]
    try:
        with reading() as database:
            found = people.search(database, words, clp)
            suppressed = suppressions.suppression_of(database, addresses.mailbox(words)) if "@" in words else None
    except Refused as refused:
        page = render_template("organise/people.html", entered=request.form, errors=refused.errors, found=None, suppressed=None)
        return page, 422
    return render_template("organise/people.html", entered=request.form, errors={}, found=found, suppressed=suppressed)


@blueprint.get("/<kind>/<int:number>")
def person(kind: str, number: int) -> ResponseReturnValue:
    return _page(kind, number, {})


def _page(kind: str, number: int, errors: dict[str, str]) -> str:
    with reading() as database:
        mailbox = people.find(database, kind, number)
        return render_template(
            "organise/person.html", mailbox=mailbox, kind=kind, number=number, errors=errors,
            suppressed=suppressions.suppression_of(database, mailbox), timeline=people.timeline(database, mailbox),
        )  # fmt: skip


@blueprint.post("/<kind>/<int:number>")
def act(kind: str, number: int) -> ResponseReturnValue:
    """Unsubscribe, suppress or lift, each with a reason."""
    name = request.form.get("act", "")
    try:
        why = people.reason(request.form.get("reason", ""))
        with acting(name, "person", reason=why) as database:
            mailbox = people.find(database, kind, number)
            database.info["subject"] = audit.person(mailbox)
            match name:
                case "unsubscribe":
                    people.unsubscribe(database, mailbox, now())
                case "suppress":
                    people.suppress(database, mailbox, why, now())
                case "lift":
                    people.lift(database, mailbox)
                case _:
                    raise Refused("Choose one of the buttons.")
    except Refused as refused:
        return _page(kind, number, refused.errors), 422
    return redirect(url_for("people.person", kind=kind, number=number), 303)


@blueprint.post("/lift")
def lift() -> ResponseReturnValue:
    """For an address of which we hold nothing else: erased once, and now its owner asks to come back."""
    why = people.reason(request.form.get("reason", ""))
    mailbox = addresses.mailbox(addresses.parse(request.form.get("email", "")))
    with acting("lift", audit.person(mailbox), reason=why) as database:
        people.lift(database, mailbox)
    return redirect(url_for("people.search_form"), 303)
