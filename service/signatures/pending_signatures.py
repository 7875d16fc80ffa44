"""What a form and a second asking share: the wording, the pending row, how many names a mailbox may give."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import states
from service.confirmations import confirmation_requests
from service.core.config import settings
from service.emails import catalogue
from service.models import Edition, Official, Signature
from service.proof.encoding import encode
from service.proof_store import receipt_files
from service.text import person_names

HOUSEHOLD = 2
"""At most so many names at one mailbox, each confirmed by itself."""


def wording(session: Session, edition: Edition) -> str:
    """The consent that the form asks for, naming the officials who receive the name (UK GDPR Art 9(2)(a)).

    Whoever objected receives nothing more, and is not named.
    """
    present = select(Official.office, Official.objected_at).where(Official.removed_at.is_(None)).order_by(Official.id)
    officials = session.execute(present).all()
    offices = [official.office for official in officials if official.objected_at is None]
    if officials and not offices:
        return (
            "I agree that my support for this notice, which shows a political opinion, is recorded and counted. It is given to "
            "nobody now, because those whom the notice is addressed to asked for no more letters. I can withdraw at any time."
        )
    recipients = ", ".join(offices) if offices else edition.addressed_to
    return (
        f"I agree that my support for this notice, which shows a political opinion, is recorded and given to: {recipients}; "
        "in the way I chose above. I can withdraw at any time."
    )


def pending(session: Session, edition: Edition, key: str, details: dict[str, str], now: datetime) -> Signature | None:
    """The pending row for this name at this mailbox; None where it is confirmed or struck out, or the household is complete."""
    conditions = (Signature.edition_id == edition.id, Signature.mailbox == key)
    name_key = person_names.key(details["name"])
    signature = session.scalar(select(Signature).where(*conditions, Signature.name_key == name_key))
    if signature is None:
        if household(session, edition.id, key) >= HOUSEHOLD:
            return None
        signature = Signature(edition_id=edition.id, mailbox=key, name_key=name_key, state="pending", created_at=now, **details)
        try:
            with session.begin_nested():
                session.add(signature)
        except IntegrityError:  # the same form arrived twice at one time
            return pending(session, edition, key, details, now)
    if signature.state == "withdrawn":
        states.move(signature, "pending")
    if signature.state == "pending":
        signature.created_at = now  # an unconfirmed row is forgotten so many days after it was last asked for
    return signature if signature.state == "pending" else None


def why_not(session: Session, edition: Edition, key: str, name: str) -> str:
    """What the mailbox is told where this name is not asked to confirm: a whole sentence, or two."""
    same = (Signature.edition_id == edition.id, Signature.mailbox == key, Signature.name_key == person_names.key(name))
    if session.scalar(select(Signature.state).where(*same)) == "struck":
        return (
            f"Your signature of “{edition.title}” was struck out by the organisers, so nothing was changed. "
            f"If you think that this is wrong, write to {settings().contact_email}."
        )
    return f"Your mailbox has signed “{edition.title}” already, so nothing was changed."


def send_receipt(session: Session, signature: Signature, edition: Edition, now: datetime) -> None:
    """What opens its leaf, and a link to everything that we hold; to the signer of a signature that has just been counted."""
    document = encode(receipt_files.receipt(session, signature, edition)).decode()
    catalogue.receipt(
        session, signature, confirmation_requests.keep(session, signature.email, signature, now), edition, document, now
    )


def household(session: Session, edition_id: int, key: str) -> int:
    conditions = (Signature.edition_id == edition_id, Signature.mailbox == key, Signature.state == "confirmed")
    return session.scalar(select(func.count()).select_from(Signature).where(*conditions)) or 0
