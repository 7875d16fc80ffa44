"""Story: what we hold about a mailbox, shown to whoever has a fresh link; copied (Art 15). It is erased by
service/workflows/erase.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.confirmations import confirmation_requests
from service.core.keyed_hashes import keyed_hash
from service.emails.suppressions import Barrier, barrier_of
from service.errors import NotFound
from service.models import (
    Arrival,
    Bounce,
    Complaint,
    Consent,
    Edition,
    Mailing,
    Message,
    Notice,
    Request,
    Signature,
    Subscription,
)  # fmt: skip
from service.text import email_addresses


@dataclass(frozen=True)
class Holdings:
    mailbox: str
    signatures: list[tuple[Signature, Edition, Notice]]
    subscriptions: list[Subscription]
    consents: list[Consent]
    letters: list[Message]
    arrivals: list[Arrival]
    failures: list[Bounce]
    barrier: Barrier | None


def of(session: Session, mailbox: str) -> Holdings:
    signed = session.execute(
        select(Signature, Edition, Notice)
        .join(Edition, Edition.id == Signature.edition_id)
        .join(Notice, Notice.id == Edition.notice_id)
        .where(Signature.mailbox == mailbox)
        .order_by(Signature.id)
    )
    return Holdings(
        mailbox,
        [row._tuple() for row in signed],
        list(session.scalars(select(Subscription).where(Subscription.mailbox == mailbox).order_by(Subscription.id))),
        list(session.scalars(select(Consent).where(Consent.mailbox == mailbox).order_by(Consent.id))),
        list(session.scalars(select(Message).where(Message.mailbox == mailbox, Message.mailing_id.is_(None)))),
        list(session.scalars(select(Arrival).where(Arrival.mailbox == mailbox).order_by(Arrival.id))),
        list(session.scalars(select(Bounce).where(Bounce.hash == keyed_hash(mailbox)).order_by(Bounce.id))),
        barrier_of(session, mailbox),
    )


def signature(session: Session, mailbox: str, signature_id: str) -> Signature:
    """One of this mailbox's signatures; anybody else's does not exist here. Raises NotFound."""
    conditions = (Signature.mailbox == mailbox, Signature.id == _number(signature_id))
    signature = session.scalar(select(Signature).where(*conditions))
    if signature is None:
        raise NotFound("no such signature")
    return signature


def subscription(session: Session, mailbox: str, subscription_id: str) -> Subscription:
    conditions = (Subscription.mailbox == mailbox, Subscription.id == _number(subscription_id))
    subscription = session.scalar(select(Subscription).where(*conditions))
    if subscription is None:
        raise NotFound("no such subscription")
    return subscription


def _number(text: str) -> int:
    return int(text) if text.isdigit() and len(text) < 15 else 0


def export(session: Session, held: Holdings) -> dict[str, object]:
    """Everything, as one JSON document."""
    return {
        "mailbox": held.mailbox,
        "signatures": [
            {"notice": notice.title, "edition": edition.hash, "name": row.name, "email": row.email, "clp": row.clp,
             "office": row.office, "display": row.display, "state": row.state, "number": row.sequence,
             "asked_at": _iso(row.created_at), "confirmed_at": _iso(row.confirmed_at), "withdrawn_at": _iso(row.withdrawn_at),
             "struck_at": _iso(row.struck_at), "hidden_at": _iso(row.hidden_at),
             "nonce": row.nonce.hex() if row.nonce else None, "mark_of_the_visitor_who_confirmed": row.visitor}
            for row, edition, notice in held.signatures
        ],
        "subscriptions": [
            {"list": subscription.mailing_list.title, "name": subscription.name, "email": subscription.email,
             "clp": subscription.clp, "office": subscription.office, "state": subscription.state,
             "asked_at": _iso(subscription.created_at), "confirmed_at": _iso(subscription.confirmed_at),
             "left_at": _iso(subscription.left_at)}
            for subscription in held.subscriptions
        ],
        "consents": [
            {"purpose": consent.purpose, "act": consent.act, "channel": consent.channel, "wording": consent.wording,
             "wording_sha256": consent.wording_hash, "at": _iso(consent.at)}
            for consent in held.consents
        ],
        "letters": [
            {"kind": letter.kind, "to": letter.email, "state": letter.state, "at": _iso(letter.created_at),
             "server_said": letter.reply_text, "mark_of_who_asked": letter.asked_by}
            for letter in held.letters
        ],
        "updates": _updates(session, held),
        "requests": _requests(session, held),
        "complaints": _complaints(session, held),
        "came_in": [
            {"kind": arrival.kind, "at": _iso(arrival.received_at), "what_came_of_it": arrival.outcome,
             "from": arrival.written_by, "subject": arrival.subject, "text": arrival.body, "files": arrival.files,
             "envelope_from": arrival.sender,
             "to": arrival.recipient, "address_of_the_machine_that_brought_it": arrival.peer}
            for arrival in held.arrivals
        ],
        "failures": [
            {"kind": failure.kind, "at": _iso(failure.at), "status": failure.status,
             "server_said": failure.text, "domain": failure.domain}
            for failure in held.failures
        ],
        "not_written_to": held.barrier and {"because": held.barrier.cause, "since": _iso(held.barrier.at)},
    }  # fmt: skip


def _updates(session: Session, held: Holdings) -> list[dict[str, object]]:
    """Copies of mailings, which name their reader by the subscription alone."""
    rows = session.execute(
        select(Message, Mailing.subject)
        .join(Mailing, Mailing.id == Message.mailing_id)
        .where(
            Message.subscription_id.in_([subscription.id for subscription in held.subscriptions]),
            Message.mailing_id.in_(select(Mailing.id)),
        )
        .order_by(Message.id)
    )
    return [
        {"subject": subject, "state": row.state, "at": _iso(row.settled_at or row.created_at), "server_said": row.reply_text}
        for row, subject in rows
    ]


def _requests(session: Session, held: Holdings) -> list[dict[str, object]]:
    requests = session.scalars(select(Request).where(Request.mailbox == held.mailbox).order_by(Request.id))
    return [
        {"purpose": row.purpose, "email": row.email, "at": _iso(row.created_at), "used_at": _iso(row.used_at),
         "ends_at": _iso(row.expires_at), "forms": [item.details for item in row.items]}
        for row in requests
    ]  # fmt: skip


def _complaints(session: Session, held: Holdings) -> list[dict[str, object]]:
    complaints = session.scalars(select(Complaint).where(Complaint.email != "").order_by(Complaint.id))
    return [
        {"reference": row.reference, "name": row.name, "email": row.email, "text": row.text, "state": row.state,
         "at": _iso(row.received_at), "answered_at": _iso(row.answered_at)}
        for row in complaints if email_addresses.mailbox(row.email) == held.mailbox
    ]  # fmt: skip


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def opened_by(session: Session, token: str, now: datetime) -> Request:
    """The request behind a manage link. Raises NotFound, or Settled where it has run out."""
    return confirmation_requests.find(session, "manage", token, now)


@dataclass(frozen=True)
class TakenBack:
    """What the link of a receipt can take back; it shows nothing else, since letters are forwarded and looked into."""

    signatures: list[tuple[Signature, Edition]]
    subscriptions: list[Subscription]


def taken_back_by(session: Session, request: Request) -> TakenBack | None:
    """None for a fresh link, which opens everything. A receipt of former versions names no rows: all of its mailbox count."""
    if request.expires_at is not None:
        return None
    about = [(item.signature_id, item.subscription_id) for item in request.items]
    signed = select(Signature, Edition).join(Edition, Edition.id == Signature.edition_id)
    signed = signed.where(Signature.mailbox == request.mailbox, Signature.state == "confirmed")
    listed = select(Subscription).where(Subscription.mailbox == request.mailbox, Subscription.state == "confirmed")
    if about:
        signed = signed.where(Signature.id.in_([number for number, _ in about if number]))
        listed = listed.where(Subscription.id.in_([number for _, number in about if number]))
    signatures = [row._tuple() for row in session.execute(signed.order_by(Signature.id))]
    return TakenBack(signatures, list(session.scalars(listed.order_by(Subscription.id))))
