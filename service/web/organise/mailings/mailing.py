"""One update: looked at, tested, submitted, approved, recalled, paused, cancelled."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from service.core.config import settings
from service.core.db import reading, transaction
from service.emails import catalogue
from service.errors import NotFound, Refused
from service.mailings import audience, mailing_lifecycle, pausing, progress, versions
from service.mailings.checks import all_checks, dns_lookups, link_hosts, sending_domain
from service.mailings.checks.findings import Findings
from service.models import Mailing
from service.operations import problems
from service.organisers import accounts
from service.text.diff import of_parts
from service.web.guards import acting, now
from service.web.organise.approvals import propose

blueprint = Blueprint("updates", __name__)
LIGHT, DARK = "@media (prefers-color-scheme: dark)", "@media all"
PHONE = "html { max-width: 375px; margin: 0 auto; }"
MAIL_CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
"""A preview is a letter, with the letter's own style sheet; it runs nothing, loads nothing, and leads nowhere."""
VIEWS = {"html": "HTML", "narrow": "On a phone", "dark": "Dark", "text": "Text"}


@blueprint.get("/<int:number>")
def update(number: int) -> ResponseReturnValue:
    with reading() as database:
        return _update(database, mailing_lifecycle.find(database, number))


def _update(database: Session, mailing: Mailing, done: str = "", errors: dict[str, str] | None = None) -> str:
    who, current = audience.of(mailing), versions.frozen(database, mailing)
    before = versions.last_seen(database, mailing, g.organiser)
    open_still = mailing.state in {"draft", "submitted"}
    size = audience.size(database, who) if open_still else 0
    dns = _dns(mailing.body, wait=False) if open_still else []
    findings = [*all_checks.of(database, mailing, now(), size), *dns] if open_still else []
    return render_template(
        "organise/update.html", mailing=mailing, progress=progress.of(database, mailing, now()), done=done,
        errors=errors or {}, size=size, seen=versions.content_hash(mailing),
        findings=findings, frozen=current, before=before, changed=of_parts(before.frozen, current) if before else {},
        views=VIEWS, mine=mailing.author_id == g.organiser.id, now=now(), typed=settings().typed_count_above,
        problems=problems.about_mailing(database, mailing.id, now()),
        versions=versions.versions(database, mailing)[:50], who=accounts.names(database),
    )  # fmt: skip


def _dns(body: str, *, wait: bool) -> Findings:
    """What DNS says of us and of the links: an approval waits for it, a page for a moment alone."""
    seconds = dns_lookups.PATIENCE_SECONDS + 1 if wait else dns_lookups.GLANCE_SECONDS
    return [*sending_domain.findings(seconds), *link_hosts.findings(body, seconds)]


@blueprint.get("/<int:number>/preview")
def preview(number: int) -> ResponseReturnValue:
    """The letter itself, for the frame of the page: as HTML, as narrow as a phone, in the dark, or as text."""
    view = request.args.get("as", "html")
    with reading() as database:
        text, page = all_checks.written(mailing_lifecycle.find(database, number), leave="https://example.org/the-link-to-leave")
    if view == "text":
        return Response(text, content_type="text/plain; charset=utf-8", headers={"Content-Security-Policy": MAIL_CSP})
    page = page.replace(LIGHT, DARK if view == "dark" else "@media not all").replace('content="light dark"', 'content="light"')
    page = page.replace("</style>", f"{PHONE}</style>", 1) if view == "narrow" else page
    return Response(page, headers={"Content-Security-Policy": MAIL_CSP})


@blueprint.get("/<int:number>/versions/<int:which>")
def version(number: int, which: int) -> ResponseReturnValue:
    """One save, and what it changed of the one before it."""
    with reading() as database:
        mailing = mailing_lifecycle.find(database, number)
        shown = versions.version(database, mailing, which)
        if shown is None:
            raise NotFound(f"there is no version {which}")
        before = versions.version(database, mailing, which - 1)
        changed = of_parts(before.frozen if before else {}, shown.frozen)
        who = accounts.names(database)
        return render_template(
            "organise/version.html", mailing=mailing, version=shown, changed=changed, first=before is None, who=who
        )


@blueprint.post("/<int:number>")
def act(number: int) -> ResponseReturnValue:
    """One of the buttons: test, submit, take back, send (approve), recall, pause, resume, cancel, again."""
    name, seen = request.form.get("act", ""), request.form.get("seen", "")
    if name == "send":  # asked before the transaction, and kept for a minute
        with reading() as database:
            body = mailing_lifecycle.find(database, number).body
        _dns(body, wait=True)
    try:
        with acting(name, f"mailing {number}", seen=seen[:64]) as database:
            mailing = mailing_lifecycle.hold(database, number)
            versions.note_seen(database, mailing, g.organiser, seen)
            done = ACTS.get(name, _unknown)(database, mailing)
    except Refused as refused:
        return _refused(number, seen, refused)
    if done is None:
        return redirect(url_for("updates.update", number=database.info.pop("go to", number)), 303)
    with reading() as database:
        return _update(database, mailing_lifecycle.find(database, number), done)


def _refused(number: int, seen: str, refused: Refused) -> ResponseReturnValue:
    """The page as it is now, with what changed since the one whose button was pressed."""
    with transaction() as database:
        versions.note_seen(database, mailing_lifecycle.find(database, number), g.organiser, seen)
    with reading() as database:
        return _update(database, mailing_lifecycle.find(database, number), errors=refused.errors), 409


def _unknown(_database: Session, _mailing: Mailing) -> None:
    raise Refused("Choose one of the buttons.")


def _test(database: Session, mailing: Mailing) -> str:
    catalogue.test_copy(database, mailing, g.organiser, now())
    return "A test is on its way to your own mailbox."


def _submit(database: Session, mailing: Mailing) -> None:
    mailing_lifecycle.submit(mailing)
    versions.tell_approvers(database, mailing, now())


def _send(database: Session, mailing: Mailing) -> None:
    """Approves; without approvals (APPROVALS=0) an author's draft is submitted and approved by the same press."""
    if mailing.state == "draft" and not settings().approvals:
        mailing_lifecycle.submit(mailing)
        database.flush()
    typed = request.form.get("typed", "").replace(",", "").strip()
    count = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 12 else None
    seen, dns = request.form.get("seen", ""), _dns(mailing.body, wait=False)
    mailing_lifecycle.approve(database, mailing, g.organiser, seen, now(), count, dns)


def _pause(database: Session, mailing: Mailing) -> None:
    pausing.pause(database, mailing.id, "an organiser paused it")


def _resume(database: Session, mailing: Mailing) -> None:
    pausing.resume(database, mailing.id)


def _again(database: Session, mailing: Mailing) -> None:
    database.info["go to"] = mailing_lifecycle.again(database, mailing, g.organiser, now()).id


def _cancel(database: Session, mailing: Mailing) -> None:
    """It pauses at once, which one may; whether it ends for good, two decide."""
    if mailing.state == "sending" and settings().approvals:
        pausing.pause(database, mailing.id, "an organiser wants to cancel it")
    propose(database, "cancel", {"mailing": mailing.id, "subject": mailing.subject})


ACTS: dict[str, Callable[[Session, Mailing], str | None]] = {
    "test": _test,
    "submit": _submit,
    "take back": lambda _, mailing: mailing_lifecycle.take_back(mailing),
    "send": _send,
    "recall": mailing_lifecycle.recall,
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "again": _again,
}
