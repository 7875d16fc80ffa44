"""The organisers' inbox: replies, automatic answers, failures that need judgement, quarantine."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from service.errors import NotFound, Refused
from service.inbound import bounces, spool
from service.models import Arrival
from service.organisers import audit
from service.web.guards import acting, now

blueprint = Blueprint("inbox", __name__)
PAGE = 50


@blueprint.get("/inbox")
def show() -> ResponseReturnValue:
    folder, before = request.args.get("folder", "replies"), request.args.get("before", 0, type=int)
    if folder not in spool.FOLDERS:
        raise NotFound("there is no such folder")
    with acting("look at the inbox", f"folder {folder}") as database:
        rows = spool.inbox(database, folder, max(before, 0), PAGE + 1)
        return render_template(
            "organise/inbox.html", folder=folder, folders=spool.FOLDERS, counts=spool.counts(database), rows=rows[:PAGE],
            more=len(rows) > PAGE,
        )  # fmt: skip


@blueprint.post("/inbox/<int:number>")
def act(number: int) -> ResponseReturnValue:
    """Put a message away; of a failure that no program understood, say first that it is for good."""
    name = "give up" if request.form.get("act") == "give up" else "put away"
    with acting(name, f"arrival {number}") as database:
        arrival = spool.find(database, number)
        folder = arrival.folder
        if name == "give up":
            _give_up(database, arrival)
        spool.put_away(database, arrival, now())
    return redirect(url_for("inbox.show", folder=folder), 303)


@blueprint.get("/inbox/<int:number>/message.eml")
def message(number: int) -> ResponseReturnValue:
    """The whole message as it came, with its files, for as long as its bytes are kept."""
    with acting("look at a message", f"arrival {number}") as database:
        content = spool.content(database, spool.find(database, number))
    if not content:
        raise NotFound("the bytes of this message are forgotten")
    headers = {"Content-Disposition": f'attachment; filename="message-{number}.eml"', "Content-Security-Policy": "sandbox"}
    return Response(content, mimetype="message/rfc822", headers=headers)


def _give_up(database: Session, arrival: Arrival) -> None:
    if arrival.mailbox is None or arrival.kind != "bounce":
        raise Refused("This message names no address of ours.")
    bounces.give_up(database, arrival.mailbox, arrival.message_id, now())
    database.info["subject"] = audit.person(arrival.mailbox)
