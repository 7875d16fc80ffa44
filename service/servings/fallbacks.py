"""A letter that failed goes to the other address of its office; whether it may is decided elsewhere."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from service.emails import compose
from service.models import Delivery, Letter, Official
from service.proof_store import evidence_chain


def send_again(session: Session, delivery: Delivery, official: Official, now: datetime) -> None:
    """The same letter, word for word and with the same Message-ID, to the official's other address."""
    letter = session.get(Letter, delivery.message_id)
    if letter is not None:
        first = letter.original_id or delivery.message_id
        evidence_chain.append(session, delivery, "fallback", {"original": first}, now)
        delivery.message_id = compose.copy_letter(session, letter, official.fallback_email, first, now).id
