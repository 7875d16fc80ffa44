"""Somebody to whom we had stopped writing asks for something: one letter says what happened, and asks for a press.

The page that they see is the same for everybody. After a failure the letter goes to whoever asks, by a form at most once in
thirty days, since anybody may enter any address. Those who said no themselves get it only where they write from that address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from service.confirmations import confirmation_requests
from service.confirmations.confirmation_requests import Item
from service.core.config import settings
from service.emails import catalogue
from service.emails.suppressions import Barrier, barrier_of, tell
from service.models import Request
from service.rate_limits import windows
from service.text.email_addresses import mailbox

ONCE_IN = timedelta(days=30)
"""For how long there is no second letter, and how long the link of the first one works."""


class Barred(StrEnum):
    """What became of what somebody asked to whom we had stopped writing, as a sentence for organisers."""

    TOLD = "answered: told how to be written to again"
    TOLD_LATELY = "not answered: told in the last 30 days how to be written to again"
    BY_FORM = "not answered: its owner had said no, and anybody can fill in a form"
    BY_ORGANISER = "not answered: an organiser had decided that we write to it no more"


def answer(
    session: Session, email: str, now: datetime, items: Callable[[], Sequence[Item]] = list, answering: str | None = None
) -> Barred | None:
    """Deals with what was asked for a mailbox that we had stopped writing to; None where nothing keeps us from writing.

    `items` stores what was asked for, and is called only where the letter is written: its press does that as well.
    `answering`: as for `requests.ask`.
    """
    key = mailbox(email)
    barrier = barrier_of(session, key)
    if barrier is None:
        return None
    if barrier.cause == "organiser":
        return Barred.BY_ORGANISER
    by_mail = answering is not None
    if not barrier.after_failure and not by_mail:
        return Barred.BY_FORM
    windows.one_at_a_time(session, key)
    free_again = now if barrier.after_failure and by_mail else now - ONCE_IN
    if windows.held_back(session, key, now) >= settings().limit_day or not tell(session, barrier, now, unless_after=free_again):
        return Barred.TOLD_LATELY
    _write(session, email, barrier, items(), now, answering)
    return Barred.TOLD


def _write(
    session: Session, email: str, barrier: Barrier, items: Sequence[Item], now: datetime, answering: str | None
) -> Request:
    request = confirmation_requests.open_for(session, email, items, ONCE_IN, now)
    request.reactivates = True
    due_at = windows.hold_until(session, email, request.mailbox, now)
    catalogue.reactivate(session, request, barrier, now, due_at, answering)
    return request


def manage_link(session: Session, email: str, now: datetime, answering: str | None = None) -> None:
    """A fresh link to what we hold; or, for a mailbox that we had stopped writing to, how to be written to again."""
    if answer(session, email, now, answering=answering) is None:
        confirmation_requests.manage_link(session, email, now, answering)
