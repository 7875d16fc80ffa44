"""Changes that take two: one organiser proposes, another approves exactly that. `APPROVALS=0`: the first may do both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import states
from service.core.config import settings
from service.errors import NotFound, Refused
from service.models import Edition, Notice, Organiser, Proposal, Signature
from service.organisers import newcomers
from service.organisers.roles import APPROVERS

SHOWN = 50
"""Signatures of one proposal on a page."""


def propose(
    session: Session, kind: str, notice: Notice | None, content: dict[str, Any], author: Organiser | None, now: datetime
) -> Proposal:
    """Writes down what would be so. The same proposal twice is one. `author` None: a command."""
    about = notice.id if notice else None
    for other in waiting(session):
        if (other.kind, other.notice_id, other.content) == (kind, about, content):
            return other
    by = author.id if author else None
    proposal = Proposal(kind=kind, notice_id=about, content=content, state="open", proposed_by_id=by, proposed_at=now)
    session.add(proposal)
    session.flush()
    return proposal


def hold(session: Session, number: int) -> Proposal:
    proposal = session.get(Proposal, number if number < 2**63 else 0, with_for_update=True)
    if proposal is None:
        raise NotFound(f"there is no proposal {number}")
    return proposal


def decide(session: Session, proposal: Proposal, verdict: str, organiser: Organiser, now: datetime) -> None:
    """Approves or refuses, once; who proposed it may take it back. Raises Refused where it needs somebody else, or was decided
    meanwhile."""
    if verdict == "refused" and organiser.role not in APPROVERS and organiser.id != proposal.proposed_by_id:
        raise Refused("Refusing takes an approver or an administrator; you can take back what you proposed yourself.")
    if verdict == "approved" and settings().approvals:
        if organiser.role not in APPROVERS:
            raise Refused("Approving takes an approver or an administrator.")
        if organiser.id == proposal.proposed_by_id:
            raise Refused("Another organiser must approve what you proposed.")
        newcomers.refuse(organiser, proposal.proposed_by_id, proposal.proposed_at, now)
    decided = {"decided_by_id": organiser.id, "decided_at": now}
    if not states.claim(session, Proposal, "open", verdict, Proposal.id == proposal.id, **decided):
        raise Refused("Somebody has decided this meanwhile: reload the page.")
    session.refresh(proposal)


@dataclass(frozen=True)
class Described:
    """What the pages say beside a proposal's own fields."""

    proposer: str
    signatures: list[tuple[Signature, Edition]]
    """Those that it is about, at most SHOWN of them."""


def described(session: Session) -> dict[int, Described]:
    """Each proposal that is open."""
    rows = select(Proposal, Organiser.email).outerjoin(Organiser, Organiser.id == Proposal.proposed_by_id)
    return {
        proposal.id: Described(email or "a command", _signatures(session, proposal))
        for proposal, email in session.execute(rows.where(Proposal.state == "open")).tuples()
    }


def _signatures(session: Session, proposal: Proposal) -> list[tuple[Signature, Edition]]:
    numbers = proposal.content.get("signatures", [])[:SHOWN]
    rows = select(Signature, Edition).join(Edition, Edition.id == Signature.edition_id).where(Signature.id.in_(numbers))
    return [row._tuple() for row in session.execute(rows.order_by(Signature.id))] if numbers else []


def waiting(session: Session) -> list[Proposal]:
    return list(session.scalars(select(Proposal).where(Proposal.state == "open").order_by(Proposal.id)))
