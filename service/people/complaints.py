"""Story: a complaint about how we handle data: taken, acknowledged, due in 30 days (DPA 2018 s.164A), answered."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import states
from service.core.config import settings
from service.emails import catalogue
from service.errors import NotFound, Refused
from service.models import Complaint
from service.rate_limits import windows
from service.text import email_addresses, person_names
from service.text.characters import control

ANSWER_WITHIN = timedelta(days=30)
LONGEST = 5_000


def read_form(fields: Mapping[str, str]) -> dict[str, str]:
    """Checks a form's fields. Raises Refused."""
    errors: dict[str, str] = {}
    values: dict[str, str] = {}
    for field, check in (("name", person_names.person), ("email", email_addresses.parse)):
        try:
            values[field] = check(fields.get(field, ""), field)
        except Refused as refused:
            errors |= refused.errors
    values["text"] = control.clean(control.BIDI.sub("", fields.get("text", ""))).strip()
    if not values["text"]:
        errors["text"] = "Tell us what happened."
    elif len(values["text"]) > LONGEST:
        errors["text"] = f"Use at most {LONGEST:,} characters."
    if errors:
        raise Refused(**errors)
    return values


def take(session: Session, fields: dict[str, str], now: datetime) -> Complaint:
    """Stores a complaint and acknowledges it by letter, held back while the address has had enough for now."""
    reference = f"C-{now:%Y}-{secrets.token_hex(4).upper()}"
    complaint = Complaint(reference=reference, state="open", received_at=now, due_at=now + ANSWER_WITHIN, **fields)
    session.add(complaint)
    session.flush()
    key = email_addresses.mailbox(complaint.email)
    windows.one_at_a_time(session, key)
    if windows.held_back(session, key, now) < settings().limit_day:  # the page that answers the form says the same
        catalogue.complaint_received(session, complaint, now, windows.hold_until(session, complaint.email, key, now))
    return complaint


def to_answer(session: Session) -> list[Complaint]:
    """Those not answered yet, the most urgent first."""
    return list(session.scalars(select(Complaint).where(Complaint.state == "open").order_by(Complaint.due_at)))


def find(session: Session, reference: str) -> Complaint:
    """Raises NotFound."""
    complaint = session.scalar(select(Complaint).where(Complaint.reference == reference))
    if complaint is None:
        raise NotFound("there is no such complaint")
    return complaint


def answer(session: Session, reference: str, now: datetime) -> None:
    """Marks one as answered."""
    complaint = find(session, reference)
    if complaint.state == "open":
        states.move(complaint, "answered")
        complaint.answered_at = now
