"""How much lately speaks against a mailbox, and why a mailing pauses because of what came back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.core.db import among
from service.core.keyed_hashes import keyed_hash
from service.mailings import tallies
from service.models import Bounce

COMPLAINT_SHARE = 0.001
"""Gmail's and Yahoo's rules for bulk senders: stay below 0.1 per cent."""
COMPLAINT_FLOOR = 5
"""Readers: one who is angry, or forges reports, stops nobody's mailing."""
ENOUGH = 20
"""Messages after which a share of those turned away means something."""


def score(session: Session, mailbox: str, now: datetime) -> int:
    """On how many days of the last SOFT_DAYS a message failed for a time, since an organiser lifted a suppression."""
    return scores(session, {keyed_hash(mailbox)}, now).get(keyed_hash(mailbox), 0)


def scores(session: Session, hashes: Collection[str], now: datetime) -> dict[str, int]:
    """The same for several mailboxes, by their keyed hashes; where there is none, it is zero."""
    since = now - timedelta(days=settings().soft_days)
    theirs = (among(session, Bounce.hash, hashes), Bounce.at > since, Bounce.kind.in_(("soft", "lifted")))
    days: defaultdict[str, set[object]] = defaultdict(set)
    for hash, kind, at in session.execute(
        select(Bounce.hash, Bounce.kind, Bounce.at).where(*theirs).order_by(Bounce.at, Bounce.id)
    ):
        if kind == "lifted":
            days[hash].clear()
        else:
            days[hash].add(at.date())
    return {hash: len(days_of_one) for hash, days_of_one in days.items()}


def why_pause(session: Session, mailing_id: int) -> str | None:
    """Why a mailing should pause for what came back of it; None where it may go on."""
    counts = tallies.read(session, mailing_id)
    taken = sum(counts.get(state, 0) for state in ("accepted", "bounced", "complained"))
    complaints = counts.get("complained", 0)
    if complaints >= COMPLAINT_FLOOR and complaints >= taken * COMPLAINT_SHARE:
        return f"{complaints:,} of {taken:,} readers called it spam"
    blocked = session.scalar(
        select(func.count()).select_from(Bounce).where(Bounce.mailing_id == mailing_id, Bounce.kind == "blocked")
    ) or 0  # fmt: skip
    if taken >= ENOUGH and blocked * 100 > taken * settings().blocked_share:
        return f"{blocked:,} of {taken:,} messages were turned away for what mail servers hold against us"
    return None
