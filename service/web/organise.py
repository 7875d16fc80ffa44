"""The organisers' pages: what waits, updates, notices, complaints."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from service import (
    complaints,
    deliveries,
    emails,
    health,
    mailings,
    news,
    notices,
    organisers,
    progress,
    register,
    states,
    subscriptions,
)
from service.config import settings
from service.db import reading, transaction
from service.errors import NotFound, Refused
from service.models import Mailing, MailingList, Serving
from service.web.guards import KEY, now

blueprint = Blueprint("organise", __name__)
PAGE = 100


@blueprint.get("")
def dashboard() -> ResponseReturnValue:
    with reading() as database:
        return render_template(
            "organise/dashboard.html", updates=mailings.all_of_them(database), waiting=deliveries.waiting(database),
            unsure=register.unsure(database), complaints=complaints.to_answer(database), now=now(),
            live=notices.in_force(database), parts=health.parts(),
        )  # fmt: skip


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    with transaction() as database:
        organisers.sign_out(database, session.pop(KEY, ""))
    return redirect(url_for("sign_in.form"), 303)


@blueprint.get("/updates/new")
def new() -> ResponseReturnValue:
    with reading() as database:
        return _editor(database, None, {}, {})


def _editor(database: Session, mailing: Mailing | None, entered: dict[str, str], errors: dict[str, str]) -> str:
    lists = list(database.scalars(select(MailingList).order_by(MailingList.id)))
    sizes = {one.id: mailings.audience_size(database, one) for one in lists}
    return render_template("organise/write.html", mailing=mailing, lists=lists, sizes=sizes, entered=entered, errors=errors)


@blueprint.post("/updates/new")
def create() -> ResponseReturnValue:
    form = request.form
    try:
        with transaction() as database:
            mailing_list = subscriptions.find_list(database, form.get("list", ""))
            subject, body = form.get("subject", ""), form.get("body", "")
            mailing = mailings.draft(database, mailing_list, subject, body, g.organiser, now())
    except Refused as refused:
        with reading() as database:
            return _editor(database, None, form.to_dict(), refused.errors), 422
    return redirect(url_for("organise.update", number=mailing.id), 303)


@blueprint.get("/updates/<int:number>")
def update(number: int) -> ResponseReturnValue:
    with reading() as database:
        return _update(database, mailings.find(database, number))


def _update(database: Session, mailing: Mailing, done: str = "") -> str:
    return render_template(
        "organise/update.html", mailing=mailing, progress=progress.of(database, mailing, now()), done=done,
        size=mailings.audience_size(database, mailing.mailing_list), seen=mailings.content_hash(mailing),
        preview=news.for_the_web(mailing), preview_text=news.as_text(mailing),
    )  # fmt: skip


@blueprint.get("/updates/<int:number>/outcomes")
def outcomes(number: int) -> ResponseReturnValue:
    state, words = request.args.get("state", ""), request.args.get("words", "")[:100]
    after = max(request.args.get("after", 0, type=int), 0)
    with reading() as database:
        mailing = mailings.find(database, number)
        rows = progress.outcomes(database, mailing, state=state, words=words, after=after, limit=PAGE + 1)
        return render_template(
            "organise/outcomes.html", mailing=mailing, rows=rows[:PAGE], more=len(rows) > PAGE, state=state, words=words,
            states=sorted(states.MESSAGE),
        )  # fmt: skip


@blueprint.get("/updates/<int:number>/edit")
def edit(number: int) -> ResponseReturnValue:
    with reading() as database:
        mailing = mailings.find(database, number)
        entered = {"subject": mailing.subject, "body": mailing.body, "list": mailing.mailing_list.slug}
        return _editor(database, mailing, entered, {})


@blueprint.post("/updates/<int:number>/edit")
def save(number: int) -> ResponseReturnValue:
    form = request.form
    try:
        with transaction() as database:
            mailing_list = subscriptions.find_list(database, form.get("list", ""))
            subject, body = form.get("subject", ""), form.get("body", "")
            mailings.revise(mailings.hold(database, number), mailing_list, subject, body, g.organiser)
    except Refused as refused:
        with reading() as database:
            return _editor(database, mailings.find(database, number), form.to_dict(), refused.errors), 422
    return redirect(url_for("organise.update", number=number), 303)


@blueprint.post("/updates/<int:number>")
def act(number: int) -> ResponseReturnValue:
    """Test, submit, take back, send (approve), pause, resume, cancel."""
    with transaction() as database:
        mailing = mailings.hold(database, number)
        done = ACTS.get(request.form.get("act", ""), _unknown)(database, mailing)
    if done is None:
        return redirect(url_for("organise.update", number=number), 303)
    with reading() as database:
        return _update(database, mailings.find(database, number), done)


def _unknown(_database: Session, _mailing: Mailing) -> None:
    raise Refused("Choose one of the buttons.")


def _test(database: Session, mailing: Mailing) -> str:
    emails.test_copy(database, mailing, g.organiser, news.as_text(mailing), news.for_the_web(mailing), now())
    return "A test is on its way to your own mailbox."


def _send(database: Session, mailing: Mailing) -> None:
    """Approves; without approvals (APPROVALS=0) an author's draft is submitted and approved by the same press."""
    if mailing.state == "draft" and not settings().approvals:
        mailings.submit(mailing)
        database.flush()
    mailings.approve(database, mailing, g.organiser, request.form.get("seen", ""), now())


def _pause(database: Session, mailing: Mailing) -> None:
    mailings.pause(database, mailing.id, "an organiser paused it")


def _resume(database: Session, mailing: Mailing) -> None:
    mailings.resume(database, mailing.id)


ACTS: dict[str, Callable[[Session, Mailing], str | None]] = {
    "test": _test,
    "submit": lambda _, mailing: mailings.submit(mailing),
    "take back": lambda _, mailing: mailings.take_back(mailing),
    "send": _send,
    "pause": _pause,
    "resume": _resume,
    "cancel": lambda database, mailing: mailings.cancel(database, mailing, now()),
}


@blueprint.post("/servings/<int:number>/stop")
def stop_serving(number: int) -> ResponseReturnValue:
    with transaction() as database:
        if database.get(Serving, number if number < 2**63 else 0) is None:
            raise NotFound(f"there is no serving {number}")
        if not deliveries.stop(database, number, f"organiser {g.organiser.id}"):
            raise Refused("This serving has started; it can no longer be stopped.")
    return redirect(url_for("organise.dashboard"), 303)


@blueprint.post("/notices/<slug>/serve")
def serve(slug: str) -> ResponseReturnValue:
    with transaction() as database:
        notice = notices.find(database, slug)
        deliveries.order(database, notice, notices.to_serve(database, notice, now()), now())
    return redirect(url_for("organise.dashboard"), 303)


@blueprint.post("/complaints/<reference>/answered")
def answered(reference: str) -> ResponseReturnValue:
    with transaction() as database:
        complaints.answer(database, reference, now())
    return redirect(url_for("organise.dashboard"), 303)
