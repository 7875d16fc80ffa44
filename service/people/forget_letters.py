"""What messages said, forgotten: for an erasure, and when its time has come."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from service.models import Attempt, Letter, Message

NOTHING: dict[str, str | None] = {"email": None, "mailbox": None, "counted_as": None, "asked_by": None, "reply_text": ""}


def forget_letters(session: Session, ids: list[int]) -> list[int]:
    """What these messages said and to whom, and what servers answered, for that may repeat the address."""
    for part in batched(ids):
        session.execute(delete(Letter).where(Letter.message_id.in_(part)))
        session.execute(delete(Attempt).where(Attempt.message_id.in_(part)))
        session.execute(update(Message).where(Message.id.in_(part)).values(**NOTHING))
    return ids


def batched(ids: list[int]) -> Iterator[list[int]]:
    """So many at a time as every database takes in one statement."""
    return (ids[start : start + 5_000] for start in range(0, len(ids), 5_000))
