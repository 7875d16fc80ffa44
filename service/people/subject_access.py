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
    mine = (Signature.mailbox == mailbox, Signature.id == _number(signature_id))
    found = session.scalar(select(Signature).where(*mine))
    if found is None:
        raise NotFound("no such signature")
    return found


def subscription(session: Session, mailbox: str, subscription_id: str) -> Subscription:
    mine = (Subscription.mailbox == mailbox, Subscription.id == _number(subscription_id))
    found = session.scalar(select(Subscription).where(*mine))
    if found is None:
        raise NotFound("no such subscription")
    return found


def _number(text: str) -> int:
    return int(text) if text.isdigit() and len(text) < 15 else 0


def export(session: Session, held: Holdings) -> dict[str, object]:
    """Everything, as one JSON document."""
    return {
        "mailbox": held.mailbox,
        "signatures": [
            {"notice": notice.title, "edition": edition.hash, "name": one.name, "email": one.email, "clp": one.clp,
             "office": one.office, "display": one.display, "state": one.state, "number": one.sequence,
             "asked_at": _iso(one.created_at), "confirmed_at": _iso(one.confirmed_at), "withdrawn_at": _iso(one.withdrawn_at),
             "struck_at": _iso(one.struck_at), "hidden_at": _iso(one.hidden_at),
             "nonce": one.nonce.hex() if one.nonce else None, "mark_of_the_visitor_who_confirmed": one.visitor}
            for one, edition, notice in held.signatures
        ],
        "subscriptions": [
            {"list": one.mailing_list.title, "name": one.name, "email": one.email, "clp": one.clp, "office": one.office,
             "state": one.state, "asked_at": _iso(one.created_at), "confirmed_at": _iso(one.confirmed_at),
             "left_at": _iso(one.left_at)}
            for one in held.subscriptions
        ],
        "consents": [
            {"purpose": one.purpose, "act": one.act, "channel": one.channel, "wording": one.wording,
             "wording_sha256": one.wording_hash, "at": _iso(one.at)}
            for one in held.consents
        ],
        "letters": [
            {"kind": one.kind, "to": one.email, "state": one.state, "at": _iso(one.created_at),
             "server_said": one.reply_text, "mark_of_who_asked": one.asked_by}
            for one in held.letters
        ],
        "updates": _updates(session, held),
        "requests": _requests(session, held),
        "complaints": _complaints(session, held),
        "came_in": [
            {"kind": one.kind, "at": _iso(one.received_at), "what_came_of_it": one.outcome, "from": one.written_by,
             "subject": one.subject, "text": one.body, "files": one.files, "envelope_from": one.sender,
             "to": one.recipient, "address_of_the_machine_that_brought_it": one.peer}
            for one in held.arrivals
        ],
        "failures": [
            {"kind": one.kind, "at": _iso(one.at), "status": one.status, "server_said": one.text, "domain": one.domain}
            for one in held.failures
        ],
        "not_written_to": held.barrier and {"because": held.barrier.cause, "since": _iso(held.barrier.at)},
    }  # fmt: skip


def _updates(session: Session, held: Holdings) -> list[dict[str, object]]:
    """Copies of mailings, which name their reader by the subscription alone."""
    rows = session.execute(
        select(Message, Mailing.subject)
        .join(Mailing, Mailing.id == Message.mailing_id)
        .where(Message.subscription_id.in_([one.id for one in held.subscriptions]), Message.mailing_id.in_(select(Mailing.id)))
        .order_by(Message.id)
    )
    return [
        {"subject": subject, "state": one.state, "at": _iso(one.settled_at or one.created_at), "server_said": one.reply_text}
        for one, subject in rows
    ]


def _requests(session: Session, held: Holdings) -> list[dict[str, object]]:
    found = session.scalars(select(Request).where(Request.mailbox == held.mailbox).order_by(Request.id))
    return [
        {"purpose": one.purpose, "email": one.email, "at": _iso(one.created_at), "used_at": _iso(one.used_at),
         "ends_at": _iso(one.expires_at), "forms": [item.details for item in one.items]}
        for one in found
    ]  # fmt: skip


def _complaints(session: Session, held: Holdings) -> list[dict[str, object]]:
    found = session.scalars(select(Complaint).where(Complaint.email != "").order_by(Complaint.id))
    return [
        {"reference": one.reference, "name": one.name, "email": one.email, "text": one.text, "state": one.state,
         "at": _iso(one.received_at), "answered_at": _iso(one.answered_at)}
        for one in found if email_addresses.mailbox(one.email) == held.mailbox
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
