"""Changes that take two: one organiser proposes, another approves exactly that. `APPROVALS=0`: the first may do both."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import states
from service.config import settings
from service.errors import NotFound, Refused
from service.models import Notice, Organiser, Proposal
from service.roles import APPROVERS


def propose(
    session: Session, kind: str, notice: Notice | None, content: dict[str, Any], author: Organiser, now: datetime
) -> Proposal:
    """Writes down what would be so. The same proposal twice is one."""
    about = notice.id if notice else None
    for other in waiting(session):
        if (other.kind, other.notice_id, other.content) == (kind, about, content):
            return other
    proposal = Proposal(kind=kind, notice_id=about, content=content, state="open", proposed_by_id=author.id, proposed_at=now)
    session.add(proposal)
    session.flush()
    return proposal


def hold(session: Session, number: int) -> Proposal:
    found = session.get(Proposal, number if number < 2**63 else 0, with_for_update=True)
    if found is None:
        raise NotFound(f"there is no proposal {number}")
    return found


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
    decided = {"decided_by_id": organiser.id, "decided_at": now}
    if not states.claim(session, Proposal, "open", verdict, Proposal.id == proposal.id, **decided):
        raise Refused("Somebody has decided this meanwhile: reload the page.")
    session.refresh(proposal)


def described(session: Session) -> dict[int, str]:
    """Who proposed each that is open, for the pages."""
    rows = select(Proposal.id, Organiser.email).join(Organiser, Organiser.id == Proposal.proposed_by_id)
    return dict(row._tuple() for row in session.execute(rows.where(Proposal.state == "open")))


def waiting(session: Session) -> list[Proposal]:
    return list(session.scalars(select(Proposal).where(Proposal.state == "open").order_by(Proposal.id)))
