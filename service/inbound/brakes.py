"""The brake: where far more fails than is usual, nobody is suppressed for it until an organiser has looked.

Hard failures are counted against all that was settled (outcome_counts.py) by mailing, receiving domain, cause and hour.
What was suppressed before a brake was pulled is held by it, too: the tenth failure takes the first nine with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, func, insert, literal, select, update
from sqlalchemy.orm import Session

from service.core.config import settings
from service.core.db import among, insert_into, insert_new
from service.inbound import outcome_counts
from service.inbound.failure_effects import ACT, NEW_FOR, FailedMessage, Fate, known_fates
from service.inbound.outcome_counts import Key
from service.models import Bounce, Brake, Hold, OutcomeCount, ReplyPattern, Suppression

LOOKS_BACK = {"mailing": timedelta(days=30), "domain": timedelta(days=1), "cause": NEW_FOR, "hour": timedelta(days=5)}
"""How old a failure may be that a brake takes under it when it is pulled."""
PULLED_AT_ONCE = {"mailing": 1_000, "domain": 5, "cause": 5, "hour": 1_000}
"""So that a batch costs a bounded number of statements; where more is unusual than this, the hour is, too."""


def weigh(session: Session, failed: Sequence[FailedMessage], now: datetime) -> dict[int, Fate]:
    """Writes failures down, pulls the brake where they are too many, and says what each leads to, by message."""
    outcome_counts.lock(session)
    fates = known_fates(session, failed, now)
    session.execute(insert(Bounce), [_bounce(failure, fates[failure.message_id], now) for failure in failed])
    free = [failure for failure in failed if failure.kind == "hard" and fates[failure.message_id] is ACT]
    if free:
        counts = outcome_counts.add_hard(session, Counter(key for failure in free for key in failure.counted_under(now)), now)
        for message_id, brake_id in _pull_where_unusual(session, counts, now).items():
            fates[message_id] = Fate("hold", brake_id)
    return fates


def _bounce(failure: FailedMessage, fate: Fate, now: datetime) -> dict[str, Any]:
    same = ("hash", "message_id", "mailing_id", "kind", "status", "text", "domain", "pattern_id", "settled_at")
    return {name: getattr(failure, name) for name in same} | {"at": now, "brake_id": fate.brake_id}


def _pull_where_unusual(session: Session, counts: dict[Key, tuple[int, int]], now: datetime) -> dict[int, int]:
    """Pulls the brakes that are due, the narrowest first; which messages each of them takes under it."""
    held: dict[int, int] = {}
    for scope, most in PULLED_AT_ONCE.items():
        pulled = 0
        for key in sorted(key for key in counts if key[0] == scope):
            if pulled < most and _is_unusual(scope, *counts[key]):
                brake, taken = _pull(session, key, counts, now)
                held |= dict.fromkeys(taken, brake.id)
                pulled += 1
    return held


def _is_unusual(scope: str, settled: int, hard: int) -> bool:
    """Whether the share is far above what is usual. Where more failed than we know to have been settled, nobody can tell."""
    if scope == "cause":
        return 0 < settings().brake_new_cause <= hard
    enough = 0 < settings().brake_failures <= hard
    return enough and hard <= settled and hard * 100 >= settled * settings().brake_share


def _pull(session: Session, key: Key, counts: dict[Key, tuple[int, int]], now: datetime) -> tuple[Brake, list[int]]:
    """Pulls one brake; it takes under it what has failed there already, and holds whoever was suppressed for that."""
    settled, hard = counts[key]
    scope, subject = key
    subject = subject.partition(" ")[2] if scope == "domain" else subject
    brake = Brake(scope=scope, subject=subject, state="open", hard=hard, settled=settled, pulled_at=now)
    session.add(brake)
    session.flush()
    rows = session.execute(
        update(Bounce)
        .where(*_falls_under(brake), Bounce.at > now - LOOKS_BACK[scope], Bounce.brake_id.is_(None))
        .where(Bounce.kind.in_(("hard", "soft")))
        .values(brake_id=brake.id)
        .returning(Bounce.message_id, Bounce.mailing_id, Bounce.domain, Bounce.kind, Bounce.pattern_id, Bounce.settled_at)
        .execution_options(synchronize_session=False)
    ).all()
    taken = Counter(key for row in rows if row.kind == "hard" for key in _counted_under(row, now))
    counts |= {key: count for key, count in outcome_counts.take_off(session, taken, now).items() if key in counts}
    _hold_the_suppressed(session, brake)
    return brake, [row.message_id for row in rows]


def _counted_under(row: Any, now: datetime) -> Iterator[Key]:
    """As FailedMessage has it, for a stored failure; where nothing is counted for its cause, nothing is taken off."""
    stored = FailedMessage(row.message_id, row.mailing_id, "", row.domain, row.kind, "", "", row.pattern_id or 0, now,
                           row.settled_at or now)  # fmt: skip
    return stored.counted_under(now)


def _falls_under(brake: Brake) -> tuple[Any, ...]:
    if brake.scope == "mailing":
        return (Bounce.mailing_id == int(brake.subject),)
    if brake.scope == "domain":
        return (Bounce.domain == brake.subject,)
    if brake.scope == "cause":
        return (Bounce.pattern_id == int(brake.subject),)
    begins = datetime.fromisoformat(f"{brake.subject}:00+00:00")
    return Bounce.settled_at >= begins, Bounce.settled_at < begins + timedelta(hours=1)


def _hold_the_suppressed(session: Session, brake: Brake) -> None:
    """Those whom a failure suppressed that now falls under a brake: held instead, as if it had been pulled in time."""
    after_failure = Suppression.cause.in_(("hard", "soft"))
    rows = (
        select(Suppression.hash, literal(brake.id), func.max(Bounce.pattern_id), func.max(Suppression.cause),
               func.max(Bounce.domain), func.max(Suppression.at), func.max(Suppression.told_at))
        .join(Bounce, Bounce.hash == Suppression.hash)
        .where(Bounce.brake_id == brake.id, Bounce.at > brake.pulled_at - LOOKS_BACK[brake.scope])
        .where(after_failure, Suppression.at >= Bounce.at)
        .group_by(Suppression.hash)
    )  # fmt: skip
    columns = ["hash", "brake_id", "pattern_id", "cause", "domain", "at", "told_at"]
    session.execute(insert_into(session, Hold).from_select(columns, rows).on_conflict_do_nothing())
    statement = select(Hold.hash).where(Hold.brake_id == brake.id)
    lifted = delete(Suppression).where(Suppression.hash.in_(statement), after_failure)
    session.execute(lifted.execution_options(synchronize_session=False))


def hold(session: Session, failed: Mapping[FailedMessage, Fate], now: datetime) -> None:
    """Keeps these mailboxes from being suppressed, and from being written to; who must not be written to anyhow stays so."""
    rows = {
        failure.hash: {"hash": failure.hash, "brake_id": fate.brake_id, "pattern_id": failure.pattern_id, "cause": failure.kind,
                   "domain": failure.domain, "at": now, "told_at": None}
        for failure, fate in failed.items()
    }  # fmt: skip
    if rows:
        suppressed = set(session.scalars(select(Suppression.hash).where(among(session, Suppression.hash, rows))))
        insert_new(session, Hold, [row for hash, row in sorted(rows.items()) if hash not in suppressed])


def forget(session: Session, now: datetime, most: int) -> int:
    """What is not needed any more to weigh failures, or to look at them by cause; returns how many rows that was."""
    month, year = now - timedelta(days=30), now - timedelta(days=365)
    old = select(Bounce.id).where(Bounce.domain != "", Bounce.at < month).limit(most)
    used = exists().where(Bounce.pattern_id == ReplyPattern.id)
    short = (OutcomeCount.scope != "mailing") & (OutcomeCount.at < now - timedelta(days=7))
    statements = (
        update(Bounce).where(Bounce.id.in_(old)).values(domain="").returning(Bounce.id),
        delete(OutcomeCount).where(short | (OutcomeCount.at < month)).returning(OutcomeCount.hard),
        delete(Brake).where(Brake.state == "judged", Brake.decided_at < year).returning(Brake.id),
        delete(ReplyPattern).where(ReplyPattern.first_at < year, ~used).returning(ReplyPattern.id),
    )
    unsynchronised = [statement.execution_options(synchronize_session=False) for statement in statements]
    return sum(len(session.scalars(statement).all()) for statement in unsynchronised)
