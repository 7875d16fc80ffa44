"""Organisers sign in: an e-mailed single-use link, confirmed by POST."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from service import addresses, limits, organisers
from service.db import reading, transaction
from service.errors import Refused
from service.web.guards import KEY, now, steady

blueprint = Blueprint("sign_in", __name__)


@blueprint.get("")
def form() -> ResponseReturnValue:
    return render_template("organise/sign_in.html", entered={}, errors={})


@blueprint.post("")
@steady
def ask() -> ResponseReturnValue:
    limits.sign_in(request.remote_addr or "")
    try:
        email = addresses.parse(request.form.get("email", ""))
    except Refused as refused:
        return render_template("organise/sign_in.html", entered=request.form, errors=refused.errors), 422
    with transaction() as database:
        organisers.ask(database, email, now())
    return render_template("pages/look_in_your_mailbox.html")


@blueprint.get("/<token>")
def show(token: str) -> ResponseReturnValue:
    with reading() as database:
        organisers.find_link(database, token, now())
    return render_template("organise/press_to_sign_in.html")


@blueprint.post("/<token>")
def sign_in(token: str) -> ResponseReturnValue:
    limits.sign_in(request.remote_addr or "")
    with transaction() as database:
        key = organisers.sign_in(database, organisers.find_link(database, token, now()), now())
    session.clear()
    session[KEY] = key
    return redirect(url_for("organise.dashboard"), 303)
