"""An organiser's own account: second factor, sessions, password, time zone."""

from __future__ import annotations

from zoneinfo import available_timezones

from flask import Blueprint, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from service.core.db import reading
from service.errors import Refused
from service.organisers import accounts, second_factor
from service.web.guards import KEY, acting, note_wrong_code, now, signed_here

blueprint = Blueprint("account", __name__)
ZONES = sorted(available_timezones())
"""Read once: it looks into six hundred files."""


def _then() -> str:
    """Where to go on: a page of the studio, whatever the address says."""
    target = request.values.get("then", "")
    return target if target.startswith("/organise") and "\\" not in target else url_for("organise.dashboard")


def _me() -> str:
    return f"organiser {g.organiser.id}"


@blueprint.get("/second-factor", endpoint="second_factor")
def second_factor_page() -> ResponseReturnValue:
    if second_factor.asked_of(g.organiser) and g.organiser.totp_since is None:
        return redirect(url_for("account.offer_second_factor", then=_then()), 303)
    if g.organiser.totp_since is None:
        return render_template("organise/sign_in_again.html")
    return render_template("organise/second_factor.html", then=_then(), entered={}, errors={})


@blueprint.post("/second-factor")
def show_second_factor() -> ResponseReturnValue:
    """The session has a new key afterwards: it may do more than before."""
    try:
        with acting("show second factor", _me()) as database:
            signed = signed_here(database)
            second_factor.show(database, signed.organiser, signed, request.form.get("code", ""), now())
            session[KEY] = accounts.rotate(database, signed)
    except Refused as refused:
        note_wrong_code()
        return render_template("organise/second_factor.html", then=_then(), entered={}, errors=refused.errors), 422
    return redirect(_then(), 303)


@blueprint.get("/second-factor/new")
def offer_second_factor() -> ResponseReturnValue:
    if blocked := _shown_before():
        return blocked
    return render_template("organise/offer_second_factor.html", offer=second_factor.offer(g.organiser), then=_then(), errors={})


def _shown_before() -> ResponseReturnValue | None:
    """Who has a second factor shows it before another takes its place; who has none signed in lately."""
    has_one = g.organiser.totp_since is not None
    if second_factor.shown_lately(g.organiser, g.signed, now()) and (second_factor.shown(g.organiser, g.signed) or not has_one):
        return None
    if has_one:
        return redirect(url_for("account.second_factor", then=request.path), 303)
    return render_template("organise/sign_in_again.html")


@blueprint.post("/second-factor/new")
def set_up_second_factor() -> ResponseReturnValue:
    if blocked := _shown_before():
        return blocked
    token = request.form.get("token", "")
    try:
        with acting("set up second factor", _me()) as database:
            signed = signed_here(database)
            codes = second_factor.set_up(database, signed.organiser, signed, token, request.form.get("code", ""), now())
            session[KEY] = accounts.rotate(database, signed)
            accounts.end_other_sessions(database, signed)
    except Refused as refused:
        offer = second_factor.offer(g.organiser, token)
        page = render_template("organise/offer_second_factor.html", offer=offer, then=_then(), errors=refused.errors)
        return page, 422
    return render_template("organise/recovery_codes.html", codes=codes, then=_then())


@blueprint.post("/recovery-codes")
def new_recovery_codes() -> ResponseReturnValue:
    with acting("new recovery codes", _me()) as database:
        codes = second_factor.new_recovery_codes(database, signed_here(database).organiser)
    return render_template("organise/recovery_codes.html", codes=codes, then=url_for("account.show"))


@blueprint.get("")
def show() -> ResponseReturnValue:
    return _page({}, "")


def _page(errors: dict[str, str], done: str) -> str:
    with reading() as database:
        return render_template(
            "organise/account.html", sessions=accounts.sessions(database, g.organiser, now()), here=g.signed.id,
            codes_left=second_factor.recovery_codes_left(database, g.organiser), errors=errors, done=done,
            zones=ZONES, me=accounts.find(database, g.organiser.id),
        )  # fmt: skip


@blueprint.post("/sessions/<int:number>/end")
def end_session(number: int) -> ResponseReturnValue:
    with acting("end session", _me()) as database:
        accounts.end_session(database, signed_here(database).organiser, number)
    return redirect(url_for("account.show"), 303)


@blueprint.post("/sessions/end-others")
def end_other_sessions() -> ResponseReturnValue:
    with acting("end other sessions", _me()) as database:
        accounts.end_other_sessions(database, signed_here(database))
    return redirect(url_for("account.show"), 303)


@blueprint.post("/password")
def set_password() -> ResponseReturnValue:
    try:
        with acting("set password", _me()) as database:
            signed = signed_here(database)
            accounts.set_password(database, signed, request.form.get("password", ""))
            session[KEY] = accounts.rotate(database, signed)
    except Refused as refused:
        return _page(refused.errors, ""), 422
    return _page({}, "Your password is set, and your other sessions have ended.")


@blueprint.post("/zone")
def set_zone() -> ResponseReturnValue:
    try:
        with acting("set time zone", _me()) as database:
            accounts.set_zone(signed_here(database).organiser, request.form.get("zone", ""))
    except Refused as refused:
        return _page(refused.errors, ""), 422
    return redirect(url_for("account.show"), 303)
