"""Who may come in. A guard runs before every view of its blueprint."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import g, redirect, session, url_for
from flask.typing import ResponseReturnValue

from service import organisers
from service.db import reading

KEY = "organiser"


def now() -> datetime:
    return datetime.now(UTC)


def needs_organiser() -> ResponseReturnValue | None:
    """Sends everybody who is not signed in to the sign-in page."""
    with reading() as database:
        g.organiser = organisers.signed_in(database, session.get(KEY), now())
    return redirect(url_for("sign_in.form"), 303) if g.organiser is None else None
