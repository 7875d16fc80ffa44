"""Leaving a list (RFC 8058): POST acts at once, without cookie, token of a form, or redirect; GET and HEAD show a button.

A token that verifies is answered alike whether or not its reader is still on the list; one that does not changes nothing.
"""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from service.core.db import transaction
from service.emails import links
from service.subscriptions import subscribing
from service.web.guards import now

blueprint = Blueprint("unsubscribe", __name__)


@blueprint.get("/", strict_slashes=False)
@blueprint.get("/<letter:token>")
def show(token: str = "") -> ResponseReturnValue:
    links.read_compact("unsubscribe", token)
    return render_template("pages/unsubscribe.html", token=token)


@blueprint.post("/", strict_slashes=False)
@blueprint.post("/<letter:token>")
def leave(token: str = "") -> ResponseReturnValue:
    """The body does not matter: a mail program sends `List-Unsubscribe=One-Click`, our page an empty form."""
    subscription_id = links.read_compact("unsubscribe", token)
    with transaction() as session:
        subscribing.leave(session, subscription_id, now())
    return render_template("pages/left.html")
