"""People: found, looked at, taken off lists. A search is posted: an address must stand in no log and no history.

That somebody searched, and whose page they looked at, stands in the audit; what they searched for does not.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.emails import suppressions
from service.errors import Refused
from service.models import Suppression
from service.organisers import audit
from service.people import person_search, timeline
from service.signatures import moderation
from service.text import email_addresses
from service.web.guards import acting, now

blueprint = Blueprint("people", __name__)


@blueprint.get("")
def search_form() -> ResponseReturnValue:
    return _search_page({}, {})


@blueprint.post("")
def search() -> ResponseReturnValue:
    words, clp = request.form.get("words", "")[:200], request.form.get("clp", "")[:100]
    try:
        with acting("search people", "people") as database:
            people = person_search.search(database, words, clp)
            suppressed = suppressions.suppression_of(database, email_addresses.mailbox(words)) if "@" in words else None
    except Refused as refused:
        return _search_page(request.form, refused.errors), 422
    return _search_page(request.form, {}, people, suppressed)


def _search_page(
    entered: Mapping[str, str], errors: dict[str, str], people: list[person_search.Found] | None = None,
    suppressed: Suppression | None = None,
) -> str:  # fmt: skip
    said_no = suppressed is not None and suppressions.said_no(suppressed)
    return render_template(
        "organise/people.html", entered=entered, errors=errors, found=people, suppressed=suppressed, said_no=said_no
    )


@blueprint.get("/<kind>/<int:number>")
def person(kind: str, number: int) -> ResponseReturnValue:
    return page(kind, number, {})


def page(kind: str, number: int, errors: dict[str, str], pressed: str = "") -> str:
    """What we know of one person, with what may be done; `pressed` names the form that was refused, which stands open."""
    with acting("look at", "person") as database:
        mailbox = person_search.find(database, kind, number)
        database.info["subject"] = audit.person(mailbox)
        suppressed = suppressions.suppression_of(database, mailbox)
        return render_template(
            "organise/person.html", mailbox=mailbox, errors=errors, pressed=pressed,
            entered=request.form.get("reason", ""), suppressed=suppressed,
            subscriptions=person_search.subscriptions(database, mailbox),
            signatures=person_search.signatures(database, mailbox),
            proposed=moderation.proposed(database), timeline=timeline.of(database, mailbox),
            said_no=suppressed is not None and suppressions.said_no(suppressed), held=suppressions.hold_of(database, mailbox),
        )  # fmt: skip


@blueprint.post("/<kind>/<int:number>")
def act(kind: str, number: int) -> ResponseReturnValue:
    """Unsubscribe, suppress or lift, each with a reason."""
    name = request.form.get("act", "")
    try:
        why = person_search.reason(request.form.get("reason", ""))
        with acting(name, "person", reason=why) as database:
            mailbox = person_search.find(database, kind, number)
            database.info["subject"] = audit.person(mailbox)
            match name:
                case "unsubscribe":
                    person_search.unsubscribe(database, mailbox, now())
                case "suppress":
                    person_search.suppress(database, mailbox, why, now())
                case "lift":
                    suppressions.lift(database, mailbox, now(), asked="asked" in request.form)
                case _:
                    raise Refused("Choose one of the buttons.")
    except Refused as refused:
        return page(kind, number, refused.errors, f"reason-{name}"), 422
    return redirect(url_for("people.person", kind=kind, number=number), 303)


@blueprint.post("/lift")
def lift() -> ResponseReturnValue:
    """For an address of which we hold nothing else: erased once, and now its owner asks to come back."""
    why = person_search.reason(request.form.get("reason", ""))
    mailbox = email_addresses.mailbox(email_addresses.parse(request.form.get("email", "")))
    with acting("lift", audit.person(mailbox), reason=why) as database:
        suppressions.lift(database, mailbox, now(), asked="asked" in request.form)
    return redirect(url_for("people.search_form"), 303)
