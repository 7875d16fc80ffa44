"""Who may come in. A guard runs before every view of its blueprint."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import abort, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from service.core.db import reading, transaction
from service.errors import Refused
from service.models import OrganiserSession
from service.organisers import accounts, audit, failed_codes, second_factor
from service.rate_limits import visitors
from service.web.permissions import MAY, WITHOUT_SECOND_FACTOR

KEY = "organiser"
CODE = "code_again"
P = ParamSpec("P")
R = TypeVar("R")
STEP_SECONDS = 0.04


def now() -> datetime:
    return datetime.now(UTC)


def needs_organiser() -> ResponseReturnValue | None:
    """Sends who is not signed in to the sign-in page, and who has not shown the second factor (lately) to its page.

    Role and session are read from the database each time, so that both end at once.
    """
    with reading() as database:
        g.signed = accounts.signed_in(database, session.get(KEY), now())
        g.organiser = g.signed.organiser if g.signed else None
    if g.organiser is None:
        return redirect(url_for("sign_in.form"), 303)
    if request.endpoint not in WITHOUT_SECOND_FACTOR and not second_factor.shown(g.organiser, g.signed):
        return redirect(url_for("account.second_factor", then=_here()), 303)
    if not may(what := _what()):
        abort(403)
    return None if may_at_once(what) else _asked_again()


def _asked_again() -> ResponseReturnValue | None:
    """The code again. Its page holds all that was entered, and what was pressed is done as soon as the code is right.

    A file would have to be sent twice; whoever has no second factor signs in again.
    """
    if request.method == "GET" or request.files or g.organiser.totp_since is None:
        return redirect(url_for("account.second_factor", then=_here()), 303)
    errors: dict[str, str] = {}
    if CODE in request.form:
        try:
            with acting("show second factor", f"organiser {g.organiser.id}") as database:
                signed = signed_here(database)
                second_factor.show(database, signed.organiser, signed, request.form[CODE], now())
                session[KEY] = accounts.rotate(database, signed)
            return None
        except Refused as refused:
            note_wrong_code()
            errors = {CODE: str(refused)}
    fields = [(name, value) for name, values in request.form.lists() for value in values if name != CODE]
    page = render_template("organise/second_factor_again.html", fields=fields, errors=errors)
    return page, 422 if errors else 200


def note_wrong_code() -> None:
    """In a transaction of its own: that of the press is rolled back."""
    with transaction() as database:
        failed_codes.note(database, signed_here(database).organiser, "code", request.remote_addr or "", now())


def _what() -> str:
    """The line of the table: the view, and of several buttons the one that was pressed."""
    endpoint = request.endpoint or ""
    act = request.form.get("act", "") if request.method == "POST" else ""
    return f"{endpoint} {act}" if f"{endpoint} {act}" in MAY else endpoint


def may(what: str) -> bool:
    """Whether the organiser's role allows it, and a page should offer it."""
    return g.get("organiser") is not None and what in MAY and g.organiser.role in MAY[what].roles


def may_at_once(what: str) -> bool:
    """As `may`, and without showing the second factor again."""
    return may(what) and (not MAY[what].again or second_factor.shown_lately(g.organiser, g.signed, now()))


def _here() -> str:
    """The page to come back to: this one, or the one on which a button was pressed."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    before = urlsplit(request.referrer or "").path
    return before if before.startswith("/organise") else url_for("organise.dashboard")


def signed_here(database: Session) -> OrganiserSession:
    """The session of this browser, in a transaction that may change it."""
    return database.get_one(OrganiserSession, g.signed.id)


@contextmanager
def acting(act: str, subject: str, **details: Any) -> Iterator[Session]:
    """A transaction of an organiser's, with its entry in the audit: both are committed together.

    What is made inside names itself: `database.info["subject"] = "mailing 4"`.
    """
    with transaction() as database:
        yield database
        database.flush()
        noted(database, act, database.info.pop("subject", subject), **details)


def noted(database: Session, act: str, subject: str, **details: Any) -> None:
    """An entry of its own in the audit, for what an act brought with it."""
    audit.note(database, act, subject, now(), organiser_id=g.organiser.id, address=request.remote_addr or "", **details)


def asked_by() -> str | None:
    """The mark of this visitor, on letters that they have us send."""
    return visitors.mark(request.remote_addr or "")


def steady(view: Callable[P, R]) -> Callable[P, R]:
    """Answers at whole steps of time: how much there was to do for an address must not be measured from outside."""

    @wraps(view)
    def at_a_step(*args: P.args, **named: P.kwargs) -> R:
        began = time.monotonic()
        try:
            return view(*args, **named)
        finally:
            time.sleep((began - time.monotonic()) % STEP_SECONDS)

    return at_a_step
