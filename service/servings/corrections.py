"""Corrections: signatures that count no more after officials had the name (UK GDPR Art 19): gathered, then one letter to each.

A correction names signatures by their number in the list that was attached, never by name: whoever was erased is in no letter
of ours again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from service.core.config import settings
from service.emails import catalogue
from service.models import Correction, Delivery, Edition, Message, Official, Serving, Signature

REACHED = ("queued", "sending", "accepted", "unsure", "complained")
"""A letter in one of these states was read, or may yet be."""


def owe(session: Session, signature: Signature, now: datetime) -> None:
    """Notes a signature that was taken out, for officials; nothing where no letter has counted it yet."""
    served = (Serving.edition_id == signature.edition_id, Serving.rehearsal.is_(False), Serving.state == "written")
    counted = select(Serving.id).where(*served, Serving.cut_off >= (signature.sequence or 0)).limit(1)
    if signature.sequence is None or session.scalar(counted) is None:
        return
    agreed = signature.agreed_again_at or signature.created_at
    session.add(
        Correction(edition_id=signature.edition_id, sequence=signature.sequence, kind=signature.state, agreed_at=agreed,
                   withdrawn_at=now)
    )  # fmt: skip


def due(session: Session, now: datetime) -> list[int]:
    """Editions of which a correction has waited long enough."""
    first = func.min(Correction.withdrawn_at)
    gathered = now - timedelta(hours=settings().correction_hours)
    waiting = select(Correction.edition_id).where(Correction.sent_at.is_(None)).group_by(Correction.edition_id)
    return list(session.scalars(waiting.having(first <= gathered)))


def send(session: Session, now: datetime) -> None:
    """One letter to each official who was given signatures that have been withdrawn or struck out since."""
    for edition_id in due(session, now):
        edition = session.get_one(Edition, edition_id, with_for_update=True)
        conditions = (Correction.edition_id == edition_id, Correction.sent_at.is_(None))
        owed = list(session.scalars(select(Correction).where(*conditions).order_by(Correction.sequence)))
        serving_id, number = _next(session, edition_id)
        for official, cut_off in _given(session, edition):
            had = [
                correction
                for correction in owed
                if correction.sequence <= cut_off and correction.agreed_at >= official.added_at
            ]
            withdrawn, struck = (
                [correction.sequence for correction in had if correction.kind == kind] for kind in ("withdrawn", "struck")
            )
            if had:
                message = catalogue.correction(session, official, edition, withdrawn, struck, now)
                session.add(
                    Delivery(serving_id=serving_id, official_id=official.id, office=official.office, correction=number,
                             message_id=message.id, names_given=len(had), struck=len(struck))
                )  # fmt: skip
        session.execute(update(Correction).where(*conditions).values(sent_at=now))  # nobody adds one while the edition is ours


def _next(session: Session, edition_id: int) -> tuple[int, int]:
    """The serving whose list is corrected, the edition's last, and the number that this correction has there."""
    served = (Serving.edition_id == edition_id, Serving.rehearsal.is_(False), Serving.state == "written")
    numbers = select(Serving.id, func.max(Delivery.correction)).outerjoin(Delivery).where(*served).group_by(Serving.id)
    serving_id, number = session.execute(numbers.order_by(Serving.id.desc()).limit(1)).one()._tuple()
    return serving_id, (number or 0) + 1


def _given(session: Session, edition: Edition) -> list[tuple[Official, int]]:
    """Officials who had names of this edition and did not object, with the cut-off of the last list that they have."""
    served = (
        Serving.edition_id == edition.id, Serving.rehearsal.is_(False), Message.state.in_(REACHED), Delivery.correction == 0,
        Delivery.names_given > 0,
    )  # fmt: skip
    rows = session.execute(
        select(Delivery.official_id, func.max(Serving.cut_off))
        .join(Serving, Serving.id == Delivery.serving_id)
        .join(Message, Message.id == Delivery.message_id)
        .where(*served)
        .group_by(Delivery.official_id)
        .order_by(Delivery.official_id)
    )
    officials = [(session.get(Official, official_id), cut_off or 0) for official_id, cut_off in rows]
    return [(official, cut_off) for official, cut_off in officials if official is not None and official.objected_at is None]
