"""Updates are written: the editor, its audience counted as it changes, every save a version."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core.db import reading
from service.errors import Refused
from service.mailings import audience, mailing_lifecycle, versions
from service.mailings.audience import Audience
from service.models import Mailing, MailingList
from service.text import times
from service.web.guards import acting, now

blueprint = Blueprint("writing", __name__)


@blueprint.get("/new")
def new() -> ResponseReturnValue:
    with reading() as database:
        return _editor(database, None, {}, {})


def _editor(database: Session, mailing: Mailing | None, entered: dict[str, Any], errors: dict[str, str], **more: Any) -> str:
    lists = list(database.scalars(select(MailingList).order_by(MailingList.id)))
    if not entered and lists:
        entered = {"list": [lists[0].slug]}
    return render_template("organise/write.html", mailing=mailing, lists=lists, entered=entered, errors=errors, **more)


@blueprint.post("/new")
def create() -> ResponseReturnValue:
    try:
        with acting("write", "mailing") as database:
            who, mailing_list, send_at = _read(database)
            subject, body = request.form.get("subject", ""), request.form.get("body", "")
            mailing = mailing_lifecycle.draft(database, mailing_list, subject, body, g.organiser, now(), who, send_at)
            database.info["subject"] = f"mailing {mailing.id}"
    except Refused as refused:
        with reading() as database:
            return _editor(database, None, _entered(), refused.errors), 422
    return redirect(url_for("updates.update", number=mailing.id), 303)


def _read(database: Session) -> tuple[Audience, MailingList, datetime | None]:
    """The form's audience and time; the words are judged by the story. Every error is told at once. Raises Refused."""
    form = request.form
    errors: dict[str, str] = {}
    who, send_at = None, None
    try:
        who = audience.read_form(database, form, form.getlist("list"), form.getlist("office"))
    except Refused as refused:
        errors |= refused.errors
    try:
        send_at = times.entered(form.get("send_day", ""), form.get("send_time", ""), g.organiser.zone)
    except Refused as refused:
        errors |= refused.errors
    if who is None or errors:
        try:
            versions.check_words(form.get("subject", ""), form.get("body", ""))
        except Refused as refused:
            errors = refused.errors | errors
        raise Refused(**errors)
    return who, database.get_one(MailingList, who.lists[0]), send_at


def _entered() -> dict[str, Any]:
    return request.form.to_dict() | {"list": request.form.getlist("list"), "office": request.form.getlist("office")}


@blueprint.get("/count")
def count() -> ResponseReturnValue:
    """The size of an audience, for the editor's region that follows what is ticked."""
    with reading() as database:
        return render_template("organise/audience.html", **_counted(database, request.args))


@blueprint.post("/count")
def count_again() -> ResponseReturnValue:
    """The same without a script: the editor again, nothing saved."""
    with reading() as database:
        number = request.form.get("number", 0, type=int)
        mailing = mailing_lifecycle.find(database, number) if number else None
        return _editor(database, mailing, _entered(), {}, **_counted(database, request.form))


def _counted(database: Session, form: Any) -> dict[str, Any]:
    try:
        who = audience.read_form(database, form, form.getlist("list"), form.getlist("office"))
    except Refused as refused:
        return {"size": None, "why": str(refused)}
    return {"size": audience.size(database, who), "why": ""}


@blueprint.get("/<int:number>/edit")
def edit(number: int) -> ResponseReturnValue:
    with reading() as database:
        mailing = mailing_lifecycle.find(database, number)
        return _editor(database, mailing, _stored(database, mailing), {})


def _stored(database: Session, mailing: Mailing) -> dict[str, Any]:
    """A draft as the editor's fields."""
    who = audience.of(mailing)
    lists = list(database.scalars(select(MailingList.slug).where(MailingList.id.in_(who.lists))))
    return {
        "subject": mailing.subject, "body": mailing.body, "list": lists, "office": list(who.offices),
        "signed": "yes" if who.signed else "", "clps": "; ".join(who.clps), "joined_after": who.joined_after,
        "joined_before": who.joined_before, **times.fields(mailing.send_at, g.organiser.zone),
    }  # fmt: skip


@blueprint.post("/<int:number>/edit")
def save(number: int) -> ResponseReturnValue:
    try:
        with acting("write", f"mailing {number}") as database:
            mailing = mailing_lifecycle.hold(database, number)
            who, mailing_list, send_at = _read(database)
            if (again_of := audience.of(mailing).again_of) is not None:
                who = Audience(who.lists, again_of=again_of)
            subject, body = request.form.get("subject", ""), request.form.get("body", "")
            mailing_lifecycle.revise(database, mailing, mailing_list, subject, body, g.organiser, now(), who, send_at)
    except Refused as refused:
        with reading() as database:
            return _editor(database, mailing_lifecycle.find(database, number), _entered(), refused.errors), 422
    return redirect(url_for("updates.update", number=number), 303)
