"""Story: what became of a mailing as numbers: by state, by the servers' reasons, by receiving domain, and how fast.

Counted over all of its messages, which takes seconds for a million: the clock counts now and then, and pages read that.
A small one is counted while somebody waits.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, or_, select
from sqlalchemy.orm import Session

from service.mailings import tallies
from service.models import Mailing, MailingReport, Message, Subscription
from service.models.mail import IS_TROUBLED

SMALL = 5_000
FRESH = timedelta(seconds=60)
WATCHED = timedelta(days=14)
"""After its end a mailing is counted so long: bounces and complaints still arrive."""
TOP = 20
TROUBLED = ("refused", "bounced", "complained", "suppressed")
SHARES = (50, 95, 100)


def read(session: Session, mailing: Mailing, now: datetime) -> dict[str, Any] | None:
    """What was counted last; None where that is still to be done."""
    if sum(tallies.read(session, mailing.id).values()) <= SMALL:
        return count(session, mailing, now)
    stored = session.get(MailingReport, mailing.id)
    return stored.found if stored else None


def stale(session: Session, now: datetime, resting: Collection[int] = ()) -> Mailing | None:
    """The one whose numbers are the oldest, if any are old: one at a time, so that no turn of the clock is long.

    resting: mailings that are left alone, because counting them failed a moment ago.
    """
    watched = or_(Mailing.state.in_(("sending", "paused")), Mailing.finished_at > now - WATCHED)
    old = or_(MailingReport.made_at.is_(None), MailingReport.made_at < now - FRESH, MailingReport.made_at < Mailing.finished_at)
    joined = select(Mailing).outerjoin(MailingReport, MailingReport.mailing_id == Mailing.id)
    joined = joined.where(watched, old, Mailing.id.not_in(resting))
    return session.scalar(joined.order_by(MailingReport.made_at.asc().nulls_first()).limit(1))


def keep(session: Session, mailing_id: int, report: dict[str, Any], now: datetime) -> None:
    """What was counted, for pages to read."""
    session.merge(MailingReport(mailing_id=mailing_id, made_at=now, found=report))


def count(session: Session, mailing: Mailing, now: datetime) -> dict[str, Any]:
    """{"made_at", "reasons": [[state, code, words, count]…], "domains": [[domain, {state: count}]…], "seconds": {share: …}}"""
    return {
        "made_at": now.isoformat(),
        "reasons": _reasons(session, mailing),
        "domains": _domains(session, mailing),
        "seconds": _seconds(session, mailing),
    }


def _mine(mailing: Mailing) -> ColumnElement[bool]:
    return Message.mailing_id == mailing.id


def _reasons(session: Session, mailing: Mailing) -> list[list[Any]]:
    """How often servers said what: the same words once, numbers in them left out."""
    reply_start = func.substr(Message.reply_text, 1, 60)
    statement = (
        select(Message.state, Message.reply_code, reply_start, func.count())
        .where(_mine(mailing), IS_TROUBLED, Message.state.in_(TROUBLED))
        .group_by(Message.state, Message.reply_code, reply_start)
        .order_by(func.count().desc())
        .limit(TOP)
    )
    return [list(row) for row in session.execute(statement)]


def receiving_domain(session: Session) -> ColumnElement[str]:
    """The domain of a subscription's address, in SQL."""
    if session.get_bind().dialect.name == "postgresql":
        return func.lower(func.split_part(Subscription.email, "@", 2))
    return func.lower(func.substr(Subscription.email, func.instr(Subscription.email, "@") + 1))


def _domains(session: Session, mailing: Mailing) -> list[list[Any]]:
    """The largest receiving domains, each with its states."""
    host = receiving_domain(session)
    open_still = case((Message.state == "sending", "queued"), else_=Message.state)
    grouped: Select[Any] = (
        select(host, open_still, func.count())
        .join(Subscription, Subscription.id == Message.subscription_id)
        .where(_mine(mailing))
        .group_by(host, open_still)
    )
    counts_by_domain: dict[str, dict[str, int]] = {}
    for name, state, number in session.execute(grouped):
        counts_by_domain.setdefault(name, {})[state] = number
    largest = sorted(counts_by_domain.items(), key=lambda row: -sum(row[1].values()))[:TOP]
    return [[name, counts] for name, counts in largest]


def _seconds(session: Session, mailing: Mailing) -> dict[str, float]:
    """How long after it began so many per cent of what was accepted were accepted; nothing while it still goes."""
    if mailing.finished_at is None:
        return {}
    conditions = (_mine(mailing), Message.state.in_(("accepted", "bounced", "complained")))
    total = session.scalar(select(func.count()).select_from(Message).where(*conditions)) or 0
    began = session.scalar(select(func.min(Message.created_at)).where(_mine(mailing)))
    seconds: dict[str, float] = {}
    for share in SHARES if total and began else ():
        at = select(Message.settled_at).where(*conditions).order_by(Message.settled_at).limit(1)
        reached = session.scalar(at.offset(max(-(-total * share // 100) - 1, 0)))
        if reached is not None and began is not None:
            seconds[str(share)] = max((reached - began).total_seconds(), 0.0)
    return seconds
