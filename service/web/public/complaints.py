"""A complaint about how we handle data."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from service.core.db import transaction
from service.errors import Refused
from service.people import complaints
from service.rate_limits import asked_letters, windows
from service.web.guards import asked_by, now

blueprint = Blueprint("complaints", __name__)


@blueprint.get("")
def form() -> ResponseReturnValue:
    return render_template("pages/complain.html", entered={}, errors={})


@blueprint.post("")
def take() -> ResponseReturnValue:
    windows.visitor(request.remote_addr or "")
    try:
        fields = complaints.read_form(request.form)
    except Refused as refused:
        return render_template("pages/complain.html", entered=request.form, errors=refused.errors), 422
    with transaction() as session:
        asked_letters.note(session, asked_by())
        complaint = complaints.take(session, fields, now())
    return render_template("pages/complained.html", complaint=complaint)
