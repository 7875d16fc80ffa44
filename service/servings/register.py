"""The register: what the public may know of each delivery, never rounded up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from service.models import Attempt, Delivery, Message, Notice, Official, Serving
from service.proof.encoding import Document
from service.text.mail_troubles import in_public

TIERS = {
    "queued": "queued", "sending": "queued", "accepted": "relay", "bounced": "refused", "complained": "relay",
    "refused": "refused", "suppressed": "refused", "cancelled": "stopped", "expired": "refused", "unsure": "unsure",
}  # fmt: skip
"""What the register says of a message's state: never more than we know."""
MOST = 2**63 - 1
"""The largest number of a serving."""
WHOLE = (
    joinedload(Serving.edition),
    *(selectinload(letters).joinedload(Delivery.message) for letters in (Serving.deliveries, Serving.corrections)),
)
"""A serving with its letters and their corrections, read at once."""


def tier(delivery: Delivery) -> str:
    """How far a letter got, never rounded up: what was said by the reader, by a delivery notice, by a server."""
    if delivery.acknowledged_at is not None:
        return "acknowledged"
    name = TIERS[delivery.message.state]
    if name == "relay" and delivery.notified_at is not None:
        return "notified"
    return "recipient" if name == "relay" and delivery.direct else name


def _last_word_at(delivery: Delivery, tried_at: datetime | None) -> datetime:
    message = delivery.message
    at = {"acknowledged": delivery.acknowledged_at, "notified": delivery.notified_at}.get(tier(delivery))
    return at or message.settled_at or tried_at or message.created_at


@dataclass(frozen=True)
class Entry:
    """What the public register says of a serving, office by office: its letters, and the corrections that followed."""

    serving: Serving
    letters: list[Document]
    corrections: list[Document]


def lines(session: Session, notice: Notice) -> Document:
    """The whole register, the newest serving first."""
    servings = by_serving(session, notice)
    return {
        "struck": struck(notice),
        "objected": objected(session),
        "deliveries": [line for serving in servings for line in serving.letters],
        "corrections": [line for serving in servings for line in serving.corrections],
    }


def by_serving(session: Session, notice: Notice, *, before: int = MOST, limit: int | None = None) -> list[Entry]:
    """The newest first; with `before` and `limit` so many of those that came before a serving of that number."""
    public = (Serving.notice_id == notice.id, Serving.rehearsal.is_(False), Serving.state == "written")
    statement = select(Serving).where(*public, Serving.id < min(before, MOST)).order_by(Serving.id.desc()).limit(limit)
    tried = _last_attempts(session, public)
    return [
        Entry(
            serving,
            [_line(serving, delivery, tried) | {"struck": serving.struck} for delivery in serving.deliveries],
            [_line(serving, correction, tried) | _taken_out(correction) for correction in serving.corrections],
        )
        for serving in session.scalars(statement.options(*WHOLE))
    ]


def objected(session: Session) -> list[Document]:
    """Offices that asked for no more letters, and since when: else they would be missing without a word."""
    gone = select(Official).where(Official.objected_at.is_not(None), Official.removed_at.is_(None)).order_by(Official.id)
    return [
        {"office": official.office, "since": official.objected_at.isoformat(timespec="seconds")}
        for official in session.scalars(gone)
        if official.objected_at is not None
    ]


def struck(notice: Notice) -> int:
    """How many signatures of all its editions were struck out as false or abusive."""
    return sum(edition.struck for edition in notice.editions)


def _taken_out(correction: Delivery) -> Document:
    return {"withdrawn": correction.names_given - correction.struck, "struck": correction.struck}


def _line(serving: Serving, delivery: Delivery, tried: dict[int, datetime]) -> Document:
    message = delivery.message
    at = _last_word_at(delivery, tried.get(delivery.message_id))
    words, by_server = in_public(message.state, message.reply_code, message.reply_text)
    return {
        "office": delivery.office, "edition": serving.edition.hash, "cut_off": serving.cut_off, "count": serving.count,
        "tier": tier(delivery), "at": at.isoformat(timespec="seconds"),
        "reply": words, "said_by": "server" if by_server else "us" if words else "",
    }  # fmt: skip


def _last_attempts(session: Session, public: tuple[ColumnElement[bool], ...]) -> dict[int, datetime]:
    """When each letter that is not settled yet was last tried."""
    statement = select(Delivery.message_id).join(Serving).where(*public).join(Message).where(Message.settled_at.is_(None))
    tried = (
        select(Attempt.message_id, func.max(Attempt.at)).where(Attempt.message_id.in_(statement)).group_by(Attempt.message_id)
    )
    return dict(row._tuple() for row in session.execute(tried))


def last_serving(session: Session, notice: Notice) -> Serving | None:
    """The last serving that the public may know of."""
    public = (Serving.notice_id == notice.id, Serving.rehearsal.is_(False), Serving.state == "written")
    return session.scalar(select(Serving).where(*public).order_by(Serving.id.desc()).limit(1))


def unsure(session: Session) -> list[Delivery]:
    """Letters whose final answer was lost; a person or a delivery notice settles them."""
    return list(session.scalars(select(Delivery).join(Message).where(Message.mailing_id.is_(None), Message.state == "unsure")))
