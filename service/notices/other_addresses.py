"""Story: letters to an office go to its other address once two organisers have said so, and to none before.

A failure may be a mistake, or a lie. Names must not go to an address that nobody thought of any more because of one.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.errors import NotFound, Refused
from service.models import Delivery, Message, Official, Organiser, Proposal, Serving
from service.organisers import proposals
from service.servings import fallbacks

FAILED = ("refused", "bounced", "expired")


def propose(session: Session, number: int, author: Organiser, now: datetime) -> Proposal:
    """Raises NotFound; Refused where there is no other address, or no need of it."""
    official = _find(session, number)
    _check(official)
    content = {"official": official.id, "office": official.office, "other_address": official.fallback_email}
    return proposals.propose(session, "fallback", None, content, author, now)


def approve(session: Session, proposal: Proposal, approver: Organiser, now: datetime) -> None:
    """From now on; and the last letter of each notice goes there, if it failed. Raises Refused, also after a change."""
    official = _find(session, proposal.content["official"])
    proposals.decide(session, proposal, "approved", approver, now)
    _check(official)
    if official.fallback_email != proposal.content["other_address"]:
        raise Refused("The other address has changed since this was proposed: refuse it, and propose it again.")
    official.fallback_since = now
    for delivery in _failed(session, official):
        fallbacks.send_again(session, delivery, official, now)


def _find(session: Session, number: int) -> Official:
    official = session.get(Official, number if number < 2**63 else 0)
    if official is None:
        raise NotFound(f"there is no official {number}")
    return official


def _check(official: Official) -> None:
    if not official.fallback_email:
        raise Refused("No other address is on record for this office.")
    if official.bounced_at is None or official.removed_at is not None or official.objected_at is not None:
        raise Refused("Letters to the first address have not failed, or the office gets none any more.")
    if official.fallback_since is not None:
        raise Refused("Its letters go to the other address already.")


def _failed(session: Session, official: Official) -> list[Delivery]:
    """The last letter of each notice to this office, and its corrections, where they failed at the first address."""
    theirs = (Delivery.official_id == official.id, Serving.rehearsal.is_(False))
    last = select(func.max(Serving.id)).join(Delivery, Delivery.serving_id == Serving.id).where(*theirs)
    rows = (
        select(Delivery)
        .join(Message, Message.id == Delivery.message_id)
        .join(Serving, Serving.id == Delivery.serving_id)
        .where(*theirs, Serving.id.in_(last.group_by(Serving.notice_id)))
        .where(Message.state.in_(FAILED), Message.email == official.email)
    )
    return list(session.scalars(rows.order_by(Delivery.id)))
