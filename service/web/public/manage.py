"""What we hold about a mailbox: behind a link that only its owner has."""

from __future__ import annotations

import json

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from service.confirmations import confirmation_requests, reactivations, waiting_forms
from service.core.db import reading, transaction
from service.emails import links
from service.errors import NotFound, Refused, SpoiltLink
from service.models import Edition, Request, Signature, Subscription
from service.people import subject_access
from service.proof.encoding import encode
from service.proof_store import receipt_files
from service.rate_limits import windows
from service.signatures import signing
from service.subscriptions import subscribing
from service.text import email_addresses
from service.web.guards import asked_by, now
from service.workflows import erase

blueprint = Blueprint("holdings", __name__)
WITHDRAWN = "Your signature is withdrawn and counts no more. Officials keep the letters that they have."
LEFT = "You have left the list."


@blueprint.get("")
def ask_form() -> ResponseReturnValue:
    return render_template("pages/manage_ask.html", entered={}, errors={})


@blueprint.post("")
def ask() -> ResponseReturnValue:
    windows.visitor(request.remote_addr or "")
    try:
        email = email_addresses.parse(request.form.get("email", ""))
    except Refused as refused:
        return render_template("pages/manage_ask.html", entered=request.form, errors=refused.errors), 422
    with transaction() as session:
        waiting_forms.store(session, "manage", {"email": email}, now(), asked_by())
    return render_template("pages/look_in_your_mailbox.html")


@blueprint.get("/<letter:token>")
def show(token: str) -> ResponseReturnValue:
    with reading() as session:
        try:
            opened = subject_access.opened_by(session, token, now())
        except NotFound:
            _address_behind(session, token)
            return render_template("pages/manage_offer.html", token=token)
        if (taken_back := subject_access.taken_back_by(session, opened)) is not None:
            return render_template("pages/take_back.html", taken_back=taken_back, done="")
        return _page(session, opened.mailbox, "")


def _page(session: Session, mailbox: str, done: str) -> str:
    return render_template("pages/manage.html", held=subject_access.of(session, mailbox), displays=signing.DISPLAYS, done=done)


def _address_behind(session: Session, token: str) -> str:
    """Whose fresh link may be asked for: of a manage link that ran out, or of a mailing's link to leave. Raises NotFound."""
    try:
        confirmation_requests.find(session, "manage", token, now())
    except confirmation_requests.Settled as settled:
        return settled.email
    except SpoiltLink:
        pass
    row = session.get(Subscription, links.read_compact("unsubscribe", token))
    if row is None:
        raise NotFound("nothing is held any more about the mailbox that this link came to")
    return row.email


@blueprint.post("/<letter:token>")
def act(token: str) -> ResponseReturnValue:
    with transaction() as session:
        try:
            opened = subject_access.opened_by(session, token, now())
        except NotFound:
            reactivations.manage_link(session, _address_behind(session, token), now())
            return render_template("pages/look_in_your_mailbox.html")
        if (taken_back := subject_access.taken_back_by(session, opened)) is not None:
            return _take_back(session, opened, taken_back)
        mailbox = opened.mailbox
        match request.form.get("act", ""):
            case "export":
                return _file(subject_access.export(session, subject_access.of(session, mailbox)))
            case "receipt" | "receipt of withdrawal" as which:
                return _receipt(session, subject_access.signature(session, mailbox, request.form.get("id", "")), which)
            case "erase" if request.form.get("sure"):
                for signature, _, _ in subject_access.of(session, mailbox).signatures:
                    signing.withdraw(session, signature, now())
                erase.erase(session, mailbox, now())
                return render_template("pages/erased.html")
            case what:
                done = _change(session, mailbox, what)
        return _page(session, mailbox, done)


def _take_back(session: Session, opened: Request, taken_back: subject_access.TakenBack) -> ResponseReturnValue:
    """The buttons of a receipt's link. Whatever shows or changes what we hold is for the mailbox itself: by a fresh link."""
    act, chosen = request.form.get("act", ""), request.form.get("id", "")
    for signature, _ in taken_back.signatures:
        if (act, chosen) == ("withdraw", str(signature.id)):
            signing.withdraw(session, signature, now())
            return _taken_back(session, opened, WITHDRAWN)
    for subscription in taken_back.subscriptions:
        if (act, chosen) == ("leave", str(subscription.id)):
            subscribing.leave(session, subscription.id, now())
            return _taken_back(session, opened, LEFT)
    if act in {"withdraw", "leave"}:
        return _taken_back(session, opened, "That is so already: nothing was changed.")
    reactivations.manage_link(session, opened.email, now())
    return render_template("pages/look_in_your_mailbox.html")


def _taken_back(session: Session, opened: Request, done: str) -> str:
    return render_template("pages/take_back.html", taken_back=subject_access.taken_back_by(session, opened), done=done)


def _change(session: Session, mailbox: str, what: str) -> str:
    chosen = request.form.get("id", "")
    if what == "withdraw":
        signing.withdraw(session, subject_access.signature(session, mailbox, chosen), now())
        return WITHDRAWN
    if what == "display":
        signing.show(session, subject_access.signature(session, mailbox, chosen), request.form.get("display", ""))
        return "Saved. From now on your name is shown in the way you chose; officials keep the letters that they have."
    if what == "leave":
        subscribing.leave(session, subject_access.subscription(session, mailbox, chosen).id, now())
        return LEFT
    if what == "erase":
        return "Nothing was erased: tick the box first."
    raise Refused("Choose one of the buttons.")


def _receipt(session: Session, signature: Signature, which: str) -> Response:
    make = receipt_files.receipt if which == "receipt" else receipt_files.receipt_of_withdrawal
    content = encode(make(session, signature, session.get_one(Edition, signature.edition_id)))
    headers = {"Content-Disposition": 'attachment; filename="receipt.json"'}
    return Response(content, content_type="application/json; charset=utf-8", headers=headers)


def _file(content: dict[str, object]) -> Response:
    body = json.dumps(content, ensure_ascii=False, indent=2)
    headers = {"Content-Disposition": 'attachment; filename="what-we-hold.json"'}
    return Response(body, content_type="application/json; charset=utf-8", headers=headers)
