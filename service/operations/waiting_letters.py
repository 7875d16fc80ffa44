"""Letters that wait for longer than was promised, and what an organiser can do about them. Copies of updates are not letters.

A letter that somebody waits for should reach a mail server within ten minutes of its time; so should one to an official.
A server that asks us to come back later (RFC 5321 §4.2.1) may do so for an hour before anybody is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from service.confirmations import waiting_forms
from service.core import queues
from service.models import Attempt, Delivery, Failure, Message
from service.models.mail import IS_QUEUED
from service.operations import turned_away
from service.operations.failures import KINDS, TWICE, repeated
from service.operations.problem_rows import EVERYWHERE, LETTER_BUTTONS, MAIL, Problem
from service.organisers.roles import APPROVERS
from service.rate_limits import domain_breakers
from service.text.email_addresses import domain
from service.text.redact import without_addresses

PROMISE = timedelta(minutes=10)
PUT_OFF = timedelta(hours=1)
SEVERAL = 3
"""When letters to so many domains are put off, it is not one reader's server that is slow."""
NAMED = 3
MOST = 1_000
"""Rows that one look, or one press of a button, reads."""


def is_late(now: datetime) -> ColumnElement[bool]:
    """Nobody took it up in time, or no server was reached in that time: an attempt without an answer has no code."""
    tried = exists().where(Attempt.message_id == Message.id, Attempt.at < now - PROMISE)
    unreached = and_(Message.reply_code.is_(None), Message.reply_text != "", tried)
    late = or_(Message.due_at < now - PROMISE, unreached)
    return and_(Message.mailing_id.is_(None), IS_QUEUED, ~turned_away.IS_REFUSED, late)


def is_put_off(now: datetime) -> ColumnElement[bool]:
    """A server has asked for more than an hour to come back later."""
    tried = exists().where(Attempt.message_id == Message.id, Attempt.at < now - PUT_OFF)
    put_off = (Message.reply_code.between(400, 499), ~turned_away.IS_REFUSED, tried)
    return and_(Message.mailing_id.is_(None), IS_QUEUED, *put_off)


def oldest_late(session: Session, now: datetime) -> datetime | None:
    """Since when a letter that somebody waits for is late; None where none is."""
    late = select(Message.created_at).where(Message.queue == queues.PROMPT, is_late(now))
    letter, form = session.scalar(late.order_by(Message.due_at).limit(1)), waiting_forms.oldest(session)
    if form is not None and form < now - PROMISE:
        return min(form, letter or form)
    return letter


def of_problem(session: Session, key: str, now: datetime) -> list[int]:
    """The messages that one row of the list is about."""
    prompt = select(Message.id).where(Message.queue == queues.PROMPT).order_by(Message.id).limit(MOST)
    match key:
        case "mail":
            return list(session.scalars(prompt.where(is_late(now))))
        case "letters put off":
            return list(session.scalars(prompt.where(is_put_off(now))))
        case "letters":
            return [number for number, _ in _failing(session)]
    if numbers := turned_away.of_problem(session, key):
        return numbers
    return [waiting.message_id for waiting in _to_officials(session, now) if key == f"letters of serving {waiting.serving_id}"]


def _failing(session: Session) -> list[tuple[int, Failure]]:
    rows = session.execute(
        select(Message.id, Failure)
        .join(Failure, and_(Failure.job == "deliver", Failure.row_id == Message.id, Failure.count >= TWICE))
        .where(Message.mailing_id.is_(None), Message.state.in_(("queued", "sending")), Message.queue == queues.PROMPT)
        .order_by(Failure.first_at)
        .limit(MOST)
    )
    return [row._tuple() for row in rows]


def failing(session: Session, _now: datetime) -> Iterable[Problem]:
    """Letters that a worker cannot send because of themselves, all in one row."""
    if rows := _failing(session):
        first = rows[0][1]
        yield Problem(
            "letters", "Letters not sent",
            f"{_letters(len(rows))} could not be sent. It failed several times, because {KINDS[first.kind]}.", first.first_at,
            detail=first.place, buttons=LETTER_BUTTONS, roles=APPROVERS,
        )  # fmt: skip


def failing_forms(session: Session, _now: datetime) -> Iterable[Problem]:
    """Forms that a worker cannot act on, all in one row."""
    if rows := repeated(session, ["take_form"]):
        what = "One form has" if len(rows) == 1 else f"{len(rows):,} forms have"
        yield Problem(
            "forms", "Forms wait",
            f"{what} come in and could not be acted on. It failed several times, because {KINDS[rows[0].kind]}. "
            "It is tried again every minute.", rows[0].first_at, detail=rows[0].place, roles=APPROVERS,
        )  # fmt: skip


def unanswered(session: Session, now: datetime) -> Iterable[Problem]:
    """Somebody fills in forms for others, at many places."""
    if count := domain_breakers.nobody_answers(session, now):
        yield Problem(
            "unanswered", "Letters that nobody answers",
            f"{count:,} letters of these four days, nearly all that were asked for, were not answered by a press. Somebody may "
            "be filling in forms with the addresses of others. Those to domains from which nobody answers wait for an hour.",
            roles=APPROVERS, urgent=False, channels=frozenset({MAIL}),
        )  # fmt: skip


def put_off(session: Session, now: datetime) -> Iterable[Problem]:
    """Told beside the dashboard only where several domains do so: else one form, sent by anybody, would call everybody."""
    rows = session.execute(
        select(Message.email, Message.created_at, Message.reply_code, Message.reply_text)
        .where(Message.queue == queues.PROMPT, is_put_off(now))
        .order_by(Message.created_at)
        .limit(MOST)
    ).all()
    if rows:
        hosts = {domain(row.email or "") for row in rows}
        waits = "waits" if len(rows) == 1 else "wait"
        whose = "a mail server has" if len(hosts) == 1 else "mail servers have"
        yield Problem(
            "letters put off", "Letters wait",
            f"{_letters(len(rows))} {waits}, because {whose} asked us for more than an hour to come back later.",
            rows[0].created_at, detail=f"One said: {rows[0].reply_code} {without_addresses(rows[0].reply_text)}",
            buttons=LETTER_BUTTONS, roles=APPROVERS, urgent=False,
            channels=EVERYWHERE if len(hosts) >= SEVERAL else frozenset(),
        )  # fmt: skip


def of_servings(session: Session, now: datetime) -> Iterable[Problem]:
    """Letters to officials, the corrections among them; one row for each serving."""
    by_serving: dict[int, list[Waiting]] = {}
    for waiting in _to_officials(session, now):
        by_serving.setdefault(waiting.serving_id, []).append(waiting)
    for number, letters in sorted(by_serving.items()):
        failure = next((waiting.failure for waiting in letters if waiting.failure is not None), None)
        why = f"It failed several times, because {KINDS[failure.kind]}." if failure else _why(letters[0])
        yield Problem(
            f"letters of serving {number}", "Letters to officials wait",
            f"{_letters(len(letters))} of serving {number} ({_offices(letters)}) should have left by now. {why}",
            min(waiting.created_at for waiting in letters), title=f"Serving {number}", page=f"/organise/servings/{number}",
            detail=failure.place if failure else _said(letters[0]), buttons=LETTER_BUTTONS, roles=APPROVERS,
        )  # fmt: skip


class Waiting(NamedTuple):
    """A letter to an official that has not left."""

    message_id: int
    serving_id: int
    office: str
    created_at: datetime
    reply_code: int | None
    reply_text: str
    failure: Failure | None = None


COLUMNS = (Message.id, Delivery.serving_id, Delivery.office, Message.created_at, Message.reply_code, Message.reply_text)


def _to_officials(session: Session, now: datetime) -> list[Waiting]:
    """Two statements, each by its index: letters that are late or put off, and those whose job fails."""
    late = select(*COLUMNS).select_from(Message).join(Delivery, Delivery.message_id == Message.id)
    late = late.where(Message.queue == queues.NOTICES, or_(is_late(now), is_put_off(now))).order_by(Message.id).limit(MOST)
    letters = {row.id: Waiting(*row) for row in session.execute(late)}
    repeated = select(*COLUMNS, Failure).select_from(Failure).join(Message, Message.id == Failure.row_id)
    repeated = repeated.join(Delivery, Delivery.message_id == Message.id)
    conditions = (Failure.job == "deliver", Failure.count >= TWICE, Message.state.in_(("queued", "sending")))
    return list(
        (letters | {row.id: Waiting(*row) for row in session.execute(repeated.where(*conditions).limit(MOST))}).values()
    )


def _offices(letters: Sequence[Waiting]) -> str:
    named = [waiting.office for waiting in letters[:NAMED]]
    return ", ".join(named) + (f", and {len(letters) - NAMED} more" if len(letters) > NAMED else "")


def _why(waiting: Waiting) -> str:
    if waiting.reply_code is not None:
        return "The mail server asks us to come back later."
    return "No mail server could be reached." if waiting.reply_text else "No worker has taken it up."


def _said(waiting: Waiting) -> str:
    return f"{waiting.reply_code or ''} {without_addresses(waiting.reply_text)}".strip()


def _letters(count: int) -> str:
    return "One letter" if count == 1 else f"{count:,} letters"
