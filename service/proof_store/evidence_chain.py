"""The evidence of a notice's deliveries: append-only, each record holds the hash of the one before."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.emails import links
from service.models import Delivery, Evidence, Letter, Notice, Serving
from service.proof import evidence
from service.proof.encoding import Document, decode, encode


def append(session: Session, delivery: Delivery, kind: str, facts: Document, now: datetime) -> None:
    """One more record. A rehearsal leaves no evidence: nobody was served."""
    serving = session.get_one(Serving, delivery.serving_id)
    if serving.rehearsal:
        return
    notice = session.get_one(Notice, serving.notice_id, with_for_update=True)  # one record after the other
    number, head = state(session, notice.id)
    record = {
        "notice": notice.slug, "number": number + 1, "kind": kind, "at": now.isoformat(timespec="milliseconds"),
        "serving": serving.id, "office": delivery.office, "message_id": links.message_id(delivery.message_id),
    }  # fmt: skip
    letter = session.get(Letter, delivery.message_id)
    if letter is not None and letter.original_id is not None:
        record["message_id"] = links.message_id(letter.original_id)
    whole, hashed = evidence.link(head, record | facts)
    session.add(
        Evidence(notice_id=notice.id, number=number + 1, delivery_id=delivery.id, record=encode(whole).decode(), hash=hashed)
    )
    session.flush()


def state(session: Session, notice_id: int) -> tuple[int, str]:
    """Length and head of a notice's chain."""
    statement = select(Evidence.number, Evidence.hash).where(Evidence.notice_id == notice_id)
    last = session.execute(statement.order_by(Evidence.number.desc()).limit(1)).first()
    return (last.number, last.hash) if last else (0, evidence.BEGINNING)


def of_serving(session: Session, serving: Serving) -> list[tuple[Delivery, list[Document]]]:
    """Each of its deliveries, corrections last, with its records, all read at once."""
    letters = [*serving.deliveries, *serving.corrections]
    records: dict[int, list[Document]] = {letter.id: [] for letter in letters}
    statement = select(Evidence.delivery_id, Evidence.record).where(Evidence.delivery_id.in_(records)).order_by(Evidence.number)
    for delivery_id, record in session.execute(statement):
        records[delivery_id].append(decode(record.encode()))
    return [(letter, records[letter.id]) for letter in letters]


def chain(session: Session, notice: Notice) -> Document:
    """The whole chain, as the verifier takes it."""
    rows = list(session.scalars(select(Evidence).where(Evidence.notice_id == notice.id).order_by(Evidence.number)))
    records = [decode(row.record.encode()) for row in rows]
    return evidence.document(notice.slug, records, rows[-1].hash if rows else evidence.BEGINNING)
