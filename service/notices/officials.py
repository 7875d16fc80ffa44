"""Story: the officials that notices are addressed to: taken in, changed by two organisers, warned of when old."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import states
from service.core.config import settings
from service.emails import links
from service.errors import NotFound, Refused
from service.models import Asking, Delivery, Message, Notice, Official, Organiser, Proposal, Serving
from service.organisers import proposals
from service.text import email_addresses, mail_troubles, person_names

FIELDS = ("office", "name", "email", "source", "verified_on", "fallback_email")


def present(session: Session) -> list[Official]:
    return list(session.scalars(select(Official).where(Official.removed_at.is_(None)).order_by(Official.id)))


def find(session: Session, number: int) -> Official:
    official = session.get(Official, number if number < 2**63 else 0)
    if official is None:
        raise NotFound(f"there is no official {number}")
    return official


def stale(session: Session, now: datetime) -> list[Official]:
    """Those whose address was verified too long ago to be relied on."""
    oldest = now.date() - timedelta(days=settings().address_days)
    return [official for official in present(session) if official.verified_on < oldest and official.objected_at is None]


MISSING = {"office": "Enter the office.", "name": "Enter a name.", "source": "Say where the address is from."}


def read(fields: Mapping[str, str | None]) -> dict[str, object]:
    """Checks one official (office, name, email, source, verified_on, fallback_email). Raises Refused, all errors at once."""
    values: dict[str, object] = {}
    errors: dict[str, str] = {}
    for field in FIELDS:
        try:
            values[field] = _value(field, (fields.get(field) or "").strip())
        except Refused as refused:
            errors |= refused.errors
    if errors:
        raise Refused(**errors)
    return {field: value for field, value in values.items() if value}


def _value(field: str, text: str) -> object:
    if field == "verified_on":
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise Refused(verified_on="Write verified_on like 2026-11-22.") from None
    if field in MISSING:
        check = person_names.clean if field == "source" else person_names.without_links  # an address is often from a website
        if not (value := check(text, field, longest=300)):
            raise Refused(**{field: MISSING[field]})
        return value
    return email_addresses.parse(text, field) if text or field == "email" else ""


def take_in(session: Session, lines: Iterable[dict[str, object]], now: datetime) -> tuple[int, int]:
    """Adds offices that are new and changes those that say something else; returns how many of each."""
    added = changed = 0
    for line in lines:
        official = session.scalar(select(Official).where(Official.office == line["office"]))
        if official is None:
            session.add(Official(**line, added_at=now))
            session.flush()
            added += 1
            continue
        if all(getattr(official, field) == value for field, value in line.items()) and official.removed_at is None:
            continue
        changed += 1
        if official.email != line["email"]:
            official.bounced_at, official.bounced_because = None, ""
        if (official.email, official.fallback_email) != (line["email"], line.get("fallback_email", official.fallback_email)):
            official.fallback_since = None
        has_successor = official.name != line["name"] and official.objected_at is not None
        for field, value in line.items():
            setattr(official, field, value)
        if official.removed_at is not None or has_successor:  # somebody new to the names of those who signed meanwhile
            official.added_at, official.removed_at = now, None
            official.objected_at = None if has_successor else official.objected_at
            added, changed = added + 1, changed - 1
    if added:
        _ask_signers(session, now)
    return added, changed


def _ask_signers(session: Session, now: datetime) -> None:
    """Who signed before somebody was added is asked whether the name may go there, too; until then it does not."""
    for notice in session.scalars(select(Notice).where(Notice.state == "live")):
        if notice.edition is not None and notice.edition.last_sequence:
            session.add(Asking(edition_id=notice.edition.id, officials_added_at=now, created_at=now))


def hold_back(session: Session, number: int, now: datetime) -> Official:
    """Letters to this office wait from now on."""
    official = find(session, number)
    official.held_at = official.held_at or now
    return official


def send_again(session: Session, number: int) -> None:
    find(session, number).held_at = None


def remove(session: Session, number: int, now: datetime) -> None:
    """Gets nothing more from now on; the register keeps what was."""
    official = find(session, number)
    official.removed_at = official.removed_at or now


def propose(session: Session, fields: Mapping[str, str], author: Organiser, now: datetime) -> Proposal:
    """A new official, or another address for a known one: it counts once a second organiser has approved it."""
    values = read(fields)
    values["verified_on"] = str(values["verified_on"])
    return proposals.propose(session, "official", None, values, author, now)


def approve(session: Session, proposal: Proposal, approver: Organiser, now: datetime) -> None:
    proposals.decide(session, proposal, "approved", approver, now)
    take_in(session, [read(proposal.content)], now)


def by_key(session: Session, purpose: str, token: str) -> Delivery:
    """The delivery behind a link in its letter. Raises NotFound."""
    delivery = session.scalar(select(Delivery).where(Delivery.key == links.read(purpose, token)))
    if delivery is None:
        raise NotFound("this link has run out")
    return delivery


def object_to(session: Session, delivery: Delivery, now: datetime) -> None:
    """The official wants nothing more: nothing more is written, and what waits does not go. A rehearsal says nothing of it."""
    official, serving = delivery.official, session.get_one(Serving, delivery.serving_id)
    if official is None or serving.rehearsal or official.objected_at is not None:
        return
    official.objected_at = now
    theirs = select(Delivery.message_id).where(Delivery.official_id == official.id)
    states.claim(
        session,
        Message,
        "queued",
        "suppressed",
        Message.id.in_(theirs),
        settled_at=now,
        reply_code=None,
        reply_text=mail_troubles.OBJECTED,
    )
