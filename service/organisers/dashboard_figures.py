"""What needs an organiser now: what waits for a word, what stopped, what came back."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.models import Mailing, Official, Proposal, Tally
from service.organisers import proposals

SPAM_LINE = 0.001
"""The share of complaints from which providers act."""
RECENT = 20
ACTIVE = ("submitted", "approved", "sending")


@dataclass(frozen=True)
class Desk:
    submitted: list[Mailing]
    cooling: list[Mailing]
    going: list[Mailing]
    over_the_line: list[tuple[Mailing, float]]
    bounced: list[Official]
    """To whom a letter was refused or came back, and who have no other address yet."""
    proposals: list[Proposal]
    """What waits for a second organiser beside updates."""


def of(session: Session) -> Desk:
    mailings = list(session.scalars(select(Mailing).where(Mailing.state.in_(ACTIVE)).order_by(Mailing.id.desc())))
    by_state = {state: [mailing for mailing in mailings if mailing.state == state] for state in ACTIVE}
    return Desk(
        by_state["submitted"], by_state["approved"], by_state["sending"],
        _over_the_line(session), _bounced(session), proposals.waiting(session),
    )  # fmt: skip


def _over_the_line(session: Session) -> list[tuple[Mailing, float]]:
    """Of the last mailings those whose readers called them spam too often."""
    last = list(session.scalars(select(Mailing).where(Mailing.state == "sent").order_by(Mailing.id.desc()).limit(RECENT)))
    rows = session.execute(
        select(Tally.mailing_id, Tally.state, Tally.count).where(
            Tally.mailing_id.in_([mailing.id for mailing in last]), Tally.state.in_(("accepted", "complained"))
        )
    )
    counts: dict[int, dict[str, int]] = {}
    for number, state, count in rows:
        counts.setdefault(number, {})[state] = count
    shares = [(mailing, _share(counts.get(mailing.id, {}))) for mailing in last]
    return [(mailing, share) for mailing, share in shares if share >= SPAM_LINE]


def _share(counts: dict[str, int]) -> float:
    complained = counts.get("complained", 0)
    return complained / max(complained + counts.get("accepted", 0), 1)


def _bounced(session: Session) -> list[Official]:
    statement = select(Official).where(Official.bounced_at.is_not(None), Official.removed_at.is_(None))
    return list(session.scalars(statement.order_by(Official.id)))
