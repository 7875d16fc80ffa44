"""Organisers sign in: an e-mailed single-use link, confirmed by POST, or a password."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from service.confirmations import waiting_forms
from service.core.db import reading, transaction
from service.errors import Refused
from service.organisers import accounts, audit, failed_codes
from service.rate_limits import windows
from service.text import email_addresses
from service.web.guards import KEY, asked_by, now, steady

blueprint = Blueprint("sign_in", __name__)


@blueprint.get("")
def form() -> ResponseReturnValue:
    return render_template("organise/sign_in.html", entered={}, errors={})


@blueprint.post("")
@steady
def ask() -> ResponseReturnValue:
    """Mails a link; with a password, signs in."""
    windows.sign_in(request.remote_addr or "")
    password = request.form.get("password", "")
    try:
        email = email_addresses.parse(request.form.get("email", ""))
        if password:
            return _with_password(email, password)
    except Refused as refused:
        entered = {"email": request.form.get("email", "")}
        return render_template("organise/sign_in.html", entered=entered, errors=refused.errors), 422
    with transaction() as database:
        waiting_forms.store(database, "sign in", {"email": email}, now(), asked_by())
    return render_template("pages/look_in_your_mailbox.html")


def _with_password(email: str, password: str) -> ResponseReturnValue:
    try:
        with transaction() as database:
            key = accounts.sign_in_with_password(database, email, password, now(), **_from())
            return _come_in(database, key, "password")
    except Refused:
        with transaction() as database:
            if (organiser := accounts.known(database, email)) is not None:
                failed_codes.note(database, organiser, "password", request.remote_addr or "", now())
        raise


@blueprint.get("/<letter:token>")
def show(token: str) -> ResponseReturnValue:
    with reading() as database:
        accounts.find_link(database, token, now())
    return render_template("organise/press_to_sign_in.html")


@blueprint.post("/<letter:token>")
def sign_in(token: str) -> ResponseReturnValue:
    windows.sign_in(request.remote_addr or "")
    with transaction() as database:
        key = accounts.sign_in(database, accounts.find_link(database, token, now()), now(), **_from())
        return _come_in(database, key, "link")


def _come_in(database: Session, key: str, by: str) -> ResponseReturnValue:
    """Notes it in the audit; this browser's cookie has a new key from now on, whatever it held before."""
    signed = accounts.signed_in(database, key, now())
    if signed is not None:
        number = signed.organiser_id
        audit.note(
            database, "sign in", f"organiser {number}", now(), organiser_id=number, address=signed.address, by=by
        )  # fmt: skip
    session.clear()
    session[KEY] = key
    return redirect(url_for("organise.dashboard"), 303)


def _from() -> dict[str, str]:
    return {"address": request.remote_addr or "", "browser": request.user_agent.string}
