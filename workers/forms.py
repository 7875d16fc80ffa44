"""What becomes of a form that somebody filled in: the stories behind the four that anybody may send for any address."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.confirmations import reactivations, waiting_forms
from service.core.db import transaction
from service.errors import NotFound, Refused
from service.notices import publishing
from service.organisers import accounts
from service.rate_limits import asked_letters
from service.signatures import signing
from service.subscriptions import subscribing

log = logging.getLogger(__name__)


def take(form_id: int) -> bool:
    """Acts on one form, once; False where another worker has."""
    with transaction() as session:
        form = waiting_forms.claim(session, form_id)
        if form is None:
            return False
        asked_letters.note(session, form.asked_by)
        try:
            with session.begin_nested():
                ACTS[form.kind](session, form.fields, form.received_at)
        except (Refused, NotFound) as error:  # its notice was closed, or its list removed, since the page was shown
            log.warning("form %d came too late: %s", form_id, type(error).__name__)
    return True


def _sign(session: Session, fields: dict[str, Any], now: datetime) -> None:
    notice = publishing.find_public(session, fields["notice"])
    signing.ask(session, notice, signing.Form(**fields["form"]), now)


def _subscribe(session: Session, fields: dict[str, Any], now: datetime) -> None:
    lists = [subscribing.find_list(session, slug) for slug in fields["lists"]]
    subscribing.ask(session, lists, subscribing.Form(**fields["form"]), now)


def _manage(session: Session, fields: dict[str, Any], now: datetime) -> None:
    reactivations.manage_link(session, fields["email"], now)


def _sign_in(session: Session, fields: dict[str, Any], now: datetime) -> None:
    accounts.ask(session, fields["email"], now)


ACTS: dict[str, Callable[[Session, dict[str, Any], datetime], None]] = {
    "sign": _sign,
    "subscribe": _subscribe,
    "manage": _manage,
    "sign in": _sign_in,
}
