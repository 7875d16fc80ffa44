"""What happens when a proposal is approved, by its kind; and proposals that their proposer may approve at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import g
from sqlalchemy.orm import Session

from service.core.config import settings
from service.mailings import mailing_lifecycle, pausing
from service.models import Notice, Proposal
from service.notices import officials, other_addresses, publishing
from service.organisers import accounts, audit, proposals, second_factor
from service.servings import serving_lifecycle
from service.signatures import moderation
from service.web.guards import may_at_once, noted, now


def approve(database: Session, proposal: Proposal) -> None:
    """Raises Refused where it takes somebody else, or can be done no more."""
    APPROVE[proposal.kind](database, proposal)


def propose(database: Session, kind: str, content: dict[str, Any], notice: Notice | None = None) -> str:
    """Proposes it, and does it at once where one organiser may (APPROVALS=0); returns its name in the audit."""
    proposal = proposals.propose(database, kind, notice, content, g.organiser, now())
    approve_alone(database, proposal)
    return f"proposal {proposal.id}"


def approve_alone(database: Session, proposal: Proposal) -> None:
    """Where one organiser may do it all (APPROVALS=0), proposing is approving, for those who may approve."""
    if not settings().approvals and proposal.state == "open" and may_at_once("organise_notices.decide approve"):
        approve(database, proposal)
        noted(database, "approve", f"proposal {proposal.id}")


def _signatures(database: Session, proposal: Proposal) -> None:
    for signature in moderation.approve(database, proposal, g.organiser, now()):
        act, reason = f"approve: {proposal.kind} signature", proposal.content["reason"]
        noted(database, act, audit.person(signature.mailbox), signature=signature.id, reason=reason)


def _decided(act: Callable[[Session, Proposal], None]) -> Callable[[Session, Proposal], None]:
    def approve_and_act(database: Session, proposal: Proposal) -> None:
        proposals.decide(database, proposal, "approved", g.organiser, now())
        act(database, proposal)

    return approve_and_act


def _organiser(database: Session, proposal: Proposal) -> None:
    inviter = proposal.proposed_by_id if settings().approvals else None
    accounts.add(database, proposal.content["email"], proposal.content["role"], now(), inviter)


def _take_off_second_factor(database: Session, proposal: Proposal) -> None:
    organiser = accounts.find(database, proposal.content["organiser"])
    second_factor.take_off(database, organiser)
    accounts.end_all_sessions(database, organiser)


def _serve(database: Session, proposal: Proposal) -> None:
    notice = database.get_one(Notice, proposal.notice_id)
    serving_lifecycle.order(database, notice, publishing.to_serve(database, notice, now()), now())


def _cancel(database: Session, proposal: Proposal) -> None:
    pausing.cancel(database, mailing_lifecycle.hold(database, proposal.content["mailing"]), now())


APPROVE: dict[str, Callable[[Session, Proposal], None]] = {
    "official": lambda database, proposal: officials.approve(database, proposal, g.organiser, now()),
    "fallback": lambda database, proposal: other_addresses.approve(database, proposal, g.organiser, now()),
    "live": lambda database, proposal: publishing.approve(database, proposal, g.organiser, now()),
    "schedule": lambda database, proposal: publishing.approve(database, proposal, g.organiser, now()),
    "organiser": _decided(_organiser),
    "second factor": _decided(_take_off_second_factor),
    "serve": _decided(_serve),
    "close": _decided(lambda database, proposal: publishing.end(database, database.get_one(Notice, proposal.notice_id), now())),
    "cancel": _decided(_cancel),
    "remove official": _decided(lambda database, proposal: officials.remove(database, proposal.content["official"], now())),
} | dict.fromkeys(moderation.KINDS, _signatures)
