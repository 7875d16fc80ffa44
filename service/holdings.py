"""Story: what we hold about a mailbox: shown, exported (UK GDPR Art 15), erased (Art 17)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from markupsafe import escape
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from service import erasures, requests, states
from service.errors import NotFound
from service.forgetting import forget_letters
from service.models import (
    Arrival,
    Bounce,
    Consent,
    Edition,
    Letter,
    Mailing,
    Message,
    Notice,
    RawMail,
    Request,
    Serving,
    Signature,
    Subscription,
)  # fmt: skip
from service.suppressions import Barrier, barrier_of, keyed_hash, suppress


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


def export(held: Holdings) -> dict[str, object]:
    """Everything, as one JSON document."""
    return {
        "mailbox": held.mailbox,
        "signatures": [
            {"notice": notice.title, "edition": edition.hash, "name": one.name, "email": one.email, "clp": one.clp,
             "office": one.office, "display": one.display, "state": one.state, "number": one.sequence,
             "asked_at": _iso(one.created_at), "confirmed_at": _iso(one.confirmed_at), "withdrawn_at": _iso(one.withdrawn_at),
             "struck_at": _iso(one.struck_at), "hidden_at": _iso(one.hidden_at),
             "nonce": one.nonce.hex() if one.nonce else None}
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
             "server_said": one.reply_text}
            for one in held.letters
        ],
        "came_in": [
            {"kind": one.kind, "at": _iso(one.received_at), "what_came_of_it": one.outcome, "from": one.written_by,
             "subject": one.subject, "text": one.body, "files": one.files}
            for one in held.arrivals
        ],
        "failures": [
            {"kind": one.kind, "at": _iso(one.at), "status": one.status, "server_said": one.text} for one in held.failures
        ],
        "not_written_to": held.barrier and {"because": held.barrier.cause, "since": _iso(held.barrier.at)},
    }  # fmt: skip


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def erase(session: Session, mailbox: str, now: datetime) -> None:
    """Forgets a mailbox. What stays is a keyed hash: on the list of those we must not write to, and on the record of consent.

    Signatures are withdrawn before this by their own story, so that counts stay right.
    """
    erasures.note(mailbox, now)
    _forget_in_servings(session, list(session.scalars(select(Signature).where(Signature.mailbox == mailbox))))
    mine = select(Subscription.id).where(Subscription.mailbox == mailbox)
    letters = select(Message.id).where(Message.mailbox == mailbox, Message.mailing_id.is_(None))
    copies = select(Message.id).where(Message.mailing_id.in_(select(Mailing.id)), Message.subscription_id.in_(mine))
    for found in (list(session.scalars(letters)), list(session.scalars(copies))):
        states.claim(session, Message, "queued", "suppressed", Message.id.in_(found), settled_at=now)
        forget_letters(session, found)
    _forget_what_they_wrote(session, mailbox)
    for model in (Signature, Subscription, Request):
        session.execute(delete(model).where(model.mailbox == mailbox))
    session.execute(delete(Bounce).where(Bounce.hash == keyed_hash(mailbox)))
    session.execute(update(Consent).where(Consent.mailbox == mailbox).values(mailbox=keyed_hash(mailbox)))
    suppress(session, mailbox, "erased at their own request", now, "erased")


def _forget_what_they_wrote(session: Session, mailbox: str) -> None:
    """Also messages whose From names this address among others, so that they are nobody's for certain."""
    named = Arrival.mailbox.is_(None) & func.lower(Arrival.written_by).contains(mailbox, autoescape=True)
    theirs = (Arrival.mailbox == mailbox) | named
    raw = select(Arrival.raw_id).where(theirs, Arrival.raw_id.is_not(None))
    session.execute(delete(RawMail).where(RawMail.id.in_(raw)))
    session.execute(delete(Arrival).where(theirs))


def _forget_in_servings(session: Session, signatures: list[Signature]) -> None:
    """Takes the names out of our copies of letters that officials have; a letter still on its way is left whole."""
    for one in signatures:
        name = re.compile(rf"(?<!\w){re.escape(one.name)}(?!\w)|(?<!\w){re.escape(str(escape(one.name)))}(?!\w)")
        letters = (
            select(Letter)
            .join(Message, Message.id == Letter.message_id)
            .join(Serving, Serving.id == Letter.serving_id)
            .where(Serving.edition_id == one.edition_id, Message.state.not_in(("queued", "sending", "unsure")))
        )
        for letter in session.scalars(letters) if one.name else ():
            letter.text, letter.html = name.sub("(erased)", letter.text), name.sub("(erased)", letter.html)


def opened_by(session: Session, token: str, now: datetime) -> Request:
    """The request behind a manage link. Raises NotFound, or Settled where it has run out."""
    return requests.find(session, "manage", token, now)


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
