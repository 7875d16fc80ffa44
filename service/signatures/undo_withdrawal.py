"""Story: a signer undoes that organisers withdrew the signature, by the link of the letter that told of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.confirmations import confirmation_requests, consents
from service.errors import NotFound, Refused
from service.models import Consent, Edition, Request, Signature
from service.signatures import count, pending_signatures


def signature_of(request: Request) -> Signature:
    """The signature behind the link that undoes a withdrawal. Raises NotFound where it is held no more."""
    signature = request.items[0].signature if request.items else None
    if signature is None or not signature.email:
        raise NotFound("nothing is held any more about this signature")
    return signature


def count_again(session: Session, request: Request, now: datetime) -> Signature:
    """Its signer undoes that organisers withdrew it. Raises Settled where the link was used, Refused where it cannot count.

    It gets a new number, because a tree never counts one number twice; the officials' correction of the old one stays right,
    and the next letter names the new one, to those officials alone who might have the name before.
    """
    confirmation_requests.use(session, request, now)
    signature = signature_of(request)
    count.hold_notice(session, signature)
    if pending_signatures.household(session, signature.edition_id, signature.mailbox) >= pending_signatures.HOUSEHOLD:
        raise Refused(
            f"{pending_signatures.HOUSEHOLD} people have signed from this mailbox already, which is the most that we can count."
        )
    agreed = {"created_at": datetime.fromisoformat(request.items[0].details["created_at"])}
    if not any(count.count(session, signature, before, now, **agreed) for before in ("withdrawn", "pending")):
        raise Refused("This signature counts already, or was struck out.")
    edition = session.get_one(Edition, signature.edition_id)
    wording = _last_wording(session, signature, edition)
    consents.record_consent(session, signature.mailbox, f"sign:{edition.hash}", "confirmed", "web", wording, now)
    pending_signatures.send_receipt(session, signature, edition, now)
    return signature


def _last_wording(session: Session, signature: Signature, edition: Edition) -> str:
    """What the signer agreed to before; the wording of today may name officials who were added since."""
    conditions = (Consent.mailbox == signature.mailbox, Consent.purpose == f"sign:{edition.hash}", Consent.act == "confirmed")
    wording = session.scalar(select(Consent.wording).where(*conditions).order_by(Consent.id.desc()).limit(1))
    return wording or pending_signatures.wording(session, edition)
