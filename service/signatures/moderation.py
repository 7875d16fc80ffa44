"""Story: what organisers do to a signature: hide its name, show it again, withdraw it for its signer, strike it out.

Hiding concerns public pages only: the officials get the name and it counts as before. Striking out is for what is false or
abusive; it cannot be undone and takes two organisers (a proposal), and so does anything that is done to many at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service import states
from service.confirmations import confirmation_requests, consents
from service.emails import catalogue
from service.errors import NotFound, Refused
from service.models import AuditEntry, Edition, Notice, Organiser, Proposal, Signature
from service.organisers import proposals
from service.signatures import count, pending_signatures

UNDO = timedelta(days=30)
"""How long a signer can undo that organisers withdrew the signature."""
ALONE = 10
"""So many signatures one organiser withdraws in 24 hours; what goes beyond is many at once."""
MOST = 1_000
"""Signatures of one proposal."""
LETTERS_A_MINUTE = 30
"""Letters about many at once leave slowly, because confirmations must not wait behind them."""
KINDS = ("hide", "show", "withdraw", "strike")
WITHDRAWN_ALONE = "withdraw signature"
"""The act under which the audit keeps that one organiser withdrew a signature."""


def find(session: Session, number: int) -> Signature:
    signature = session.get(Signature, number if number < 2**63 else 0)
    if signature is None:
        raise NotFound(f"there is no signature with the ID {number}")
    return signature


def takes_two(session: Session, kind: str, numbers: Sequence[int], organiser_id: int | None, now: datetime) -> bool:
    """Whether a second organiser has to approve it. `organiser_id` None: a command."""
    if kind == "strike" or len(numbers) > 1:
        return True
    by_organiser = AuditEntry.organiser_id.is_(None) if organiser_id is None else AuditEntry.organiser_id == organiser_id
    lately = (by_organiser, AuditEntry.act == WITHDRAWN_ALONE, AuditEntry.at > now - timedelta(days=1))
    return kind == "withdraw" and (session.scalar(select(func.count(AuditEntry.id)).where(*lately)) or 0) >= ALONE


def act(session: Session, kind: str, signature: Signature, now: datetime, due_at: datetime | None = None) -> bool:
    """Hides, shows, withdraws or strikes out; returns whether a letter tells the signer. Raises Refused, with a sentence."""
    check(kind, signature)
    match kind:
        case "hide":
            signature.hidden_at = now
        case "show":
            signature.hidden_at = None
        case "withdraw":
            return _withdraw(session, signature, now, due_at or now)
        case "strike":
            return _strike(session, signature, now, due_at or now)
    return False


def check(kind: str, signature: Signature) -> None:
    """Raises Refused where the signature is in the wrong state for this."""
    if kind not in KINDS:
        raise Refused("Choose one of the buttons.")
    which = f"Signature {signature.id}"
    if signature.state == "pending":
        raise Refused(f"{which} is not confirmed: it counts for nothing and stands on no page.")
    if signature.state != "confirmed":
        raise Refused(f"{which} {STANDS[signature.state](signature)}, and counts no more.")
    if kind == "hide" and signature.hidden_at is not None:
        raise Refused(f"The name of signature {signature.id} is hidden already.")
    if kind == "show" and signature.hidden_at is None:
        raise Refused(f"The name of signature {signature.id} is not hidden.")


STANDS: dict[str, Callable[[Signature], str]] = {
    "withdrawn": lambda signature: f"was withdrawn on {_day(signature.withdrawn_at)}",
    "struck": lambda signature: f"was struck out on {_day(signature.struck_at)}",
}


def _day(at: datetime | None) -> str:
    return f"{at.day} {at:%B %Y}" if at else "an unknown day"


def _withdraw(session: Session, signature: Signature, now: datetime, due_at: datetime) -> bool:
    before = {"created_at": signature.created_at.isoformat()}
    if not count.withdraw(session, signature, now):
        raise Refused(f"Signature {signature.id} was changed meanwhile: look at it again.")
    edition = session.get_one(Edition, signature.edition_id)
    wording, purpose = pending_signatures.wording(session, edition), f"sign:{edition.hash}"
    consents.record_consent(session, signature.mailbox, purpose, "withdrawn", "organiser", wording, now)
    if not signature.email:  # its notice was closed long ago, and the person is forgotten
        return False
    item = confirmation_requests.Item(signature, before)
    request = confirmation_requests.open_for(session, signature.email, [item], UNDO, now, purpose="count again")
    return catalogue.withdrawn(session, signature, request, edition, now, due_at) is not None


def _strike(session: Session, signature: Signature, now: datetime, due_at: datetime) -> bool:
    count.hold_notice(session, signature)
    if not count.strike(session, signature, now):
        raise Refused(f"Signature {signature.id} was changed meanwhile: look at it again.")
    edition = session.get_one(Edition, signature.edition_id)
    return bool(signature.email) and catalogue.struck(session, signature, edition, now, due_at) is not None


def propose(
    session: Session, kind: str, numbers: Iterable[int], reason: str, author: Organiser | None, now: datetime
) -> Proposal:  # fmt: skip
    """For another organiser to approve; `author` None: a command. Raises Refused and NotFound before anything is written."""
    signatures = [find(session, number) for number in sorted(set(numbers))]
    if len(signatures) > MOST:
        raise Refused(f"Name at most {MOST:,} signatures at a time.")
    for signature in signatures:
        check(kind, signature)
    content = {"signatures": [signature.id for signature in signatures], "reason": reason}
    waiting = [proposal for proposal in proposals.waiting(session) if proposal.kind == kind and proposal.content != content]
    proposed = {number for proposal in waiting for number in proposal.content["signatures"]}
    for signature in signatures:
        if signature.id in proposed:
            raise Refused(f"That is proposed for signature {signature.id} already, and waits for another organiser.")
    notices = {_notice(session, signature) for signature in signatures}
    return proposals.propose(session, kind, notices.pop() if len(notices) == 1 else None, content, author, now)


def proposed(session: Session) -> dict[int, list[Proposal]]:
    """What waits for a second organiser, by the signature that it is about."""
    proposals_by_signature: dict[int, list[Proposal]] = {}
    for proposal in proposals.waiting(session):
        for number in proposal.content["signatures"] if proposal.kind in KINDS else ():
            proposals_by_signature.setdefault(number, []).append(proposal)
    return proposals_by_signature


def _notice(session: Session, signature: Signature) -> Notice:
    return session.get_one(Edition, signature.edition_id).notice


def approve(session: Session, proposal: Proposal, approver: Organiser, now: datetime) -> list[Signature]:
    """Does what was proposed to each signature for which it still is right, and returns these. Raises Refused where none is."""
    proposals.decide(session, proposal, "approved", approver, now)
    rows = select(Signature).join(Edition, Edition.id == Signature.edition_id)
    named = rows.where(Signature.id.in_(proposal.content["signatures"])).order_by(Edition.notice_id, Signature.id)
    done: list[Signature] = []
    for signature in session.scalars(named).all():
        try:
            act(session, proposal.kind, signature, now, now + timedelta(minutes=len(done) // LETTERS_A_MINUTE))
        except Refused:  # withdrawn, erased or decided otherwise since it was proposed
            continue
        done.append(signature)
    if not done:
        raise Refused("Nothing is left to do: the signatures have changed since this was proposed. Take it back or refuse it.")
    return done


def let_sign_again(session: Session, signature: Signature, now: datetime) -> None:
    """An objection was right: the signer may sign again, by the form. Raises Refused where it is not struck out."""
    condition = Signature.id == signature.id
    if not states.claim(session, Signature, "struck", "withdrawn", condition, withdrawn_at=now):
        raise Refused(f"Signature {signature.id} is not struck out.")
    session.refresh(signature)
