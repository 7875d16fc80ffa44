"""What happens when a proposal is approved, by its kind; and proposals that their proposer may approve at once."""

from __future__ import annotations

from collections.abc import Callable

from flask import g
from sqlalchemy.orm import Session

from service import audit, moderation, notices, officials, other_addresses
from service.config import settings
from service.models import Proposal
from service.web.guards import may_at_once, noted, now


def approve(database: Session, proposal: Proposal) -> None:
    """Raises Refused where it takes somebody else, or can be done no more."""
    APPROVE[proposal.kind](database, proposal)


def approve_alone(database: Session, proposal: Proposal) -> None:
    """Where one organiser may do it all (APPROVALS=0), proposing is approving, for those who may approve."""
    if not settings().approvals and proposal.state == "open" and may_at_once("organise_notices.decide approve"):
        approve(database, proposal)
        noted(database, "approve", f"proposal {proposal.id}")


def _signatures(database: Session, proposal: Proposal) -> None:
    for signature in moderation.approve(database, proposal, g.organiser, now()):
        act, reason = f"approve: {proposal.kind} signature", proposal.content["reason"]
        noted(database, act, audit.person(signature.mailbox), signature=signature.id, reason=reason)


APPROVE: dict[str, Callable[[Session, Proposal], None]] = {
    "official": lambda database, proposal: officials.approve(database, proposal, g.organiser, now()),
    "fallback": lambda database, proposal: other_addresses.approve(database, proposal, g.organiser, now()),
    "live": lambda database, proposal: notices.approve(database, proposal, g.organiser, now()),
    "schedule": lambda database, proposal: notices.approve(database, proposal, g.organiser, now()),
} | dict.fromkeys(moderation.KINDS, _signatures)
