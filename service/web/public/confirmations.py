"""The link of a confirmation letter: its GET shows one button, its POST confirms all that one form asked."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from service.confirmations import confirmation_requests, forms_of_one_address
from service.core.db import reading, transaction
from service.models import Edition
from service.rate_limits import visitors, windows
from service.signatures import asking_again, signing
from service.subscriptions import subscribing
from service.web.guards import now

blueprint = Blueprint("confirmations", __name__)


@blueprint.get("/", strict_slashes=False)
@blueprint.get("/<letter:token>")
def show(token: str = "") -> ResponseReturnValue:
    with reading() as session:
        found = confirmation_requests.find(session, "confirm", token, now())
        editions = {one.signature.edition_id for one in found.items if one.signature}
        offices = asking_again.offices_asked_about(session, found)
        return render_template(
            "pages/confirm.html",
            found=found,
            several=forms_of_one_address.forms(found),
            offices_asked_about=offices,
            nothing_left=bool(found.items)
            and not any(item.signature is None or offices.get(item.signature.id, "not asked about") for item in found.items),
            editions={number: session.get_one(Edition, number) for number in editions},
        )


@blueprint.post("/<letter:token>")
def confirm(token: str) -> ResponseReturnValue:
    windows.confirm(request.remote_addr or "")
    with transaction() as session:
        found = confirmation_requests.find(session, "confirm", token, now())
        forms_of_one_address.choose(found, request.form.get("form", type=int))
        reactivated = confirmation_requests.use(session, found, now())
        signed = signing.confirm(session, found, now(), visitor=visitors.mark(request.remote_addr or ""))
        agreed = asking_again.agree(session, found, now())
        joined = subscribing.confirm(session, found, now())
        if not (signed or joined or agreed or reactivated):  # another letter's link had done it all, or it was taken back since
            raise confirmation_requests.Settled(found)
        editions = {one.edition_id: session.get_one(Edition, one.edition_id) for one in [*signed, *agreed]}
        notices = {edition.id: edition.notice for edition in editions.values()}
        return render_template(
            "pages/confirmed.html", signed=signed, joined=joined, agreed=agreed, editions=editions, notices=notices,
            reactivated=reactivated,
        )  # fmt: skip
