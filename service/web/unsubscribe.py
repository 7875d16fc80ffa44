"""Leaving a list (RFC 8058): POST acts at once, without cookie, token of a form, or redirect; GET and HEAD show a button."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from service import links, subscriptions
from service.db import reading, transaction
from service.errors import NotFound
from service.models import Subscription
from service.web.guards import now

blueprint = Blueprint("unsubscribe", __name__)


@blueprint.get("/<token>", strict_slashes=False)
def show(token: str) -> ResponseReturnValue:
    """An unknown token shows the same page: it tells a stranger nothing."""
    title = ""
    try:
        with reading() as session:
            row = session.get(Subscription, links.read_compact("unsubscribe", token))
            title = row.mailing_list.title if row else ""
    except NotFound:
        pass
    return render_template("pages/unsubscribe.html", title=title, token=token)


@blueprint.post("/<token>", strict_slashes=False)
def leave(token: str) -> ResponseReturnValue:
    """The body does not matter: a mail program sends `List-Unsubscribe=One-Click`, our page an empty form."""
    try:
        number = links.read_compact("unsubscribe", token)
    except NotFound:
        number = 0
    with transaction() as session:
        subscriptions.leave(session, number, now())
    return render_template("pages/left.html", token=token)
