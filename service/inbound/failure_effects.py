"""What a failure leads to, as far as that is settled already: by a brake that is pulled, or by what an organiser decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.inbound.outcome_counts import Key
from service.models import Brake, BrakeDecision

NEW_FOR = timedelta(days=1)
"""A cause that was first met less than this ago is one that nobody had before."""
JUDGED_FOR = timedelta(days=7)
"""How long a decision goes for what fails later for the same cause: mail servers give up after about five days."""
TIMES_SEEN = 3
"""Who said of ten that they are dead has not said it of a thousand: after so many times what was seen, it is asked anew."""


class FailedMessage(NamedTuple):
    """A message that failed, and may suppress its mailbox."""

    message_id: int
    mailing_id: int | None
    hash: str
    domain: str
    kind: str
    """hard | soft"""
    status: str
    text: str
    """The server's words, without addresses."""
    pattern_id: int
    pattern_at: datetime
    settled_at: datetime

    def counted_under(self, now: datetime) -> Iterator[Key]:
        """The rows of the counts to which it belongs."""
        if self.mailing_id is not None:
            yield "mailing", str(self.mailing_id)
        yield "domain", f"{self.settled_at:%Y-%m-%d} {self.domain}"
        if self.pattern_at > now - NEW_FOR:
            yield "cause", str(self.pattern_id)
        yield "hour", f"{self.settled_at:%Y-%m-%dT%H}"

    def held_under(self) -> Iterator[Key]:
        """The brakes that would hold it; an hour's, whatever it is."""
        if self.mailing_id is not None:
            yield "mailing", str(self.mailing_id)
        yield "domain", self.domain
        yield "cause", str(self.pattern_id)
        yield "hour", ""


class Fate(NamedTuple):
    """What a failure leads to: act, hold, or what an organiser said of its cause: dead, lift."""

    act: str
    brake_id: int | None = None


ACT = Fate("act")


@dataclass
class Decision:
    """One verdict of an organiser, and how many failures it has settled since."""

    fate: Fate
    pattern_id: int
    most: int
    """For how many it goes."""
    followed: int


def known_fates(session: Session, failed: Sequence[FailedMessage], now: datetime) -> dict[int, Fate]:
    """By message; ACT where nothing is known. A few statements, however many there are."""
    decided, pulled = _decided(session, now), _pulled(session)
    fates = {failure.message_id: _fate(failure, decided, pulled) for failure in failed}
    settled_by = set(fates.values())
    followed = [
        {"brake_id": decision.fate.brake_id, "pattern_id": decision.pattern_id, "followed": decision.followed}
        for decision in decided.values()
        if decision.fate in settled_by
    ]
    if followed:
        session.execute(update(BrakeDecision), followed)
    return fates


def _decided(session: Session, now: datetime) -> dict[tuple[Key, int], Decision]:
    rows = session.execute(
        select(Brake.scope, Brake.subject, Brake.id, BrakeDecision)
        .join(Brake, Brake.id == BrakeDecision.brake_id)
        .where(BrakeDecision.at > now - JUDGED_FOR)
        .order_by(BrakeDecision.at)
    )
    decided = {}
    for scope, subject, brake_id, row in rows:
        decision = Decision(Fate(row.verdict, brake_id), row.pattern_id, row.mailboxes * TIMES_SEEN, row.followed)
        decided[_brake_key(scope, subject), row.pattern_id] = decision
    return decided


def _pulled(session: Session) -> dict[Key, Fate]:
    rows = session.execute(select(Brake.scope, Brake.subject, Brake.id).where(Brake.state == "open"))
    return {_brake_key(scope, subject): Fate("hold", number) for scope, subject, number in rows}


def _brake_key(scope: str, subject: str) -> Key:
    return scope, "" if scope == "hour" else subject


def _fate(failure: FailedMessage, decided: Mapping[tuple[Key, int], Decision], pulled: Mapping[Key, Fate]) -> Fate:
    for key in failure.held_under():
        decision = decided.get((key, failure.pattern_id))
        if decision is not None and (decision.fate.act == "lift" or decision.followed < decision.most):
            decision.followed += 1
            return decision.fate
    return next(filter(None, map(pulled.get, failure.held_under())), ACT)
