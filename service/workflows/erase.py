"""Story: forgetting a mailbox (UK GDPR Art 17), in every table that can hold its owner.

What stays stands in service/people/retention_rules.py, each with its end: a keyed hash, the list that officials have.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from markupsafe import escape
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from service import states
from service.core import db
from service.core.config import settings
from service.core.keyed_hashes import keyed_hash
from service.emails.suppressions import suppress
from service.models import (
    Arrival,
    Bounce,
    Complaint,
    Consent,
    Day,
    Hold,
    Letter,
    Mailing,
    Message,
    OutcomeCount,
    RawMail,
    Request,
    Serving,
    Signature,
    Subscription,
)  # fmt: skip
from service.organisers.small_counts import SMALLEST
from service.people import erasure_log
from service.people.forget_letters import forget_letters
from service.text import email_addresses

FEW = 20
"""Counts of a receiving domain below this may be those of one household; they go with whoever is erased."""
WEEK = 8
COPIES_KEPT = timedelta(days=30)


def erase(session: Session, mailbox: str, now: datetime) -> None:
    """Forgets a mailbox. What stays is a keyed hash: on the list of those we must not write to, and on the record of consent.

    Signatures are withdrawn before this by their own story, so that counts stay right.
    """
    erasure_log.note(mailbox, now)
    _forget_in_servings(session, list(session.scalars(select(Signature).where(Signature.mailbox == mailbox))))
    statement = select(Subscription.id).where(Subscription.mailbox == mailbox)
    letters = select(Message.id).where(Message.mailbox == mailbox, Message.mailing_id.is_(None))
    copies = select(Message.id).where(Message.mailing_id.in_(select(Mailing.id)), Message.subscription_id.in_(statement))
    for message_ids in (list(session.scalars(letters)), list(session.scalars(copies))):
        states.claim(session, Message, "queued", "suppressed", Message.id.in_(message_ids), settled_at=now)
        forget_letters(session, message_ids)
    _forget_what_they_wrote(session, mailbox)
    _forget_complaints(session, mailbox)
    _forget_their_domain(session, mailbox, now)
    for model in (Signature, Subscription, Request):
        session.execute(delete(model).where(model.mailbox == mailbox))
    for noted in (Bounce, Hold):
        session.execute(delete(noted).where(noted.hash == keyed_hash(mailbox)))
    session.execute(update(Consent).where(Consent.mailbox == mailbox).values(mailbox=keyed_hash(mailbox)))
    suppress(session, mailbox, "erased at their own request", now, "erased")
    db.overwrite_after(session)


def _forget_what_they_wrote(session: Session, mailbox: str) -> None:
    """Also messages whose From names this address among others, so that they are nobody's for certain."""
    named = Arrival.mailbox.is_(None) & func.lower(Arrival.written_by).contains(mailbox, autoescape=True)
    theirs = (Arrival.mailbox == mailbox) | named
    raw = select(Arrival.raw_id).where(theirs, Arrival.raw_id.is_not(None))
    session.execute(delete(RawMail).where(RawMail.id.in_(raw)))
    session.execute(delete(Arrival).where(theirs))


def _forget_in_servings(session: Session, signatures: list[Signature]) -> None:
    """Takes the names out of our copies of letters that officials have; a letter still on its way is left whole."""
    for signature in signatures:
        name = re.compile(rf"(?<!\w){re.escape(signature.name)}(?!\w)|(?<!\w){re.escape(str(escape(signature.name)))}(?!\w)")
        letters = (
            select(Letter)
            .join(Message, Message.id == Letter.message_id)
            .join(Serving, Serving.id == Letter.serving_id)
            .where(Serving.edition_id == signature.edition_id, Message.state.not_in(("queued", "sending", "unsure")))
        )
        for letter in session.scalars(letters) if signature.name else ():
            letter.text, letter.html = name.sub("(erased)", letter.text), name.sub("(erased)", letter.html)


def _forget_complaints(session: Session, mailbox: str) -> None:
    """That there was one stays, with its days; who wrote it, and what, goes."""
    wrote = session.execute(select(Complaint.id, Complaint.email).where(Complaint.email != ""))
    theirs = [complaint.id for complaint in wrote if email_addresses.mailbox(complaint.email) == mailbox]
    nothing = {"name": "", "email": "", "text": "(erased at their own request)"}
    session.execute(update(Complaint).where(Complaint.id.in_(theirs)).values(**nothing))


def _forget_their_domain(session: Session, mailbox: str, now: datetime) -> None:
    """A domain that few write from says who they are."""
    host = email_addresses.domain(mailbox)
    subjects = [f"{now - timedelta(days=back):%Y-%m-%d} {host}" for back in range(WEEK)]
    counted = (OutcomeCount.scope == "domain", OutcomeCount.subject.in_(subjects), OutcomeCount.settled < FEW)
    session.execute(delete(OutcomeCount).where(*counted))
    session.execute(delete(Day).where(Day.domain == host, Day.requested < SMALLEST))


def forget_copies(now: datetime) -> int:
    """Copies that were made before a restore, older than a month; how many they were."""
    since = (now - COPIES_KEPT).timestamp()
    old = [path for path in settings().var_dir.glob("before-restore-*.zip") if path.stat().st_mtime < since]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
