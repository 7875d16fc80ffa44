"""Story: how far a mailing is, and what became of each message, in the servers' words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, literal_column, or_, select
from sqlalchemy.orm import Session

from service import states
from service.mailings import speed, tallies
from service.models import Mailing, Message, Subscription
from service.models.mail import IS_TROUBLED, USUAL


@dataclass(frozen=True)
class Progress:
    """Counts by state, and how fast it goes: now, where that is known, or on average since it began."""

    state: str
    counts: dict[str, int]
    fanned_out: bool
    paused_because: str
    elapsed: timedelta
    now_per_second: float | None = None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def settled(self) -> int:
        return self.total - self.counts.get("queued", 0)

    @property
    def per_second(self) -> float:
        average = self.settled / max(self.elapsed.total_seconds(), 1)
        return average if self.now_per_second is None else self.now_per_second

    @property
    def left(self) -> timedelta | None:
        """How long the rest takes at this rate; None where nobody can say."""
        if self.state != "sending" or not self.per_second or not self.fanned_out:
            return None
        return timedelta(seconds=round((self.total - self.settled) / self.per_second))


def of(session: Session, mailing: Mailing, now: datetime) -> Progress:
    """Read from the tallies: as cheap at a million messages as at ten."""
    counts = tallies.read(session, mailing.id)
    began = mailing.goes_at or mailing.approved_at or now
    elapsed = (mailing.finished_at or now) - min(began, mailing.finished_at or now)
    fast = speed.per_second(mailing.id, now) if mailing.state == "sending" else None
    return Progress(mailing.state, counts, mailing.fanned_out_at is not None, mailing.paused_because, elapsed, fast)


class Outcome(NamedTuple):
    """What became of one message; `email` is None for somebody who was erased."""

    subscription_id: int | None
    email: str | None
    state: str
    reply_code: int | None
    reply_text: str
    settled_at: datetime | None


LOOKED_AT = 10_000
"""Messages that one page of a search by words or domain looks through; no index finds a word in the middle of an address."""


class Page(NamedTuple):
    """Outcomes, and after which subscription the next page begins; None where there is none."""

    rows: list[Outcome]
    after: int | None


def outcomes(
    session: Session, mailing: Mailing, *, state: str = "", words: str = "", host: str = "", after: int = 0, limit: int = 100
) -> Page:
    """Messages with address, state, reply and time, in the order of subscriptions, those after the one given.

    `words` looks in addresses and replies. That order is the index's: a page costs the same in a mailing of a million, also
    where PostgreSQL reads both tables side by side, from `after` on. A search by words or domain ends after LOOKED_AT of the
    messages in this state, however few it found, and goes on with the next page.
    """
    conditions = [Message.mailing_id == mailing.id, Message.subscription_id > after, *_in_state(state)]
    looked_to = _end_of_search(session, conditions) if words or host else None
    became = (Message.state, Message.reply_code, Message.reply_text, Message.settled_at)
    near = [Subscription.id > after, *([Subscription.id <= looked_to] if looked_to else [])]
    statement = (
        select(Message.subscription_id, Subscription.email, *became)
        .outerjoin(Subscription, and_(Subscription.id == Message.subscription_id, *near))
        .where(*conditions, *([Message.subscription_id <= looked_to] if looked_to else []))
    )
    if host:
        statement = statement.where(Subscription.email.iendswith(f"@{host}", autoescape=True))
    if words:
        looked_in = (Subscription.email, Message.reply_text)
        statement = statement.where(or_(*(column.icontains(words, autoescape=True) for column in looked_in)))
    rows = [Outcome(*row) for row in session.execute(statement.order_by(Message.subscription_id).limit(limit + 1))]
    return Page(rows[:limit], rows[limit - 1].subscription_id if len(rows) > limit else looked_to)


def _in_state(state: str) -> list[ColumnElement[bool]]:
    """Spelled out, so that the index of those in this state is used whatever plan is kept."""
    if not state:
        return []
    state_asked_for = state if state in states.MESSAGE else "none"
    return [Message.state == literal_column(f"'{state_asked_for}'"), *([] if state_asked_for in USUAL else [IS_TROUBLED])]


def _end_of_search(session: Session, conditions: list[ColumnElement[bool]]) -> int | None:
    """The subscription with which a search ends that is not at the end of the mailing then."""
    ordered = select(Message.subscription_id).where(*conditions).order_by(Message.subscription_id)
    return session.scalar(ordered.offset(LOOKED_AT - 1).limit(1))
