"""What came back, by cause: what a brake holds until an organiser has looked, and what was suppressed lately."""

from __future__ import annotations

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.core.db import reading, transaction
from service.errors import NotFound, Refused
from service.inbound import brake_decisions
from service.people import person_search
from service.web.guards import noted, now

blueprint = Blueprint("brakes", __name__)
LARGEST = 2**63


@blueprint.get("")
def show() -> ResponseReturnValue:
    done = request.args.get("done", ""), request.args.get("mailboxes", 0, type=int)
    return _page({}, done)


def _page(errors: dict[str, str], done: tuple[str, int] = ("", 0)) -> str:
    with reading() as database:
        return render_template(
            "organise/brakes.html", cards=brake_decisions.cards(database), recent=brake_decisions.recent(database, now()),
            verdicts=brake_decisions.VERDICTS, days=brake_decisions.LIFTED_WITHIN.days, errors=errors, done=done,
        )  # fmt: skip


@blueprint.post("")
def decide() -> ResponseReturnValue:
    """Of one cause that a brake holds, of all of them, or of all that several brakes hold."""
    verdict = next((candidate for candidate in brake_decisions.VERDICTS if candidate == request.form.get("act")), None)
    numbers = request.form.getlist("brake", type=int)
    if verdict is None or not numbers:
        raise Refused("Choose one of the buttons.")
    causes = [number for number in request.form.getlist("cause", type=int) if 0 < number < LARGEST]
    total = 0
    with transaction() as database:
        for number in numbers:
            count = brake_decisions.decide(database, number, verdict, causes, g.organiser.id, now())
            act = "suppress" if verdict == "dead" else "lift"
            noted(database, act, f"brake {number}", causes=causes or "all", mailboxes=count)
            total += count
    return redirect(url_for("brakes.show", done=verdict, mailboxes=total), 303)


@blueprint.post("/causes/<int:number>/lift")
def lift(number: int) -> ResponseReturnValue:
    """All that one cause explains, in one press; whoever said no themselves stays."""
    if not 0 < number < LARGEST:
        raise NotFound("there is no such cause")
    try:
        why = person_search.reason(request.form.get("reason", ""))
    except Refused as refused:
        return _page(refused.errors), 422
    with transaction() as database:
        count = brake_decisions.lift_all(database, number, now())
        noted(database, "lift", f"cause {number}", reason=why, mailboxes=count)
    return redirect(url_for("brakes.show", done="lift", mailboxes=count), 303)
