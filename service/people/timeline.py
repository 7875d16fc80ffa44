"""Story: everything that happened between us and one mailbox, for an organiser who is asked about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core.keyed_hashes import keyed_hash
from service.emails.suppressions import hold_of, suppression_of
from service.models import Arrival, Attempt, Bounce, Consent, Edition, Mailing, Message, Notice, Signature, Subscription
from service.organisers import audit

MOST = 500
"""The newest of each kind."""
ACTS = {"asked": "Asked for", "confirmed": "Confirmed", "withdrawn": "Took back", "imported": "Imported"}
LETTERS = {
    "confirm": "asked to confirm", "already": "said what is so already", "manage_link": "brought a link to manage",
    "reactivate": "asked whether we may write again", "withdrawn": "said that organisers withdrew the signature",
    "struck": "said that the signature was struck out",
}  # fmt: skip
FAILURES = {"complaint": "Called it spam", "lifted": "Suppression lifted", "delayed": "Delayed"}


class Happening(NamedTuple):
    """One line: what, and in whose words."""

    at: datetime
    what: str
    said: str = ""


def of(session: Session, mailbox: str) -> list[Happening]:
    """All that happened with a mailbox, the newest first."""
    events = [
        happening
        for kind in (_consents, _signatures, _letters, _copies, _arrivals, _failures, _audit)
        for happening in kind(session, mailbox)
    ]
    if (suppression := suppression_of(session, mailbox)) is not None:
        events.append(Happening(suppression.at, "Written to no more", suppression.reason))
    if (hold := hold_of(session, mailbox)) is not None:
        events.append(Happening(hold.at, "Not written to until an organiser has looked", "far more failed than is usual"))
    return sorted(events, key=lambda row: row.at, reverse=True)


def _consents(session: Session, mailbox: str) -> Iterator[Happening]:
    for consent in session.scalars(select(Consent).where(Consent.mailbox == mailbox).order_by(Consent.id.desc()).limit(MOST)):
        yield Happening(
            consent.at,
            f"{ACTS.get(consent.act, consent.act)} {_purpose(consent.purpose)}, by {consent.channel}",
            consent.wording,
        )


def _purpose(purpose: str) -> str:
    kind, _, what = purpose.partition(":")
    return f"the list {what}" if kind == "list" else f"a signature of the edition {what[:12]}…"


def _signatures(session: Session, mailbox: str) -> Iterator[Happening]:
    rows = session.execute(
        select(Signature, Notice.title)
        .join(Edition, Edition.id == Signature.edition_id)
        .join(Notice, Notice.id == Edition.notice_id)
        .where(Signature.mailbox == mailbox)
    )
    for signature, title in rows:
        steps = ((signature.confirmed_at, "Signed"), (signature.withdrawn_at, "Withdrew"), (signature.struck_at, "Struck out:"))
        for at, verb in steps:
            if at is not None:
                yield Happening(
                    at, f"{verb} “{title}” as {signature.name}", f"number {signature.sequence}" if signature.sequence else ""
                )


def _letters(session: Session, mailbox: str) -> Iterator[Happening]:
    statement = select(Message).where(Message.mailbox == mailbox, Message.mailing_id.is_(None))
    letters = list(session.scalars(statement.order_by(Message.created_at.desc()).limit(MOST)))
    for tried in session.scalars(select(Attempt).where(Attempt.message_id.in_([letter.id for letter in letters]))):
        yield Happening(tried.at, f"Letter {tried.message_id} tried", _replies(tried))
    for letter in letters:
        kind = LETTERS.get(letter.kind, letter.kind.replace("_", " "))
        yield Happening(letter.created_at, f"Letter {letter.id} {kind}: {letter.state}", _reply(letter))


def _reply(message: Message) -> str:
    return f"{message.reply_code or ''} {message.reply_text}".strip()


def _replies(attempt: Attempt) -> str:
    replies = [
        f"{reply.get('command', '')} {reply.get('code', '')} {reply.get('text', '')}".strip() for reply in attempt.replies[-3:]
    ]
    return "; ".join(replies) or attempt.outcome


def _copies(session: Session, mailbox: str) -> Iterator[Happening]:
    """Copies of mailings, found mailing by mailing in the index of each: all that a million others got is left alone."""
    subscription_ids = list(session.scalars(select(Subscription.id).where(Subscription.mailbox == mailbox)))
    rows = session.execute(
        select(Message, Mailing.subject)
        .join(Mailing, Mailing.id == Message.mailing_id)
        .where(Message.mailing_id.in_(select(Mailing.id)), Message.subscription_id.in_(subscription_ids))
    )
    for copy, subject in rows:
        yield Happening(copy.settled_at or copy.created_at, f"Update “{subject}”: {copy.state}", _reply(copy))


def _arrivals(session: Session, mailbox: str) -> Iterator[Happening]:
    for arrival in session.scalars(select(Arrival).where(Arrival.mailbox == mailbox).order_by(Arrival.id.desc()).limit(MOST)):
        yield Happening(arrival.received_at, f"Mail came in: {arrival.kind or 'not read yet'}", arrival.outcome)


def _failures(session: Session, mailbox: str) -> Iterator[Happening]:
    condition = Bounce.hash == keyed_hash(mailbox)
    for bounce in session.scalars(select(Bounce).where(condition).order_by(Bounce.id.desc()).limit(MOST)):
        yield Happening(
            bounce.at, FAILURES.get(bounce.kind, f"Came back: {bounce.kind}"), f"{bounce.status} {bounce.text}".strip()
        )


def _audit(session: Session, mailbox: str) -> Iterator[Happening]:
    for entry in audit.search(session, words=audit.person(mailbox)):
        who = f"Organiser {entry.organiser_id}" if entry.organiser_id else "A command"
        yield Happening(entry.at, f"{who}: {entry.act}", str(entry.details.get("reason", "")))
