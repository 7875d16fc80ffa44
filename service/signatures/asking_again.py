"""Story: earlier signers are asked again: to sign a new edition, or to be named to officials who were added since."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from service.confirmations import confirmation_requests, consents
from service.core.config import settings
from service.emails import catalogue, suppressions
from service.models import Asking, Edition, Notice, Official, Request, Signature
from service.signatures import pending_signatures

BATCH = 30
"""People of one turn of the clock: what LIMIT_DOMAIN lets out in an hour is for confirmations, which must not wait."""


def ask_some(session: Session, now: datetime) -> int:
    """Asks the next few; returns how many were looked at. Two clocks ask each once: the row is held."""
    open_ones = select(Asking).where(Asking.finished_at.is_(None)).order_by(Asking.id).limit(1)
    asking = session.scalar(open_ones.with_for_update(skip_locked=True))
    if asking is None:
        return 0
    edition = session.get_one(Edition, asking.edition_id)
    signers = list(session.scalars(_earlier(asking, edition).order_by(Signature.id).limit(BATCH)))
    for signer in signers:
        if not suppressions.is_suppressed(session, signer.mailbox):
            _ask(session, asking, edition, signer, now)
    if signers:
        asking.asked_to = signers[-1].id
    if len(signers) < BATCH or edition.notice.state != "live":
        asking.finished_at = now
    return len(signers)


def _earlier(asking: Asking, edition: Edition) -> Select[Signature]:
    """Confirmed signatures that the asking is about, after the last one asked."""
    statement = select(Signature).where(Signature.state == "confirmed", Signature.id > asking.asked_to, Signature.email != "")
    if asking.officials_added_at is None:
        earlier = select(Edition.id).join(Notice).where(Edition.notice_id == edition.notice_id, Edition.number < edition.number)
        return statement.where(Signature.edition_id.in_(earlier))
    agreed_at = func.coalesce(Signature.agreed_again_at, Signature.created_at)
    named = Signature.display.in_(("public", "officials"))
    return statement.where(Signature.edition_id == edition.id, named, agreed_at < asking.officials_added_at)


def _ask(session: Session, asking: Asking, edition: Edition, signature: Signature, now: datetime) -> None:
    if asking.officials_added_at is None:
        _ask_to_sign(session, edition, signature, now)
    else:
        _ask_to_be_named(session, edition, signature, asking.officials_added_at, now)


def _ask_to_sign(session: Session, edition: Edition, signature: Signature, now: datetime) -> None:
    """Nobody who has signed or been asked already."""
    same = (
        Signature.edition_id == edition.id,
        Signature.mailbox == signature.mailbox,
        Signature.name_key == signature.name_key,
    )
    details = {name: getattr(signature, name) for name in ("name", "email", "clp", "office", "display")}
    if session.scalar(select(Signature.id).where(*same)) is None:
        pending = pending_signatures.pending(session, edition, signature.mailbox, details, now)
        if pending is not None:
            _send(session, edition, pending, details, pending_signatures.wording(session, edition), [], now)


def _ask_to_be_named(session: Session, edition: Edition, signature: Signature, until: datetime, now: datetime) -> None:
    """To all officials added since this person last agreed, up to `until`: so that one time says to whom the name may go."""
    offices = _offices_to_agree_to(session, signature, until)
    if offices:
        details = {"officials": ", ".join(offices), "until": until.isoformat()}
        _send(session, edition, signature, details, _wording(details), offices, now)


def _offices_to_agree_to(session: Session, signature: Signature, until: datetime) -> list[str]:
    """Whoever was removed, or objected, gets nothing, and is not named."""
    since = signature.agreed_again_at or signature.created_at
    new = (Official.added_at > since, Official.added_at <= until)
    written_to = (Official.removed_at.is_(None), Official.objected_at.is_(None))
    return list(session.scalars(select(Official.office).where(*new, *written_to).order_by(Official.id)))


def offices_asked_about(session: Session, request: Request) -> dict[int, str]:
    """By signature, the offices that a letter asked about, as its page names them: some may have objected since."""
    asked = [
        (item.signature, item.details["until"]) for item in request.items if item.signature and "officials" in item.details
    ]
    return {
        signature.id: ", ".join(_offices_to_agree_to(session, signature, datetime.fromisoformat(until)))
        for signature, until in asked
    }


def _wording(details: dict[str, str]) -> str:
    return (
        "I agree that my name, with my support for this notice, which shows a political opinion, is given to: "
        f"{details['officials']}. I can withdraw at any time."
    )


def _send(
    session: Session,
    edition: Edition,
    signature: Signature,
    details: dict[str, str],
    wording: str,
    offices: list[str],
    now: datetime,
) -> None:
    session.flush()
    lasts = timedelta(days=settings().unconfirmed_days)
    request = confirmation_requests.open_for(
        session, signature.email, [confirmation_requests.Item(signature, details)], lasts, now
    )
    consents.record_consent(session, signature.mailbox, f"sign:{edition.hash}", "asked", "email", wording, now)
    catalogue.asked_again(session, request, signature, edition, offices, now)


def agree(session: Session, request: Request, now: datetime, channel: str = "web") -> list[Signature]:
    """A signer who is counted already agrees to be named to the officials whom the letter named, and to no later ones."""
    agreed = []
    offices = offices_asked_about(session, request)
    for item in request.items:
        signature = item.signature
        if signature is not None and offices.get(signature.id) and signature.state == "confirmed":
            signature.agreed_again_at = max(
                signature.agreed_again_at or signature.created_at, datetime.fromisoformat(item.details["until"])
            )
            edition = session.get_one(Edition, signature.edition_id)
            wording, purpose = _wording({"officials": offices[signature.id]}), f"sign:{edition.hash}"
            consents.record_consent(session, signature.mailbox, purpose, "confirmed", channel, wording, now)
            agreed.append(signature)
    return agreed
