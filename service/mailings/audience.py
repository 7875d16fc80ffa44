"""Who gets a mailing: lists, and of their people those who signed, of some local parties, offices, or times of joining.

An audience is a part of what an approval freezes, and of the one statement that fans out. People on two of its lists are one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from service.errors import Refused
from service.models import Mailing, MailingList, Message, Signature, Subscription
from service.models.mail import IS_TROUBLED
from service.text import person_names
from service.text.characters.control import clean_line

MOST_CLPS = 50


@dataclass(frozen=True)
class Audience:
    """As stored in Mailing.audience."""

    lists: tuple[int, ...]
    signed: bool = False
    """Only who signed a notice, confirmed."""
    clps: tuple[str, ...] = ()
    offices: tuple[str, ...] = ()
    joined_after: str = ""
    """ISO 8601 date: on this day or later."""
    joined_before: str = ""
    """ISO 8601 date: before this day."""
    again_of: int | None = None
    """Only those whom this mailing did not reach for a reason that passes."""

    def stored(self) -> dict[str, Any]:
        """Without what is left open, and the lists in one order: two ways to say the same have one hash."""
        fields = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items() if value}
        return fields | {"lists": sorted(self.lists)}


def of(mailing: Mailing) -> Audience:
    stored = dict(mailing.audience or {})
    for key in ("lists", "clps", "offices"):
        stored[key] = tuple(stored.get(key, ()))
    stored["lists"] = stored["lists"] or (mailing.list_id,)
    return Audience(**stored)


def read_form(session: Session, form: Mapping[str, str], lists: Sequence[str], offices: Sequence[str]) -> Audience:
    """Checks what a form says. Raises Refused."""
    list_ids = {mailing_list.slug: mailing_list.id for mailing_list in session.scalars(select(MailingList))}
    errors: dict[str, str] = {}
    chosen = tuple(sorted(list_ids[slug] for slug in lists if slug in list_ids))
    if not chosen or len(chosen) != len(set(lists)):
        errors["list"] = "Choose at least one list."
    days = {"joined_after": "", "joined_before": ""}
    for field in ("joined_after", "joined_before"):
        try:
            days[field] = date.fromisoformat(form.get(field, "").strip()).isoformat() if form.get(field, "").strip() else ""
        except ValueError:
            errors[field] = "Enter a date as 2026-11-30."
    clps: tuple[str, ...] = ()
    try:
        clps = _clps(form.get("clps", ""))
    except Refused as refused:
        errors |= refused.errors
    if errors:
        raise Refused(**errors)
    offices = sorted({clean_line(office) for office in offices} - {""})[:20]
    return Audience(chosen, form.get("signed") == "yes", clps, tuple(offices), days["joined_after"], days["joined_before"])


def _clps(text: str) -> tuple[str, ...]:
    """Local parties, separated by semicolons or line ends, as people type them."""
    clps = {person_names.clean(part, "clps").casefold() for part in text.replace("\n", ";").split(";") if part.strip()}
    if len(clps) > MOST_CLPS:
        raise Refused(clps=f"Name at most {MOST_CLPS} local parties.")
    return tuple(sorted(clps))


def members(audience: Audience, at: datetime | None = None) -> list[ColumnElement[bool]]:
    """Conditions on Subscription. With `at`: who joined later is none, and who left since then counts for nobody else.

    Of people on several lists the first subscription stands, so that nobody gets two; somebody whose first one was left
    after the approval gets none, rather than perhaps a second.
    """
    conditions = [*_matching(Subscription, audience), Subscription.state == "confirmed"]
    if at is not None:
        conditions.append(Subscription.confirmed_at <= at)
    if audience.again_of is not None:
        conditions.append(Subscription.id.in_(_passing(audience.again_of)))
    if len(audience.lists) > 1:
        first = aliased(Subscription)
        stands = or_(first.state == "confirmed", first.left_at > at) if at is not None else first.state == "confirmed"
        joined = [first.confirmed_at <= at] if at is not None else []
        earlier = (first.mailbox == Subscription.mailbox, first.id < Subscription.id, stands, *joined)
        conditions.append(~exists().where(*earlier, *_matching(first, audience)))
    return conditions


def _matching(who: Any, audience: Audience) -> list[ColumnElement[bool]]:
    # Of several lists the + 0 keeps the databases from an index that is not in the order of row numbers: they would sort a
    # million rows for each chunk, instead of going on where the last one ended.
    one_list = len(audience.lists) == 1
    conditions = [who.list_id == audience.lists[0] if one_list else (who.list_id + 0).in_(audience.lists)]
    if audience.signed:
        conditions.append(exists().where(Signature.mailbox == who.mailbox, Signature.state == "confirmed"))
    if audience.clps:
        conditions.append(func.lower(who.clp).in_(audience.clps))
    if audience.offices:
        conditions.append(func.lower(who.office).in_(audience.offices))
    if audience.joined_after:
        conditions.append(who.confirmed_at >= _midnight(audience.joined_after))
    if audience.joined_before:
        conditions.append(who.confirmed_at < _midnight(audience.joined_before))
    return conditions


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), UTC)


def _day(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%B %Y}"


def _passing(mailing_id: int) -> Any:
    """Refused in the end, but with a 4xx: full, busy, greylisted (RFC 5321 §4.2.1)."""
    conditions = (
        Message.mailing_id == mailing_id,
        Message.state == "refused",
        IS_TROUBLED,
        Message.reply_code.between(400, 499),
    )
    return select(Message.subscription_id).where(*conditions)


def size(session: Session, audience: Audience) -> int:
    return session.scalar(select(func.count()).select_from(Subscription).where(*members(audience))) or 0


def without(session: Session, audience: Audience, column: str) -> int:
    """How many members have nothing to fill a placeholder with."""
    empty = getattr(Subscription, column) == ""
    return session.scalar(select(func.count()).select_from(Subscription).where(*members(audience), empty)) or 0


def titles(session: Session, audience: Audience) -> list[str]:
    statement = select(MailingList.title).where(MailingList.id.in_(audience.lists)).order_by(MailingList.id)
    return list(session.scalars(statement))


def because(session: Session, audience: Audience) -> str:
    """Why its readers get it, for each copy."""
    quoted_titles = [f"“{title}”" for title in titles(session, audience)]
    return (
        f"you are on the list {quoted_titles[0]}"
        if len(quoted_titles) == 1
        else f"you are on one of the lists {', '.join(quoted_titles)}"
    )


def words(session: Session, audience: Audience) -> str:
    """The audience in a sentence, as two people compare it."""
    clauses = ["Everybody on " + " or ".join(f"“{title}”" for title in titles(session, audience))]
    if audience.signed:
        clauses.append("who signed a notice")
    if audience.clps:
        clauses.append("of the local parties " + ", ".join(audience.clps))
    if audience.offices:
        clauses.append("holding the office of " + " or ".join(audience.offices))
    if audience.joined_after:
        clauses.append(f"who joined on {_day(audience.joined_after)} or later")
    if audience.joined_before:
        clauses.append(f"who joined before {_day(audience.joined_before)}")
    if audience.again_of is not None:
        clauses.append(f"whom mailing {audience.again_of} did not reach for a passing reason")
    return ", ".join(clauses) + "."
