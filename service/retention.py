"""What we forget, and when. Every table has its sentence here; a test refuses a table without one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, inspect, or_, select, update
from sqlalchemy.orm import Session

from service import brakes, states, visitors
from service.config import settings
from service.forgetting import forget_letters
from service.limits import ASKING
from service.models import (
    Arrival,
    Bounce,
    Complaint,
    Consent,
    Correction,
    Edition,
    Enclosure,
    Import,
    Letter,
    MailPolicy,
    Message,
    Notice,
    OrganiserSession,
    RawMail,
    Request,
    Serving,
    Signature,
    SignInLink,
    Subscription,
)  # fmt: skip
from service.models.mail import TO_OFFICIALS
from service.suppressions import keyed_hash

BATCH = 5_000
SETTLED = ("accepted", "bounced", "complained", "refused", "suppressed", "cancelled", "expired")
KEPT = "kept: "

RULES: dict[str, str] = {
    "signatures": "unconfirmed: UNCONFIRMED_DAYS; confirmed: pseudonymised PSEUDONYMISE_DAYS after the notice closes; "
    "a keyed mark of the visitor who confirmed, so that fraud is seen: 30 days",
    "subscriptions": "unconfirmed: UNCONFIRMED_DAYS; left: two years, so that an import cannot bring them back",
    "requests": "unconfirmed: UNCONFIRMED_DAYS; to be written to again: 30 days and UNCONFIRMED_DAYS; "
    "used: UNCONFIRMED_DAYS after they ran out; of a receipt: as what it manages",
    "request_items": "with their request",
    "consents": "never confirmed: UNCONFIRMED_DAYS; six years after a withdrawal (Limitation Act 1980 s.5); erased people "
    "and signers of notices closed long ago as a keyed hash",
    "messages": "to an address we hold nothing else of: UNCONFIRMED_DAYS; letters one by one: 90 days after they were settled; "
    "servings: kept; mailings: with the mailing",
    "letters": "30 days after they were accepted, for they may hold links; letters to officials: kept",
    "attempts": "with their message",
    "arrivals": "90 days after they came in",
    "raw_mail": "30 days after it came in",
    "former_tokens": KEPT + "one number, no personal data",
    "bounces": "a year; whose they are is a keyed hash; the receiving domain: 30 days",
    "suppressions": KEPT + "a keyed hash alone",
    "holds": "until an organiser has looked at the failures; a keyed hash alone, with the receiving domain",
    "brakes": "a year after they were judged; no personal data",
    "brake_decisions": "with their brake; no personal data",
    "outcome_counts": "of a receiving domain or an hour: a week; of a mailing: 30 days; counts alone",
    "reply_patterns": "a year after the last failure in such words; no personal data",
    "complaints": "six years after they were answered",
    "sign_in_links": "a day after they ran out",
    "organiser_sessions": "a day after they ran out",
    "organisers": KEPT + "until an administrator removes them; what they wrote and approved names them by number",
    "recovery_codes": "with their organiser's second factor",
    "audit_entries": KEPT + "who did what; people in it are a keyed hash",
    "imports": "the file: seven days; what became of it: a year",
    "import_lines": "with their import; no personal data",
    "days": KEPT + "counts alone",
    "officials": KEPT + "public offices, with the source of each address",
    "notices": KEPT + "public",
    "editions": KEPT + "public",
    "demands": KEPT + "public",
    "mail_policies": "what an official's domain says of its mail servers: until a day after its end; no personal data",
    "milestones": KEPT + "no personal data",
    "mailing_lists": KEPT + "no personal data",
    "mailings": KEPT + "public",
    "mailing_versions": KEPT + "what was written and approved",
    "mailing_seen": KEPT + "which version an organiser saw last",
    "mailing_reports": KEPT + "counts alone",
    "tallies": KEPT + "no personal data",
    "servings": KEPT + "the record of what was served",
    "deliveries": KEPT + "the record of what was served",
    "leaves": KEPT + "noise to whoever lacks the nonce, which goes with its signature",
    "tree_nodes": KEPT + "hashes of leaves",
    "manifests": KEPT + "the record of what was served; no names of signers",
    "evidence": KEPT + "the record of what was served; no names of signers",
    "proof_keys": KEPT + "public keys",
    "proposals": KEPT + "who changed what with whose approval",
    "askings": KEPT + "no personal data",
    "corrections": "sent: numbers of signatures alone, for a year",
    "failures": "until the job succeeds, or its row no longer waits; no personal data",
    "told_problems": "a day after the problem was over; no personal data",
    "enclosures": "emptied PSEUDONYMISE_DAYS after the notice closes; its hash is kept",
}


def run(session: Session, now: datetime) -> dict[str, int]:
    """Forgets one batch of everything that is due; returns how many rows of each kind. Called until nothing is left."""
    return {name: rule(session, now) for name, rule in STEPS.items()}


def _unconfirmed_signatures(session: Session, now: datetime) -> int:
    """Whoever had withdrawn has withdrawn still: with the row its proof would go, and the link that undoes it."""
    over = (Signature.state == "pending", Signature.created_at < now - _unconfirmed())
    again = select(Signature.id).where(*over, Signature.withdrawn_at.is_not(None)).limit(BATCH)
    back = states.claim(session, Signature, "pending", "withdrawn", Signature.id.in_(again))
    return back + _delete(session, Signature, *over, Signature.withdrawn_at.is_(None))


def _unconfirmed_subscriptions(session: Session, now: datetime) -> int:
    """Whoever had left before has left still: else an import could bring them back."""
    over = (Subscription.state == "pending", Subscription.created_at < now - _unconfirmed())
    again = select(Subscription.id).where(*over, Subscription.left_at.is_not(None)).limit(BATCH)
    back = states.claim(session, Subscription, "pending", "left", Subscription.id.in_(again))
    return back + _delete(session, Subscription, *over, Subscription.left_at.is_(None))


def _left_subscriptions(session: Session, now: datetime) -> int:
    return _delete(session, Subscription, Subscription.state == "left", Subscription.left_at < now - timedelta(days=730))


def _unconfirmed() -> timedelta:
    return timedelta(days=settings().unconfirmed_days)


def _requests(session: Session, now: datetime) -> int:
    over = or_(
        Request.expires_at < now - _unconfirmed(),
        ~_held(Request.mailbox) & Request.reactivates.is_(False) & (Request.created_at < now - _unconfirmed()),
    )
    return _delete(session, Request, over)


def _held(mailbox: Any) -> ColumnElement[bool]:
    """Whether we hold a signature or a subscription of this mailbox; without, it is a stranger's."""
    return or_(exists().where(Signature.mailbox == mailbox), exists().where(Subscription.mailbox == mailbox))


def _asked(session: Session, now: datetime) -> int:
    """Wishes that nobody confirmed in time."""
    later = Consent.__table__.alias()
    answered = exists().where(
        later.c.mailbox == Consent.mailbox, later.c.purpose == Consent.purpose, later.c.act != "asked"
    )  # fmt: skip
    return _delete(session, Consent, Consent.act == "asked", Consent.at < now - _unconfirmed(), ~answered)


def _strangers(session: Session, now: datetime) -> int:
    """Letters that a form made us send to an address of which we hold nothing: what they said, and to whom."""
    over = (Message.kind.in_(ASKING), Message.created_at < now - _unconfirmed(), Message.state.in_(SETTLED))
    chosen = select(Message.id).where(*over, Message.mailbox.is_not(None), ~_held(Message.mailbox)).limit(BATCH)
    return len(forget_letters(session, list(session.scalars(chosen))))


def _letters(session: Session, now: datetime) -> int:
    mine = (Message.mailing_id.is_(None), Message.kind.not_in(TO_OFFICIALS))
    settled = select(Message.id).where(*mine, *_settled_before(now - timedelta(days=30)))
    return _delete(session, Letter, Letter.message_id.in_(settled))


def _messages(session: Session, now: datetime) -> int:
    settled = (Message.mailing_id.is_(None), Message.kind.not_in(TO_OFFICIALS), *_settled_before(now - timedelta(days=90)))
    return _delete(session, Message, *settled)


def _settled_before(when: datetime) -> tuple[ColumnElement[bool], ...]:
    """Also letters that were cancelled before anybody tried to send them, which have no time of their own."""
    return Message.state.in_(SETTLED), func.coalesce(Message.settled_at, Message.created_at) < when


def _consents(session: Session, now: datetime) -> int:
    later = Consent.__table__.alias()
    withdrawn = exists().where(
        later.c.mailbox == Consent.mailbox, later.c.purpose == Consent.purpose, later.c.act == "withdrawn",
        later.c.at < now - timedelta(days=6 * 365), later.c.id >= Consent.id,
    )  # fmt: skip
    return _delete(session, Consent, withdrawn)


def _names(session: Session, now: datetime) -> int:
    """Signatures of notices closed long ago keep their number and display, and nothing of the person."""
    closed = select(Edition.id).join(Notice).where(Notice.closed_at < now - timedelta(days=settings().pseudonymise_days))
    rows = session.scalars(select(Signature).where(Signature.edition_id.in_(closed), Signature.email != "").limit(BATCH)).all()
    hashes = dict(session.execute(select(Edition.id, Edition.hash).where(Edition.id.in_(closed))).tuples().all())
    for row in rows:
        mine = (Consent.mailbox == row.mailbox, Consent.purpose == f"sign:{hashes[row.edition_id]}")
        session.execute(update(Consent).where(*mine).values(mailbox=keyed_hash(row.mailbox)))
        row.mailbox = row.name_key = keyed_hash(f"{row.mailbox} {row.name_key}")
        row.email = row.name = row.clp = row.office = ""
        row.display = "count"
        row.nonce = row.withdrawal_nonce = None  # its leaves are noise from now on
    return len(rows)


def _enclosures(session: Session, now: datetime) -> int:
    closed = Notice.closed_at < now - timedelta(days=settings().pseudonymise_days)
    old = select(Serving.id).join(Notice, Notice.id == Serving.notice_id).where(closed)
    statement = update(Enclosure).where(Enclosure.serving_id.in_(old), Enclosure.content != b"").values(content=b"")
    return len(list(session.scalars(statement.returning(Enclosure.id).execution_options(synchronize_session=False))))


def _raw_mail(session: Session, now: datetime) -> int:
    """The bytes of what came in, once it is read and a month old, and of all that goes with the next rule."""
    read = Arrival.state.in_(("done", "quarantined")) & (Arrival.received_at < now - timedelta(days=30))
    old = select(Arrival.raw_id).where(Arrival.raw_id.is_not(None), read | (Arrival.received_at < now - timedelta(days=90)))
    return _delete(session, RawMail, RawMail.id.in_(old))


def _older(column: Any, days: int) -> Callable[[Session, datetime], int]:
    """Forgets the rows whose time, this column, is so many days ago."""
    return lambda session, now: _delete(session, column.class_, column < now - timedelta(days=days))


def _delete(session: Session, model: type[Any], *where: ColumnElement[bool]) -> int:
    (key,) = inspect(model).primary_key
    statement = delete(model).where(key.in_(select(key).where(*where).limit(BATCH))).returning(key)
    return len(list(session.scalars(statement.execution_options(synchronize_session=False))))


STEPS: dict[str, Callable[[Session, datetime], int]] = {
    "names": _names,  # before requests: those of a receipt end with what they manage
    "unconfirmed signatures": _unconfirmed_signatures,
    "unconfirmed subscriptions": _unconfirmed_subscriptions,
    "subscriptions left long ago": _left_subscriptions,
    "requests": _requests,
    "wishes": _asked,
    "strangers": _strangers,
    "letters": _letters,
    "messages": _messages,
    "consents": _consents,
    "complaints": _older(Complaint.answered_at, 6 * 365),
    "bytes that came in": _raw_mail,
    "mail that came in": _older(Arrival.received_at, 90),
    "bounces": _older(Bounce.at, 365),
    "what failures have in common": lambda session, now: brakes.forget(session, now, BATCH),
    "marks of visitors": visitors.forget,
    "policies of mail servers": _older(MailPolicy.ends_at, 1),
    "sign-in links": _older(SignInLink.expires_at, 1),
    "sessions": _older(OrganiserSession.expires_at, 1),
    "imports": _older(Import.created_at, 365),
    "enclosures": _enclosures,
    "corrections": _older(Correction.sent_at, 365),
}
