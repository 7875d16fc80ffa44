"""What becomes of a form that somebody filled in: the stories behind the four that anybody may send for any address."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service import askers, notices, organisers, reactivations, signatures, subscriptions, waiting_forms
from service.db import transaction
from service.errors import NotFound, Refused

log = logging.getLogger(__name__)


def take(form_id: int) -> bool:
    """Acts on one form, once; False where another worker has."""
    with transaction() as session:
        form = waiting_forms.claim(session, form_id)
        if form is None:
            return False
        askers.note(session, form.asked_by)
        try:
            with session.begin_nested():
                ACTS[form.kind](session, form.fields, form.received_at)
        except (Refused, NotFound) as error:  # its notice was closed, or its list removed, since the page was shown
            log.warning("form %d came too late: %s", form_id, type(error).__name__)
    return True


def _sign(session: Session, fields: dict[str, Any], now: datetime) -> None:
    notice = notices.find_public(session, fields["notice"])
    signatures.ask(session, notice, signatures.Form(**fields["form"]), now)


def _subscribe(session: Session, fields: dict[str, Any], now: datetime) -> None:
    lists = [subscriptions.find_list(session, slug) for slug in fields["lists"]]
    subscriptions.ask(session, lists, subscriptions.Form(**fields["form"]), now)


def _manage(session: Session, fields: dict[str, Any], now: datetime) -> None:
    reactivations.manage_link(session, fields["email"], now)


def _sign_in(session: Session, fields: dict[str, Any], now: datetime) -> None:
    organisers.ask(session, fields["email"], now)


ACTS: dict[str, Callable[[Session, dict[str, Any], datetime], None]] = {
    "sign": _sign,
    "subscribe": _subscribe,
    "manage": _manage,
    "sign in": _sign_in,
}
