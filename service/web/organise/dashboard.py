"""The organisers' dashboard, and the buttons on it: what needs them now."""

from __future__ import annotations

from flask import Blueprint, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from service.core.db import reading
from service.errors import NotFound, Refused
from service.inbound import spool
from service.mailings import mailing_lifecycle
from service.models import Serving
from service.notices import publishing
from service.operations import health, problems
from service.organisers import accounts, daily_counts, dashboard_figures, proposals
from service.people import complaints, person_search
from service.servings import serving_lifecycle, signature_groups
from service.signatures import moderation
from service.subscriptions import imports
from service.web.filters import count_of
from service.web.guards import KEY, acting, may, now
from service.web.organise.approvals import approve_alone

blueprint = Blueprint("organise", __name__)
SHOWN = 20


@blueprint.get("")
def dashboard() -> ResponseReturnValue:
    at, parts = now(), health.parts()
    with reading() as database:
        files = imports.waiting(database, g.organiser) if may("imports.show") else []
        wrong = problems.of_parts(parts) + problems.present(database, at)
        told = {problem.key for problem in wrong}
        return render_template(
            "organise/dashboard.html", updates=mailing_lifecycle.all_of_them(database, SHOWN), problems=wrong,
            waiting=[row for row in serving_lifecycle.waiting(database) if f"serving {row[0].id}" not in told],
            complaints=complaints.to_answer(database), now=at, desk=dashboard_figures.of(database),
            live=publishing.in_force(database),
            groups={notice.slug: signature_groups.find(database, notice.edition)
                    for notice in publishing.in_force(database) if notice.edition},
            parts=parts, files=files,
            signed=_told(daily_counts.by_day(database, "signatures", at)),
            subscribed=_told(daily_counts.by_day(database, "subscriptions", at)),
            domains=[bar for bar in _told(daily_counts.by_domain(database, at)) if bar.requested],
            about=proposals.described(database), mail=spool.counts(database),
        )  # fmt: skip


def _told(bars: list[daily_counts.Bar]) -> list[daily_counts.Bar]:
    """The counts as the organiser who looks may know them."""
    return [bar._replace(requested=count_of(bar.requested), confirmed=count_of(bar.confirmed)) for bar in bars]


@blueprint.post("/servings/<int:number>/looked-at")
def looked_at(number: int) -> ResponseReturnValue:
    """The groups of signatures with which a milestone was reached are those of a crowd: serve."""
    with acting("looked at groups", f"serving {number}") as database:
        serving_lifecycle.looked_at(database, number, now())
    return redirect(url_for("organise.dashboard"), 303)


@blueprint.post("/notices/<slug>/groups")
def strike_group(slug: str) -> ResponseReturnValue:
    """Proposes that a whole group is struck out; a second organiser decides."""
    kind, value, why = (request.form.get(name, "") for name in ("kind", "value", "reason"))
    reason = person_search.reason(why)
    with acting("propose: strike a group", f"notice {slug}", kind=kind) as database:
        notice = publishing.find(database, slug)
        groups = signature_groups.find(database, notice.edition) if notice.edition else []
        group = next((group for group in groups if (group.kind, group.value) == (kind, value)), None)
        if group is None:
            raise Refused("This group is not there any more: reload the page.")
        numbers = group.numbers[: moderation.MOST]
        proposal = moderation.propose(database, "strike", numbers, reason, g.organiser, now())
        approve_alone(database, proposal)
    return redirect(url_for("organise_notices.index"), 303)


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    with acting("sign out", f"organiser {g.organiser.id}") as database:
        accounts.sign_out(database, session.pop(KEY, ""))
    return redirect(url_for("sign_in.form"), 303)


@blueprint.post("/servings/<int:number>/stop")
def stop_serving(number: int) -> ResponseReturnValue:
    with acting("stop", f"serving {number}") as database:
        if database.get(Serving, number if number < 2**63 else 0) is None:
            raise NotFound(f"there is no serving {number}")
        if not serving_lifecycle.stop(database, number, f"organiser {g.organiser.id}"):
            raise Refused("Its letters are written already, or it was stopped before: it can no longer be stopped.")
    return redirect(url_for("organise.dashboard"), 303)


@blueprint.get("/complaints/<reference>")
def complaint(reference: str) -> ResponseReturnValue:
    """Who complains, and of what."""
    with acting("look at", f"complaint {reference[:40]}") as database:
        return render_template("organise/complaint.html", complaint=complaints.find(database, reference), now=now())


@blueprint.post("/complaints/<reference>/answered")
def answered(reference: str) -> ResponseReturnValue:
    with acting("answer", f"complaint {reference}") as database:
        complaints.answer(database, reference, now())
    return redirect(url_for("organise.dashboard"), 303)
