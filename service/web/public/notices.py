"""A notice on the web: its page, signing, the public list, the canonical bytes, the register."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound as NoPage

from service.confirmations import waiting_forms
from service.core.db import reading, transaction
from service.emails import links
from service.errors import Refused
from service.models import Notice
from service.notices import publishing
from service.proof_store import due_timestamps
from service.rate_limits import windows
from service.servings import register as public_register
from service.servings import schedule
from service.signatures import pending_signatures, signing
from service.web.feeds import atom
from service.web.guards import asked_by, now

blueprint = Blueprint("notices", __name__)
PAGE = 200
SOON = timedelta(hours=1)
SERVINGS = 20
"""In the register at a time: each has a line for every office."""
MOST = 2**31 - 1
"""The largest sequence number that the databases compare with."""


@blueprint.get("/")
def front() -> ResponseReturnValue:
    """The notice now in force."""
    with reading() as session:
        live = publishing.in_force(session)
        if not live:
            return render_template("pages/empty.html")
        return _page(session, live[0], others=live[1:])


@blueprint.get("/notices/<slug>")
def show(slug: str) -> ResponseReturnValue:
    with reading() as session:
        return _page(session, publishing.find_public(session, slug))


def _page(session: Session, notice: Notice, others: list[Notice] | None = None) -> str:
    edition = notice.edition
    assert edition is not None
    return render_template(
        "pages/notice.html", notice=notice, edition=edition, outlook=schedule.outlook(session, notice),
        soon=now() + SOON, newest=signing.newest_public(session, edition), others=others or [],
        served=public_register.last_serving(session, notice),
    )  # fmt: skip


@blueprint.get("/notices/<slug>/sign")
def sign_form(slug: str) -> ResponseReturnValue:
    with reading() as session:
        return _form(session, publishing.find_public(session, slug), {}, {})


def _form(session: Session, notice: Notice, entered: dict[str, str], errors: dict[str, str]) -> str:
    assert notice.edition is not None
    return render_template(
        "pages/sign.html", notice=notice, edition=notice.edition, wording=pending_signatures.wording(session, notice.edition),
        displays=signing.DISPLAYS, entered=entered, errors=errors,
    )  # fmt: skip


@blueprint.post("/notices/<slug>/sign")
def sign(slug: str) -> ResponseReturnValue:
    windows.visitor(request.remote_addr or "")
    try:
        with transaction() as session:
            signing.is_open(publishing.find_public(session, slug))
            entered = asdict(signing.read_form(request.form))
            waiting_forms.store(session, "sign", {"notice": slug, "form": entered}, now(), asked_by())
    except Refused as refused:
        with reading() as session:
            return _form(session, publishing.find_public(session, slug), request.form.to_dict(), refused.errors), 422
    return render_template("pages/look_in_your_mailbox.html")


@blueprint.get("/notices/<slug>/signatures")
def public_list(slug: str) -> ResponseReturnValue:
    after = min(max(request.args.get("after", 0, type=int), 0), MOST)
    with reading() as session:
        notice = publishing.find_public(session, slug)
        assert notice.edition is not None
        rows = signing.public_list(session, notice.edition, after, PAGE + 1)
        return render_template(
            "pages/signatures.html",
            notice=notice,
            edition=notice.edition,
            rows=rows[:PAGE],
            more=len(rows) > PAGE,
            after=after,
        )


@blueprint.get("/notices/<slug>/editions/<int:number>.txt")
def canonical(slug: str, number: int) -> ResponseReturnValue:
    with reading() as session:
        notice = publishing.find_public(session, slug)
        for edition in notice.editions:
            if edition.number == number:
                return Response(edition.text.encode(), content_type="text/plain; charset=utf-8")
    raise NoPage


@blueprint.get("/notices/<slug>/count.json")
def count(slug: str) -> ResponseReturnValue:
    with reading() as session:
        notice = publishing.find_public(session, slug)
        assert notice.edition is not None
        return jsonify(
            count=notice.edition.count, next_milestone=publishing.next_milestone(notice), edition=notice.edition.hash
        )


@blueprint.get("/notices/<slug>/deliveries")
def register(slug: str) -> ResponseReturnValue:
    with reading() as session:
        notice = publishing.find_public(session, slug)
        before = request.args.get("before", public_register.MOST, type=int)
        servings = public_register.by_serving(session, notice, before=before, limit=SERVINGS + 1)
        earlier = servings[SERVINGS - 1].serving.id if len(servings) > SERVINGS else None
        return render_template(
            "pages/deliveries.html",
            notice=notice,
            servings=servings[:SERVINGS],
            earlier=earlier,
            stamped=due_timestamps.stamped(session, [entry.serving.id for entry in servings]),
            struck=public_register.struck(notice),
            objected=public_register.objected(session),
        )


@blueprint.get("/notices/<slug>/deliveries.json")
def register_json(slug: str) -> ResponseReturnValue:
    with reading() as session:
        return jsonify(public_register.lines(session, publishing.find_public(session, slug)))


@blueprint.get("/notices/<slug>/deliveries.atom")
def register_feed(slug: str) -> ResponseReturnValue:
    with reading() as session:
        notice = publishing.find_public(session, slug)
        servings = public_register.by_serving(session, notice, limit=10)
        times = [str(line["at"]) for serving in servings for line in (*serving.letters, *serving.corrections)]
        updated = max(times, default=(notice.published_at or notice.created_at).isoformat(timespec="seconds"))
        return atom("pages/deliveries.xml", notice=notice, servings=servings, updated=updated, url=links.url)


@blueprint.get("/notices")
def index() -> ResponseReturnValue:
    return redirect(url_for("notices.front"), 303)
