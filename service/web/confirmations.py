"""The link of a confirmation letter: its GET shows one button, its POST confirms all that one form asked."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from service import asking_again, limits, request_forms, requests, signatures, subscriptions, visitors
from service.db import reading, transaction
from service.models import Edition
from service.web.guards import now

blueprint = Blueprint("confirmations", __name__)


@blueprint.get("/", strict_slashes=False)
@blueprint.get("/<letter:token>")
def show(token: str = "") -> ResponseReturnValue:
    with reading() as session:
        found = requests.find(session, "confirm", token, now())
        editions = {one.signature.edition_id for one in found.items if one.signature}
        offices = asking_again.offices_asked_about(session, found)
        return render_template(
            "pages/confirm.html",
            found=found,
            several=request_forms.forms(found),
            offices_asked_about=offices,
            nothing_left=bool(found.items)
            and not any(item.signature is None or offices.get(item.signature.id, "not asked about") for item in found.items),
            editions={number: session.get_one(Edition, number) for number in editions},
        )


@blueprint.post("/<letter:token>")
def confirm(token: str) -> ResponseReturnValue:
    limits.confirm(request.remote_addr or "")
    with transaction() as session:
        found = requests.find(session, "confirm", token, now())
        request_forms.choose(found, request.form.get("form", type=int))
        reactivated = requests.use(session, found, now())
        signed = signatures.confirm(session, found, now(), visitor=visitors.mark(request.remote_addr or ""))
        agreed = asking_again.agree(session, found, now())
        joined = subscriptions.confirm(session, found, now())
        if not (signed or joined or agreed or reactivated):  # another letter's link had done it all, or it was taken back since
            raise requests.Settled(found)
        editions = {one.edition_id: session.get_one(Edition, one.edition_id) for one in [*signed, *agreed]}
        notices = {edition.id: edition.notice for edition in editions.values()}
        return render_template(
            "pages/confirmed.html", signed=signed, joined=joined, agreed=agreed, editions=editions, notices=notices,
            reactivated=reactivated,
        )  # fmt: skip
