"""The organisers' pages for notices: editions, demands, schedule, servings and evidence, officials, what takes two."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from service.core.db import reading
from service.errors import Refused
from service.models import Notice
from service.notices import counts_alone, officials, other_addresses, publishing, source_file
from service.operations import problems
from service.organisers import proposals
from service.proof.encoding import encode
from service.proof_store import evidence_chain
from service.servings import outcomes, overview, serving_lifecycle
from service.web.guards import acting, now
from service.web.organise.approvals import approve, approve_alone, propose

blueprint = Blueprint("organise_notices", __name__)
OF_OFFICIALS = ("official", "fallback", "remove official")
COUNTS = {"send counts alone": True, "send names again": False}
DECIDED_AT = dict.fromkeys(OF_OFFICIALS, "organise_notices.all_officials") | {
    "organiser": "team.team", "second factor": "team.team", "cancel": "organise.dashboard",
}  # fmt: skip
"""The page on which a proposal of this kind was decided; else that of all notices."""
SETTLES = {"send again": "queued", "it arrived": "accepted", "it did not arrive": "bounced"}


@blueprint.get("/notices")
def index() -> ResponseReturnValue:
    with reading() as database:
        return render_template(
            "organise/notices.html", notices=publishing.all_of_them(database), waiting=proposals.waiting(database),
            about=proposals.described(database), servings=overview.newest(database),
        )  # fmt: skip


@blueprint.get("/notices/<slug>")
def show(slug: str) -> ResponseReturnValue:
    with reading() as database:
        return _page(database, publishing.find(database, slug), {}, {})


def _page(database: Session, notice: Notice, entered: dict[str, str], errors: dict[str, str]) -> str:
    return render_template(
        "organise/notice.html", notice=notice, changes=publishing.changes(notice), servings=overview.of(database, notice),
        waiting=[proposal for proposal in proposals.waiting(database) if proposal.notice_id == notice.id],
        about=proposals.described(database), stale=officials.stale(database, now()), repeats=source_file.REPEATS,
        entered=entered or publishing.schedule_of(notice), errors=errors, today=now().date(),
        unpublished=publishing.unpublished(notice),
    )  # fmt: skip


@blueprint.post("/notices/<slug>")
def act(slug: str) -> ResponseReturnValue:
    """Serve now, mark a demand, propose another schedule or going live."""
    name = request.form.get("act", "")
    try:
        with acting(name, f"notice {slug}", **_details(name)) as database:
            ACTS.get(name, _unknown)(database, publishing.find(database, slug))
    except Refused as refused:
        if name != "schedule":
            raise
        with reading() as database:
            return _page(database, publishing.find(database, slug), request.form.to_dict(), refused.errors), 422
    return redirect(url_for("organise_notices.show", slug=slug), 303)


def _details(act: str) -> dict[str, str]:
    """Of a demand which one, and when it was met: what the audit keeps of it."""
    return {field: request.form.get(field, "") for field in ("demand", "on")} if act == "demand" else {}


def _unknown(_database: Session, _notice: Notice) -> None:
    raise Refused("Choose one of the buttons.")


def _serve(database: Session, notice: Notice) -> None:
    """A rehearsal goes to organisers, and takes one of them."""
    edition = publishing.to_serve(database, notice, now())
    if notice.state == "rehearsal":
        serving_lifecycle.order(database, notice, edition, now())
    else:
        propose(database, "serve", {"notice": notice.title}, notice)


def _meet(database: Session, notice: Notice) -> None:
    number, on = request.form.get("demand", 0, type=int), request.form.get("on", "")
    try:
        publishing.meet(notice, number, date.fromisoformat(on) if on else None)
    except ValueError:
        raise Refused("Write the day like 2026-11-22.") from None


def _propose(kind: str) -> Callable[[Session, Notice], None]:
    def propose(database: Session, notice: Notice) -> None:
        proposal = publishing.propose(database, notice, kind, request.form, g.organiser, now())
        approve_alone(database, proposal)

    return propose


ACTS: dict[str, Callable[[Session, Notice], object]] = {
    "serve": _serve,
    "demand": _meet,
    "schedule": _propose("schedule"),
    "live": _propose("live"),
    "close": lambda database, notice: propose(database, "close", {"notice": notice.title}, notice),
}


@blueprint.post("/proposals/<int:number>")
def decide(number: int) -> ResponseReturnValue:
    """Approve or refuse what another organiser proposed."""
    name = request.form.get("act", "")
    with acting(name, f"proposal {number}") as database:
        proposal = proposals.hold(database, number)
        match name:
            case "approve":
                approve(database, proposal)
            case "refuse":
                proposals.decide(database, proposal, "refused", g.organiser, now())
            case _:
                raise Refused("Choose one of the buttons.")
    return redirect(url_for(DECIDED_AT.get(proposal.kind, "organise_notices.index")), 303)


@blueprint.get("/servings/<int:number>")
def serving(number: int) -> ResponseReturnValue:
    with reading() as database:
        serving_row = overview.find(database, number)
        lines = evidence_chain.of_serving(database, serving_row)
        wrong = problems.about_servings(database, [number], now())
        return render_template("organise/serving.html", serving=serving_row, lines=lines, settles=SETTLES, problems=wrong)


@blueprint.post("/servings/<int:number>")
def settle(number: int) -> ResponseReturnValue:
    """What became of a letter whose final answer was lost: a person decides."""
    message_id, verdict = request.form.get("message", 0, type=int), SETTLES.get(request.form.get("act", ""), "")
    with acting("settle", f"serving {number}", message=message_id, verdict=verdict) as database:
        overview.find(database, number)
        outcomes.settle(database, message_id, verdict, g.organiser, now())
    return redirect(url_for("organise_notices.serving", number=number), 303)


@blueprint.post("/notices/<slug>/evidence.json")
def chain(slug: str) -> ResponseReturnValue:
    with acting("export evidence", f"notice {slug}") as database:
        content = encode(evidence_chain.chain(database, publishing.find(database, slug)))
    headers = {"Content-Disposition": f'attachment; filename="{slug}-evidence.json"'}
    return Response(content, content_type="application/json; charset=utf-8", headers=headers)


@blueprint.get("/officials")
def all_officials() -> ResponseReturnValue:
    with reading() as database:
        return _officials(database, {}, {})


def _officials(database: Session, entered: dict[str, str], errors: dict[str, str]) -> str:
    number = request.args.get("change", 0, type=int)
    if number and not entered:
        official = officials.find(database, number)
        entered = {field: str(getattr(official, field)) for field in officials.FIELDS}
    return render_template(
        "organise/officials.html", officials=officials.present(database), stale=officials.stale(database, now()),
        waiting=[proposal for proposal in proposals.waiting(database) if proposal.kind in OF_OFFICIALS],
        about=proposals.described(database), entered=entered, errors=errors,
    )  # fmt: skip


@blueprint.post("/officials")
def propose_official() -> ResponseReturnValue:
    try:
        with acting("propose", "an official") as database:
            proposal = officials.propose(database, request.form, g.organiser, now())
            database.info["subject"] = f"proposal {proposal.id}"
            approve_alone(database, proposal)
    except Refused as refused:
        with reading() as database:
            return _officials(database, request.form.to_dict(), refused.errors), 422
    return redirect(url_for("organise_notices.all_officials"), 303)


@blueprint.post("/officials/<int:number>/remove")
def remove_official(number: int) -> ResponseReturnValue:
    """Nothing more goes there from now on; whether that is final, two decide."""
    with acting("remove", f"official {number}") as database:
        official = officials.hold_back(database, number, now())
        propose(database, "remove official", {"official": number, "office": official.office})
    return redirect(url_for("organise_notices.all_officials"), 303)


@blueprint.post("/officials/<int:number>/hold")
def hold_official(number: int) -> ResponseReturnValue:
    """A brake, which takes one: letters to this office wait, or go again."""
    name = request.form.get("act", "")
    if name not in {"hold back", "send again"}:
        raise Refused("Choose one of the buttons.")
    with acting(name, f"official {number}") as database:
        if name == "hold back":
            officials.hold_back(database, number, now())
        else:
            officials.send_again(database, number)
    return redirect(url_for("organise_notices.all_officials"), 303)


@blueprint.post("/officials/<int:number>/fallback")
def propose_fallback(number: int) -> ResponseReturnValue:
    """Letters to an office that did not arrive go to its other address, once two organisers have said so."""
    with acting("propose", f"official {number}", kind="fallback") as database:
        approve_alone(database, other_addresses.propose(database, number, g.organiser, now()))
    return redirect(url_for("organise_notices.all_officials"), 303)


@blueprint.post("/officials/<int:number>/counts")
def choose_counts(number: int) -> ResponseReturnValue:
    """Whether an office whose mail server takes no encrypted mail gets counts alone."""
    name = request.form.get("act", "")
    if name not in COUNTS:
        raise Refused("Choose one of the buttons.")
    with acting(name, f"official {number}") as database:
        counts_alone.choose(database, number, COUNTS[name], now())
    return redirect(url_for("organise_notices.all_officials"), 303)
