"""Letters that wait because mail servers refuse us, or would take names in the clear: nobody whom they are for is to blame.

They are told of at once, since waiting alone mends nothing. Copies of updates are not letters: their mailing pauses.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from service.core import queues
from service.models import Delivery, Message, Serving
from service.models.mail import IS_QUEUED
from service.operations.problem_rows import LETTER_BUTTONS, Button, Problem
from service.organisers.roles import APPROVERS
from service.text.redact import without_addresses

IS_REFUSED = func.coalesce(Message.concern, "").in_(("sender", "encryption"))
"""Said of us, or not said to us for want of TLS; every other reason is told by service/operations/waiting_letters.py."""
WAITS = and_(Message.mailing_id.is_(None), IS_QUEUED, IS_REFUSED)
TO_PEOPLE = (Message.queue == queues.PROMPT, WAITS)
MOST = 1_000
LETTERS, OF_SERVING, IN_CLEAR = "letters turned away", "letters turned away of serving ", "letter in the clear "


def letters(session: Session, _now: datetime) -> Iterable[Problem]:
    """To people, refused by our own mail server; all in one row."""
    count, since = session.execute(select(func.count(), func.min(Message.created_at)).where(*TO_PEOPLE)).one()
    if count:
        last = select(Message.reply_code, Message.reply_text).where(*TO_PEOPLE).order_by(Message.id.desc()).limit(1)
        code, text = session.execute(last).one()
        yield Problem(
            LETTERS, "Letters wait",
            f"{'One letter waits' if count == 1 else f'{count:,} letters wait'}, because our mail server refuses us as the "
            "sender. Ask whoever runs it; nothing is lost meanwhile.",
            since, detail=_said(code, text), buttons=LETTER_BUTTONS, roles=APPROVERS,
        )  # fmt: skip


def of_servings(session: Session, _now: datetime) -> Iterable[Problem]:
    """To officials: one row for each serving, and one for each office whose mail server takes nothing encrypted."""
    rows = _to_officials(session)
    for number, group in groupby((row for row in rows if row.concern == "sender"), key=lambda row: row.serving_id):
        waiting = list(group)
        which = f"The letter to {waiting[0].office}" if len(waiting) == 1 else f"{len(waiting)} letters"
        yield Problem(
            f"{OF_SERVING}{number}", "Letters to officials wait",
            f"{which} of serving {number} {'waits' if len(waiting) == 1 else 'wait'}, because the mail server refuses us as "
            "the sender. The address may well be right.",
            min(row.created_at for row in waiting), title=f"Serving {number}", page=f"/organise/servings/{number}",
            detail=_said(waiting[0].reply_code, waiting[0].reply_text), buttons=LETTER_BUTTONS, roles=APPROVERS,
        )  # fmt: skip
    yield from (_in_the_clear(row) for row in rows if row.concern == "encryption")


class Waiting(NamedTuple):
    """A letter to an official that has not left."""

    message_id: int
    serving_id: int
    rehearsal: bool
    official_id: int | None
    office: str
    concern: str | None
    reply_code: int | None
    reply_text: str
    created_at: datetime


COLUMNS = (
    Message.id, Delivery.serving_id, Serving.rehearsal, Delivery.official_id, Delivery.office, Message.concern,
    Message.reply_code, Message.reply_text, Message.created_at,
)  # fmt: skip


def _to_officials(session: Session) -> list[Waiting]:
    rows = select(*COLUMNS).select_from(Message).join(Delivery, Delivery.message_id == Message.id)
    rows = rows.join(Serving, Serving.id == Delivery.serving_id).where(Message.queue == queues.NOTICES, WAITS)
    return [Waiting(*row) for row in session.execute(rows.order_by(Delivery.serving_id, Message.id).limit(MOST))]


def _in_the_clear(row: Waiting) -> Problem:
    counts = Button("send counts alone", "Send counts alone", path=f"/organise/officials/{row.official_id}/counts")
    again, stop = LETTER_BUTTONS
    return Problem(
        f"{IN_CLEAR}{row.message_id}", "Names wait for encryption",
        f"The letter to {row.office} waits: no encrypted connection to its mail server could be made, and names do not leave "
        "us without one. Ask that office to have it mended, or send it the counts alone, without names.",
        row.created_at, title=f"Serving {row.serving_id}", page=f"/organise/servings/{row.serving_id}",
        buttons=(again, counts, stop) if row.official_id and not row.rehearsal else (again, stop), roles=APPROVERS,
    )  # fmt: skip


def of_problem(session: Session, key: str) -> list[int]:
    """The messages that one of these rows is about; none for the key of another kind of row."""
    if key == LETTERS:
        return list(session.scalars(select(Message.id).where(*TO_PEOPLE).order_by(Message.id).limit(MOST)))
    if not key.startswith((OF_SERVING, IN_CLEAR)):
        return []
    keys = {"sender": lambda row: f"{OF_SERVING}{row.serving_id}", "encryption": lambda row: f"{IN_CLEAR}{row.message_id}"}
    return [row.message_id for row in _to_officials(session) if keys[row.concern or ""](row) == key]


def _said(code: int | None, text: str) -> str:
    return f"{code or ''} {without_addresses(text)}".strip()
