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
        confirmation_request = confirmation_requests.find(session, "confirm", token, now())
        editions = {item.signature.edition_id for item in confirmation_request.items if item.signature}
        offices = asking_again.offices_asked_about(session, confirmation_request)
        return render_template(
            "pages/confirm.html",
            found=confirmation_request,
            several=forms_of_one_address.forms(confirmation_request),
            offices_asked_about=offices,
            nothing_left=bool(confirmation_request.items)
            and not any(
                item.signature is None or offices.get(item.signature.id, "not asked about")
                for item in confirmation_request.items
            ),
            editions={number: session.get_one(Edition, number) for number in editions},
        )


@blueprint.post("/<letter:token>")
def confirm(token: str) -> ResponseReturnValue:
    windows.confirm(request.remote_addr or "")
    with transaction() as session:
        confirmation_request = confirmation_requests.find(session, "confirm", token, now())
        forms_of_one_address.choose(confirmation_request, request.form.get("form", type=int))
        reactivated = confirmation_requests.use(session, confirmation_request, now())
        signed = signing.confirm(session, confirmation_request, now(), visitor=visitors.mark(request.remote_addr or ""))
        agreed = asking_again.agree(session, confirmation_request, now())
        joined = subscribing.confirm(session, confirmation_request, now())
        if not (signed or joined or agreed or reactivated):  # another letter's link had done it all, or it was taken back since
            raise confirmation_requests.Settled(confirmation_request)
        editions = {signature.edition_id: session.get_one(Edition, signature.edition_id) for signature in [*signed, *agreed]}
        notices = {edition.id: edition.notice for edition in editions.values()}
        return render_template(
            "pages/confirmed.html", signed=signed, joined=joined, agreed=agreed, editions=editions, notices=notices,
            reactivated=reactivated,
        )  # fmt: skip
