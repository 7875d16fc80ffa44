"""Whom we must not write to: kept as a keyed hash, so that it outlives the erasure of the address (UK GDPR Art 17(3))."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, cast

from sqlalchemy import CursorResult, delete, or_, select, update
from sqlalchemy.orm import Session

from service.core.db import among, insert_new
from service.core.keyed_hashes import keyed_hash
from service.errors import Refused
from service.models import Bounce, Hold, Suppression
from service.models.mail import REACTIVATE, TO_ORGANISERS

Cause = Literal["hard", "soft", "judged", "organiser", "complaint", "erased"]
CAUSES: tuple[Cause, ...] = ("hard", "soft", "judged", "organiser", "complaint", "erased")
"""Why we stopped writing, the weakest first: a later cause takes an earlier one's place, never the other way round.

hard: a mail server said that there is no such mailbox. soft: too many failures for a time. judged: an organiser judged a
failure. organiser: an organiser decided it. complaint: its owner called a message spam. erased: its owner asked for it.
"""
AFTER_FAILURE: tuple[Cause, ...] = ("hard", "soft", "judged")
"""Nobody said no: the mailbox failed, or seemed to."""
SAID_NO: tuple[Cause, ...] = ("complaint", "erased")
"""Its owner did: only their own word takes it back."""

LOOK_AGAIN = timedelta(minutes=10)
"""How long a message to a mailbox that a brake holds waits before it is asked again whether an organiser has looked."""


class Barrier(NamedTuple):
    """What keeps us from writing to a mailbox."""

    hash: str
    cause: Cause
    at: datetime
    told_at: datetime | None
    held: bool = False
    """Only until an organiser has looked: what is meant for it waits, and is not lost."""

    @property
    def after_failure(self) -> bool:
        return self.cause in AFTER_FAILURE

    def bars(self, kind: str, asked_at: datetime) -> bool:
        """Whether a letter of this kind, asked for then, must not go. What its owner said later always holds."""
        if kind == REACTIVATE:
            return self.at > asked_at
        return not (kind in TO_ORGANISERS and self.after_failure)


def is_suppressed(session: Session, mailbox: str) -> bool:
    return session.get(Suppression, keyed_hash(mailbox)) is not None


def suppressed_among(session: Session, mailboxes: Iterable[str]) -> set[str]:
    """Which of these (at most a few thousand) must not be written to."""
    if session.scalar(select(Suppression.hash).limit(1)) is None:
        return set()
    by_hash = {keyed_hash(mailbox): mailbox for mailbox in mailboxes}
    hashes = session.scalars(select(Suppression.hash).where(among(session, Suppression.hash, by_hash)))
    return {by_hash[hash] for hash in hashes}


def suppression_of(session: Session, mailbox: str) -> Suppression | None:
    return session.get(Suppression, keyed_hash(mailbox))


def barrier_of(session: Session, mailbox: str) -> Barrier | None:
    """What keeps us from writing to this mailbox; None where nothing does."""
    suppression = suppression_of(session, mailbox)
    row = suppression or hold_of(session, mailbox)
    if row is None:
        return None
    return Barrier(row.hash, cast(Cause, row.cause), row.at, row.told_at, held=suppression is None)


def hold_of(session: Session, mailbox: str) -> Hold | None:
    return session.get(Hold, keyed_hash(mailbox))


def held_among(session: Session, mailboxes: Iterable[str]) -> set[str]:
    """Which of these (at most a few thousand) wait for an organiser to look."""
    if session.scalar(select(Hold.hash).limit(1)) is None:
        return set()
    by_hash = {keyed_hash(mailbox): mailbox for mailbox in mailboxes}
    return {by_hash[hash] for hash in session.scalars(select(Hold.hash).where(among(session, Hold.hash, by_hash)))}


def said_no(suppression: Suppression) -> bool:
    """Whether the person did themselves: they were erased, or called a message spam."""
    return suppression.cause in SAID_NO


def lift(session: Session, mailbox: str, now: datetime, *, asked: bool) -> None:
    """We may write to it again, and its score of failures starts anew; whoever decides it says why, in the audit.

    Raises Refused where nothing is in the way, and where the person said no themselves and has not `asked` to come back.
    """
    barrier = barrier_of(session, mailbox)
    if barrier is None:
        raise Refused("Nothing keeps us from writing to this mailbox.")
    if barrier.cause in SAID_NO and not asked:
        raise Refused(asked="This person said no themselves: lift it only where they ask to come back, and say that they did.")
    _lift(session, barrier.hash, "an organiser lifted the suppression", now)


def lift_for_owner(session: Session, mailbox: str, asked_at: datetime, now: datetime, *, reactivates: bool) -> bool:
    """Its owner pressed the button of a letter that we sent there, so it arrives: we may write again. True where we may now.

    A no of their own, or an organiser's word, is another matter: theirs is taken back by the letter that asks about it
    (`reactivates`), where they said it before that was asked for; an organiser's is not.
    """
    barrier = barrier_of(session, mailbox)
    if barrier is None or not (barrier.after_failure or (reactivates and barrier.cause in SAID_NO and barrier.at <= asked_at)):
        return False
    _lift(session, barrier.hash, "its owner asked to be written to again", now)
    return True


def _lift(session: Session, hash: str, text: str, now: datetime) -> None:
    for model in (Suppression, Hold):
        session.execute(delete(model).where(model.hash == hash))
    session.add(Bounce(hash=hash, kind="lifted", status="", text=text, at=now))


def tell(session: Session, barrier: Barrier, now: datetime, *, unless_after: datetime) -> bool:
    """Notes that its owner is told now; False where they were told after that time. Of several at once, one tells."""
    model = Hold if barrier.held else Suppression
    untold = or_(model.told_at.is_(None), model.told_at <= unless_after)
    statement = update(model).where(model.hash == barrier.hash, untold).values(told_at=now)
    return bool(cast(CursorResult[Any], session.execute(statement)).rowcount)


def suppress(session: Session, mailbox: str, reason: str, now: datetime, cause: Cause = "complaint") -> None:
    """We write to it no more. A person's own no takes the place of a failure's, and is then lifted at their word only.

    It acts at once, also where a brake holds the mailbox.
    """
    row = {"hash": keyed_hash(mailbox), "cause": cause, "reason": reason, "at": now}
    session.execute(delete(Hold).where(Hold.hash == row["hash"]))
    insert_new(session, Suppression, [row])
    weaker = (Suppression.hash == row["hash"], Suppression.cause.in_(CAUSES[: CAUSES.index(cause) + 1]))
    if cause not in AFTER_FAILURE:
        session.execute(update(Suppression).where(*weaker).values(cause=cause, reason=reason, at=now))


class Due(NamedTuple):
    """A mailbox that failed, whose suppression is due."""

    hash: str
    cause: Cause
    reason: str
    pattern_id: int


def suppress_all(session: Session, due: Iterable[Due], now: datetime) -> None:
    """Many at once, after failures; what is suppressed already stays as it is, and what is held waits.

    In one order, so that two workers never wait for each other in a circle.
    """
    rows = {suppression.hash: suppression._asdict() | {"at": now} for suppression in due}
    if rows:
        held = set(session.scalars(select(Hold.hash).where(among(session, Hold.hash, rows))))
        insert_new(session, Suppression, [row for hash, row in sorted(rows.items()) if hash not in held])
