"""What needs an organiser now: what waits for a word, what stopped, what came back."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.models import Delivery, Mailing, Message, Serving, Tally

SPAM_LINE = 0.001
"""The share of complaints from which providers act."""
RECENT = 20
ACTIVE = ("submitted", "approved", "sending", "paused")


@dataclass(frozen=True)
class Desk:
    submitted: list[Mailing]
    cooling: list[Mailing]
    going: list[Mailing]
    paused: list[Mailing]
    over_the_line: list[tuple[Mailing, float]]
    returned: list[Delivery]
    """Letters to officials that were refused or came back, of the last serving of each notice."""


def of(session: Session) -> Desk:
    active = (
        select(Mailing).where(Mailing.state.in_(("submitted", "approved", "sending", "paused"))).order_by(Mailing.id.desc())
    )
    found = list(session.scalars(active))
    by_state = {state: [one for one in found if one.state == state] for state in ("submitted", "approved", "sending", "paused")}
    return Desk(
        by_state["submitted"], by_state["approved"], by_state["sending"], by_state["paused"],
        _over_the_line(session), _returned(session),
    )  # fmt: skip


def _over_the_line(session: Session) -> list[tuple[Mailing, float]]:
    """Of the last mailings those whose readers called them spam too often."""
    last = list(session.scalars(select(Mailing).where(Mailing.state == "sent").order_by(Mailing.id.desc()).limit(RECENT)))
    rows = session.execute(
        select(Tally.mailing_id, Tally.state, Tally.count).where(
            Tally.mailing_id.in_([one.id for one in last]), Tally.state.in_(("accepted", "complained"))
        )
    )
    counts: dict[int, dict[str, int]] = {}
    for number, state, count in rows:
        counts.setdefault(number, {})[state] = count
    shares = [(one, _share(counts.get(one.id, {}))) for one in last]
    return [(one, share) for one, share in shares if share >= SPAM_LINE]


def _share(counts: dict[str, int]) -> float:
    complained = counts.get("complained", 0)
    return complained / max(complained + counts.get("accepted", 0), 1)


def _returned(session: Session) -> list[Delivery]:
    last = select(func.max(Serving.id)).where(Serving.rehearsal.is_(False)).group_by(Serving.notice_id)
    wanted = select(Delivery).join(Message, Message.id == Delivery.message_id)
    return list(session.scalars(wanted.where(Delivery.serving_id.in_(last), Message.state.in_(("refused", "bounced")))))
