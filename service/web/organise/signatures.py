"""The buttons on a person's page that concern one signature: hide, show, withdraw, strike out, let sign again."""

from __future__ import annotations

from flask import Blueprint, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from service.core.db import transaction
from service.errors import Refused
from service.models import Signature
from service.organisers import audit
from service.people import person_search
from service.signatures import moderation
from service.web.guards import noted, now
from service.web.organise import people as people_pages
from service.web.organise.approvals import approve_alone

blueprint = Blueprint("moderation", __name__)


@blueprint.post("/<int:number>")
def act(number: int) -> ResponseReturnValue:
    """Does it, or proposes it where it takes two; each time with a reason."""
    name = request.form.get("act", "")
    try:
        why = person_search.reason(request.form.get("reason", ""))
        with transaction() as database:
            signature = moderation.find(database, number)
            if name == "let sign again":
                moderation.let_sign_again(database, signature, now())
                _noted(database, name, signature, why)
            elif moderation.takes_two(database, name, [number], g.organiser.id, now()):
                _propose(database, name, signature, why)
            else:
                moderation.act(database, name, signature, now())
                _noted(database, f"{name} signature", signature, why)
    except Refused as refused:
        place = f"{name.replace(' ', '-')}-{number}"
        return people_pages.page("signature", number, refused.errors, place), 422
    return redirect(url_for("people.person", kind="signature", number=number), 303)


def _propose(database: Session, kind: str, signature: Signature, why: str) -> None:
    proposal = moderation.propose(database, kind, [signature.id], why, g.organiser, now())
    noted(database, "propose", f"proposal {proposal.id}", kind=kind, reason=why)
    _noted(database, f"propose: {kind} signature", signature, why)
    approve_alone(database, proposal)


def _noted(database: Session, act: str, signature: Signature, why: str) -> None:
    noted(database, act, audit.person(signature.mailbox), signature=signature.id, reason=why)
