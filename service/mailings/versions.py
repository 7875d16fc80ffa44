"""A mailing's words: checked when they are saved, kept as a version, and what an approval freezes of them."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.emails import catalogue_for_organisers
from service.errors import Refused
from service.mailings import audience
from service.models import Mailing, MailingSeen, MailingVersion, Organiser
from service.organisers import newcomers, small_counts
from service.organisers.roles import APPROVERS
from service.text import person_names, times
from service.text.characters import control
from service.text.markdown import pictures, placeholders

LONGEST = 100_000


def check_words(subject: str, body: str) -> tuple[str, str]:
    """Raises Refused; a picture and an unknown placeholder with their place, empty lines above it counted."""
    errors: dict[str, str] = {}
    try:
        subject = person_names.clean(control.clean(subject), "subject", longest=150)
    except Refused as refused:
        errors |= refused.errors
    if not subject.strip():
        errors["subject"] = "Enter a subject."
    elif placeholders.BRACES.search(subject):
        errors["subject"] = "Placeholders work in the text alone; leave the braces out of the subject."
    whole = control.clean(body)
    body = whole.strip()
    above = whole[: len(whole) - len(whole.lstrip())].count("\n")
    if not body:
        errors["body"] = "Write the update."
    elif len(body) > LONGEST:
        errors["body"] = f"Use at most {LONGEST:,} characters."
    elif picture := pictures.first(body):
        errors["body"] = pictures.sentence(picture._replace(line=picture.line + above))
    elif strange := placeholders.unknown(body):
        line, column, text = strange[0]
        choice = "there are {name}, {clp} and {office}, as in {name|friend}"
        errors["body"] = f"Line {line + above}, column {column}: {text} is no placeholder; {choice}."
    if errors:
        raise Refused(**errors)
    return subject, body


def slug(session: Session, subject: str) -> str:
    """The address of the update at /news, taken by no other."""
    bare = unicodedata.normalize("NFKD", subject).encode("ascii", "ignore").decode().lower()
    candidate = re.sub(r"[^a-z0-9]+", "-", bare).strip("-")[:60].strip("-") or "update"
    taken = set(session.scalars(select(Mailing.slug).where(Mailing.slug.like(f"{candidate}%"))))
    names_to_try = (candidate if number == 1 else f"{candidate}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names_to_try if name not in taken)


def content_hash(mailing: Mailing) -> str:
    """What an approval freezes: subject, text, sender, audience (with what each copy says of it) and time."""
    at = mailing.send_at.isoformat() if mailing.send_at else ""
    who = audience.of(mailing).stored()
    parts = [mailing.list_id, mailing.subject, mailing.body, settings().mail_default_sender, who, mailing.because, at]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def frozen(session: Session, mailing: Mailing) -> dict[str, str]:
    """The same in words, for people to compare."""
    return {
        "subject": mailing.subject,
        "text": mailing.body,
        "sender": settings().mail_default_sender,
        "audience": audience.words(session, audience.of(mailing)),
        "time": times.shown(mailing.send_at, "UTC") if mailing.send_at else "as soon as it is approved",
    }


def keep_version(session: Session, mailing: Mailing, author: Organiser | None, now: datetime) -> None:
    """Stores what was saved; saving the same again makes no new version."""
    last = versions(session, mailing)[:1]
    if last and last[0].hash == content_hash(mailing):
        return
    number = last[0].number + 1 if last else 1
    session.add(
        MailingVersion(
            mailing_id=mailing.id, number=number, hash=content_hash(mailing), frozen=frozen(session, mailing),
            author_id=author.id if author else None, saved_at=now,
        )
    )  # fmt: skip
    if author is not None:
        note_seen(session, mailing, author, content_hash(mailing))


def tell_approvers(session: Session, mailing: Mailing, now: datetime) -> None:
    """A letter to each organiser who could approve it, so that it waits for nobody who does not know."""
    may = (Organiser.role.in_(APPROVERS), Organiser.removed_at.is_(None), Organiser.id != (mailing.author_id or 0))
    count = audience.size(session, audience.of(mailing))
    for organiser in session.scalars(select(Organiser).where(*may).order_by(Organiser.id)):
        catalogue_for_organisers.approval(
            session, organiser, mailing, small_counts.in_words_for_role(count, organiser.role), now
        )


def versions(session: Session, mailing: Mailing) -> list[MailingVersion]:
    """All that was saved, the newest first."""
    statement = select(MailingVersion).where(MailingVersion.mailing_id == mailing.id)
    return list(session.scalars(statement.order_by(MailingVersion.number.desc())))


def refuse_newcomer(session: Session, mailing: Mailing, approver: Organiser, now: datetime) -> None:
    """Raises Refused for somebody who was made an organiser lately, and for what their inviter wrote then."""
    newcomers.refuse(approver, mailing.author_id, _last_saved(session, mailing), now)


def _last_saved(session: Session, mailing: Mailing) -> datetime:
    """When its words were last changed."""
    last = select(MailingVersion.saved_at).where(MailingVersion.mailing_id == mailing.id).order_by(MailingVersion.number.desc())
    return session.scalar(last.limit(1)) or mailing.created_at


def version(session: Session, mailing: Mailing, number: int) -> MailingVersion | None:
    return session.scalar(
        select(MailingVersion).where(MailingVersion.mailing_id == mailing.id, MailingVersion.number == min(number, 2**31 - 1))
    )


def note_seen(session: Session, mailing: Mailing, organiser: Organiser, seen_hash: str) -> None:
    """Notes which version was before somebody when they pressed a button. Looking alone changes nothing."""
    conditions = (MailingVersion.mailing_id == mailing.id, MailingVersion.hash == seen_hash)
    if session.scalar(select(func.count()).select_from(MailingVersion).where(*conditions)):
        session.merge(MailingSeen(mailing_id=mailing.id, organiser_id=organiser.id, hash=seen_hash))


def last_seen(session: Session, mailing: Mailing, organiser: Organiser) -> MailingVersion | None:
    """What this organiser had before them last."""
    seen = session.get(MailingSeen, (mailing.id, organiser.id))
    if seen is None:
        return None
    conditions = (MailingVersion.mailing_id == mailing.id, MailingVersion.hash == seen.hash)
    return session.scalar(select(MailingVersion).where(*conditions).order_by(MailingVersion.number.desc()).limit(1))
