"""For whoever has a letter to an official: acknowledge it, ask for no more, fetch a list that was too large to attach."""

from __future__ import annotations

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.exceptions import NotFound as NoPage

from service.core.db import reading, transaction
from service.errors import SpoiltLink
from service.models import Enclosure, Letter
from service.notices import officials
from service.servings import outcomes
from service.web.guards import now

blueprint = Blueprint("received", __name__)


ACTS = {"acknowledge": outcomes.acknowledge, "objection": officials.object_to}
"""What a letter's link offers: the purpose of its token, the page's template, and what its button does."""
GLUED = ".,;:)>]\"'”’ "
"""What mail programs and hands put behind an address."""
ADDRESS = "/<any(acknowledge, objection):what>/<letter:token>"
CUT_OFF = "/<any(acknowledge, objection):what>/"


@blueprint.get(CUT_OFF, strict_slashes=False)
@blueprint.get(ADDRESS)
def form(what: str, token: str = "") -> ResponseReturnValue:
    with reading() as session:
        return render_template(f"pages/{what}.html", delivery=officials.by_key(session, what, token))


@blueprint.post(ADDRESS)
def act(what: str, token: str) -> ResponseReturnValue:
    with transaction() as session:
        delivery = officials.by_key(session, what, token)
        ACTS[what](session, delivery, now())
        return render_template(f"pages/{what}.html", delivery=delivery)


@blueprint.get("/served/<token>/<filename>")
def served(token: str, filename: str) -> ResponseReturnValue:
    with reading() as session:
        try:
            delivery = officials.by_key(session, "served", token)
        except SpoiltLink:
            raise NoPage from None  # a page would be saved as if it were the list
        letter = session.get_one(Letter, delivery.message_id)
        conditions = (Enclosure.serving_id == delivery.serving_id, Enclosure.cohort == letter.cohort, Enclosure.linked)
        enclosure = session.scalar(select(Enclosure).where(*conditions, Enclosure.filename == filename.rstrip(GLUED)))
        if enclosure is None or not enclosure.content:
            raise NoPage
        headers = {"Content-Disposition": f'attachment; filename="{enclosure.filename}"', "X-Robots-Tag": "noindex"}
        return Response(enclosure.content, content_type=enclosure.content_type, headers=headers)
