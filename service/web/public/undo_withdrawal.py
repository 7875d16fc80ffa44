"""The link by which a signer undoes that organisers withdrew the signature: its GET shows a button, its POST counts again."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from service.confirmations import confirmation_requests
from service.core.db import reading, transaction
from service.models import Edition, Signature
from service.signatures import undo_withdrawal
from service.web.guards import now

blueprint = Blueprint("undoing", __name__)
PURPOSE = "count again"


@blueprint.get("/", strict_slashes=False)
@blueprint.get("/<letter:token>")
def show(token: str = "") -> ResponseReturnValue:
    with reading() as session:
        try:
            request = confirmation_requests.find(session, PURPOSE, token, now())
        except confirmation_requests.Settled as settled:
            return render_template("pages/count_again_settled.html", used=settled.used), 410
        return _page(session, undo_withdrawal.signature_of(request), done=False)


@blueprint.post("/<letter:token>")
def count(token: str) -> ResponseReturnValue:
    with transaction() as session:
        try:
            request = confirmation_requests.find(session, PURPOSE, token, now())
            signature = undo_withdrawal.count_again(session, request, now())
        except confirmation_requests.Settled as settled:
            return render_template("pages/count_again_settled.html", used=settled.used), 410
        return _page(session, signature, done=True)


def _page(session: Session, signature: Signature, *, done: bool) -> str:
    edition = session.get_one(Edition, signature.edition_id)
    return render_template("pages/count_again.html", signature=signature, edition=edition, done=done)
