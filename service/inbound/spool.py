"""Story: mail that comes in: stored before its sender is told 250, claimed by a worker, done or quarantined; the inbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from service import states
from service.core import queues
from service.errors import NotFound, Refused
from service.inbound import recipient_addresses
from service.inbound.parsing.judgement import Judgement
from service.models import Arrival, RawMail
from service.models.inbound import IS_UNREAD, IS_WAITING

LEASE = timedelta(seconds=60)
TRIES = 3
"""A message that ended its worker so often is quarantined, not tried for ever."""
BATCH = 20
"""Each may take its reader two seconds: fewer than the lease lasts."""
FOLDERS = {
    "replies": "People’s replies",
    "automatic": "Automatic answers",
    "unclear": "Failures that need a person’s judgement",
    "quarantine": "Quarantine",
}


class Mail(NamedTuple):
    """A message as it came: `source` as the row has it, `sender` None where nobody knows the envelope."""

    source: str
    sender: str | None
    recipients: Sequence[str]
    content: bytes
    external_id: str | None = None
    peer: str | None = None


def store(session: Session, mails: Sequence[Mail], now: datetime) -> None:
    """The bytes of each once, and a row for each recipient. Whoever commits this may say 250, and ring."""
    contents = [{"content": mail.content} for mail in mails]
    ids = session.scalars(insert(RawMail).returning(RawMail.id, sort_by_parameter_order=True), contents)
    rows = [
        NEW | {"source": mail.source, "sender": mail.sender, "recipient": recipient, "external_id": mail.external_id,
               "peer": mail.peer,
               "raw_id": raw_id, "received_at": now,
                "due_at": now - FIRST.get(recipient_addresses.role_of(recipient), NOT_FIRST)}
        for mail, raw_id in zip(mails, ids, strict=True)
        for recipient in mail.recipients
    ]  # fmt: skip
    session.execute(insert(Arrival), rows)


NOT_FIRST = timedelta(0)
FIRST: dict[str, timedelta] = {
    "unsubscribe": timedelta(hours=2),
    "bounce": timedelta(hours=1),
    "complaints": timedelta(hours=1),
}
"""Whoever leaves, and what came back, is read before all the rest that waits, told by the envelope's address alone."""
NEW: dict[str, Any] = {"state": "waiting", "attempts": 0, "files": []} | dict.fromkeys(
    ("kind", "reason", "outcome", "author", "written_by", "subject", "body", "own", "folder"), ""
)


def ring(session: Session) -> None:
    """One bell for all that waits: whoever hears it goes on until nothing does."""
    queues.wake(session, "take_in", 0, queues.INBOUND)


def known(session: Session, external_id: str) -> bool:
    return session.scalar(select(Arrival.id).where(Arrival.external_id == external_id)) is not None


def claim(session: Session, now: datetime) -> list[Arrival]:
    """Leases the next messages that wait."""
    waiting = select(Arrival.id).where(IS_WAITING, Arrival.due_at <= now).order_by(Arrival.due_at, Arrival.id).limit(BATCH)
    locked = waiting.with_for_update(skip_locked=True).cte("due")
    values = {"leased_until": now + LEASE, "attempts": Arrival.attempts + 1}
    ids = states.claim_returning(session, Arrival, "waiting", "reading", select(locked.c.id), (Arrival.id,), **values)
    statement = select(Arrival).where(Arrival.id.in_([row.id for row in ids])).order_by(Arrival.id)
    return list(session.scalars(statement))


def content(session: Session, arrival: Arrival) -> bytes:
    """The bytes of one message: read one by one, for each may be as large as we take."""
    return session.scalar(select(RawMail.content).where(RawMail.id == arrival.raw_id)) or b""


def take_back(session: Session, now: datetime) -> None:
    """Leases that lapsed: their worker is gone, perhaps of this very message."""
    lapsed = (Arrival.leased_until < now, Arrival.state == "reading")
    gone = "it ended its reader three times"
    states.claim(
        session, Arrival, "reading", "quarantined", *lapsed, Arrival.attempts >= TRIES, leased_until=None, reason=gone,
        folder="quarantine",
    )  # fmt: skip
    states.claim(session, Arrival, "reading", "waiting", *lapsed, leased_until=None)
    if session.scalar(select(Arrival.id).where(IS_WAITING, Arrival.due_at <= now - timedelta(seconds=5)).limit(1)):
        ring(session)


def hold(session: Session, arrival: Arrival) -> bool:
    """Takes a leased message in hand for this transaction; False where somebody else has it by now."""
    return session.scalar(
        select(Arrival.id).where(Arrival.id == arrival.id, Arrival.state == "reading").with_for_update()
    ) is not None  # fmt: skip


def later(session: Session, arrival: Arrival, now: datetime, wait: timedelta) -> None:
    """Gives a message back until then; this was no failure of its own."""
    values = {"due_at": now + wait, "leased_until": None, "attempts": Arrival.attempts - 1}
    states.claim(session, Arrival, "reading", "waiting", Arrival.id == arrival.id, **values)


def finish(session: Session, arrival: Arrival, judgement: Judgement, outcome: str, folder: str = "", **found: object) -> None:
    """Writes down what a message was, and what came of it. Of what nobody needs to read, nothing but that is kept."""
    after = "quarantined" if judgement.quarantined else "done"
    letter = {
        "author": judgement.author[:320],
        "written_by": judgement.written_by,
        "subject": judgement.subject,
        "body": judgement.body,
    }
    if judgement.kind == "bounce" and judgement.text not in judgement.body:
        letter["body"] = f"{judgement.body}\n\n{judgement.recipient or 'The server'}: {judgement.text}"
    words = letter | {"own": judgement.own, "files": judgement.files} if folder else {}
    values = {
        "kind": judgement.kind, "bounce_class": judgement.bounce_class, "status": judgement.status,
        "reason": judgement.reason, "outcome": outcome, "folder": folder, "leased_until": None, **words, **found,
    }  # fmt: skip
    states.claim(session, Arrival, "reading", after, Arrival.id == arrival.id, **values)


def inbox(session: Session, folder: str, before: int, limit: int) -> list[Arrival]:
    """What nobody has put away yet, the newest first."""
    statement = select(Arrival).where(IS_UNREAD, Arrival.folder == folder)
    if before:
        statement = statement.where(Arrival.id < before)
    return list(session.scalars(statement.order_by(Arrival.id.desc()).limit(limit)))


def counts(session: Session) -> dict[str, int]:
    """How many wait in each folder."""
    rows = session.execute(select(Arrival.folder, func.count()).where(IS_UNREAD).group_by(Arrival.folder))
    counts_by_folder = dict(row._tuple() for row in rows)
    return {folder: counts_by_folder.get(folder, 0) for folder in FOLDERS}


def find(session: Session, arrival_id: int) -> Arrival:
    arrival = session.get(Arrival, arrival_id) if 0 < arrival_id < 2**63 else None
    if arrival is None:
        raise NotFound(f"there is no message {arrival_id}")
    return arrival


def put_away(session: Session, arrival: Arrival, now: datetime) -> None:
    if arrival.state not in {"done", "quarantined"}:
        raise Refused("This message is being read; wait a moment.")
    arrival.put_away_at = now


def try_again(session: Session, arrival: Arrival, now: datetime) -> None:
    """Reads a quarantined message once more, from the beginning. Raises Refused where it is not in quarantine."""
    values = {"due_at": now, "attempts": 0, "folder": "", "reason": ""}
    conditions = (Arrival.id == arrival.id, Arrival.put_away_at.is_(None))
    if not states.claim(session, Arrival, "quarantined", "waiting", *conditions, **values):
        raise Refused("This message is not in quarantine any more: reload the page.")
    ring(session)


def answers_today(session: Session, mailbox: str, now: datetime) -> int:
    """How many messages of a mailbox we have answered within a day."""
    conditions = (
        Arrival.mailbox == mailbox,
        Arrival.received_at > now - timedelta(days=1),
        Arrival.outcome.startswith("answered"),
    )
    return session.scalar(select(func.count()).select_from(Arrival).where(*conditions)) or 0
