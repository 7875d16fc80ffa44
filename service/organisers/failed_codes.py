"""Codes and passwords that were wrong: counted in the audit, told to the organiser, and at an end where they are tried out.

What was typed is not kept. Of six digits three codes are good at a time: 20 tries a day find one with a chance of 0.006 %.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.emails import catalogue_for_organisers
from service.models import AuditEntry, Organiser
from service.organisers import audit
from service.organisers.roles import ADMINISTRATORS

ACT = "wrong code"
WITHIN = timedelta(days=1)
TOLD_AT = (3, 10, 20)
"""After so many in a day the organiser gets a letter; from the second of them on administrators do, too."""
MOST = 20
"""Wrong codes in a day, after which no code of the authenticator is taken."""


def note(session: Session, organiser: Organiser, what: str, address: str, now: datetime) -> None:
    """Counts a wrong "code" or "password", entered from this address."""
    number = organiser.id
    audit.note(session, ACT, f"organiser {number}", now, organiser_id=number, address=address, what=what)
    count = lately(session, organiser, now)
    if count not in TOLD_AT:
        return
    readers = [organiser] if count < TOLD_AT[1] else [organiser, *_administrators(session, organiser)]
    for reader in readers:
        catalogue_for_organisers.wrong_codes(session, reader, organiser, count, address, now)


def lately(session: Session, organiser: Organiser, now: datetime) -> int:
    """How many were wrong in the last day, at most MOST."""
    conditions = (AuditEntry.organiser_id == organiser.id, AuditEntry.act == ACT, AuditEntry.at > now - WITHIN)
    wrong = select(AuditEntry.id).where(*conditions).order_by(AuditEntry.id.desc()).limit(MOST).subquery()
    return session.scalar(select(func.count()).select_from(wrong)) or 0


def _administrators(session: Session, organiser: Organiser) -> list[Organiser]:
    others = (Organiser.role.in_(ADMINISTRATORS), Organiser.removed_at.is_(None), Organiser.id != organiser.id)
    return list(session.scalars(select(Organiser).where(*others).order_by(Organiser.id)))
