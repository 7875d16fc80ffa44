"""Who may come in. A guard runs before every view of its blueprint."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g, redirect, session, url_for
from flask.typing import ResponseReturnValue

from service import organisers
from service.db import reading

KEY = "organiser"
P = ParamSpec("P")
R = TypeVar("R")
STEP_SECONDS = 0.04


def now() -> datetime:
    return datetime.now(UTC)


def needs_organiser() -> ResponseReturnValue | None:
    """Sends everybody who is not signed in to the sign-in page."""
    with reading() as database:
        g.organiser = organisers.signed_in(database, session.get(KEY), now())
    return redirect(url_for("sign_in.form"), 303) if g.organiser is None else None


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
