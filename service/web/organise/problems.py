"""The buttons beside what is wrong, on the dashboard and on a serving's page."""

from __future__ import annotations

from flask import Blueprint, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from service.errors import Refused
from service.operations import remedies
from service.web.guards import acting, now

blueprint = Blueprint("problems", __name__)


@blueprint.post("/problems")
def act() -> ResponseReturnValue:
    """Try again at once, or stop: the row that the problem's key names."""
    name, key = request.form.get("act", ""), request.form.get("key", "")
    remedy = remedies.ACTS.get(name)
    if remedy is None:
        raise Refused("Choose one of the buttons.")
    with acting(name, key[:60]) as database:
        remedy(database, key, f"organiser {g.organiser.id}", now())
    return redirect(url_for("organise.dashboard"), 303)
