"""Subscribing to a list."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.confirmations import waiting_forms
from service.core.db import reading, transaction
from service.errors import Refused
from service.models import MailingList
from service.rate_limits import windows
from service.subscriptions import subscribing
from service.web.guards import asked_by, now

blueprint = Blueprint("lists", __name__)


@blueprint.get("/<slug>")
def form(slug: str) -> ResponseReturnValue:
    with reading() as session:
        return _form(session, slug, {}, {})


def _form(session: Session, slug: str, entered: dict[str, str], errors: dict[str, str]) -> str:
    mailing_list = subscribing.find_list(session, slug)
    others = list(session.scalars(select(MailingList).where(MailingList.id != mailing_list.id).order_by(MailingList.title)))
    return render_template("pages/subscribe.html", list=mailing_list, others=others, entered=entered, errors=errors)


@blueprint.post("/<slug>")
def subscribe(slug: str) -> ResponseReturnValue:
    windows.visitor(request.remote_addr or "")
    try:
        with transaction() as session:
            lists = {slug: subscribing.find_list(session, slug)}
            lists |= {other: subscribing.find_list(session, other) for other in request.form.getlist("also")}
            entered = asdict(subscribing.read_form(request.form))
            waiting_forms.store(session, "subscribe", {"lists": list(lists), "form": entered}, now(), asked_by())
    except Refused as refused:
        with reading() as session:
            return _form(session, slug, request.form.to_dict(), refused.errors), 422
    return render_template("pages/look_in_your_mailbox.html")
