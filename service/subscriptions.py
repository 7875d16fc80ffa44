"""Story: ask for updates, confirm, leave; import and export a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import addresses, emails, names, requests, states, subscribing
from service.errors import NotFound, Refused
from service.models import MailingList, Request, Subscription
from service.suppressions import is_suppressed, suppressed_among


@dataclass(frozen=True)
class Form:
    """What a person entered, already clean."""

    name: str
    email: str


def read_form(fields: Mapping[str, str]) -> Form:
    """Checks a form's fields; the name may stay empty. Raises Refused."""
    errors: dict[str, str] = {}
    name = email = ""
    try:
        name = names.clean(fields.get("name", ""), "name")
    except Refused as refused:
        errors |= refused.errors
    try:
        email = addresses.parse(fields.get("email", ""))
    except Refused as refused:
        errors |= refused.errors
    if errors:
        raise Refused(**errors)
    return Form(name, email)


def find_list(session: Session, slug: str) -> MailingList:
    found = session.scalar(select(MailingList).where(MailingList.slug == slug))
    if found is None:
        raise NotFound(f"there is no list called {slug}")
    return found


def ask(session: Session, lists: Sequence[MailingList], form: Form, now: datetime, channel: str = "web") -> None:
    """Records the wish and sends the letter that asks to confirm it; what is so already is told by letter alone."""
    if is_suppressed(session, addresses.mailbox(form.email)):
        return
    details = {"email": form.email, "name": form.name}
    items = subscribing.pending(session, lists, details, now, channel)
    if items:
        requests.ask(session, form.email, form.name, items, now)
    else:
        titles = ", ".join(f"“{one.title}”" for one in lists)
        requests.tell(session, form.email, f"Your mailbox is on the list {titles} already, so nothing was changed.", now)


def confirm(session: Session, request: Request, now: datetime, channel: str = "web") -> list[Subscription]:
    """Puts the mailbox on the lists that this request asked for."""
    confirmed = []
    for item in request.items:
        row = item.subscription
        if row is None:
            continue
        where = Subscription.id == row.id
        if states.claim(session, Subscription, "pending", "confirmed", where, confirmed_at=now, left_at=None, **item.details):
            session.refresh(row)
            wording = subscribing.wording(row.mailing_list)
            purpose = f"list:{row.mailing_list.slug}"
            requests.record_consent(session, row.mailbox, purpose, "confirmed", channel, wording, now)
            emails.welcome(session, row, requests.keep(session, row.email, now), now)
            confirmed.append(row)
    return confirmed


def leave(session: Session, subscription_id: int, now: datetime, channel: str = "web") -> bool:
    """Off the list at once; workers look at this before every text they send. Leaving twice is no error."""
    row = session.get(Subscription, subscription_id)
    if row is None or not states.claim(
        session, Subscription, "confirmed", "left", Subscription.id == subscription_id, left_at=now
    ):
        return False
    purpose, wording = f"list:{row.mailing_list.slug}", subscribing.wording(row.mailing_list)
    requests.record_consent(session, row.mailbox, purpose, "withdrawn", channel, wording, now)
    return True


@dataclass(frozen=True)
class Line:
    """One good line of an import."""

    number: int
    email: str
    name: str
    clp: str
    office: str

    @property
    def mailbox(self) -> str:
        return addresses.mailbox(self.email)


def read_line(number: int, fields: Mapping[str, str | None]) -> Line:
    """Checks a line of a CSV file (columns email,name,clp,office). Raises Refused."""
    email = addresses.parse(fields.get("email") or "")
    name, clp, office = (names.clean(fields.get(field) or "", field) for field in ("name", "clp", "office"))
    return Line(number, email, name, clp, office)


def take_in(session: Session, mailing_list: MailingList, lines: Sequence[Line], source: str, now: datetime) -> dict[int, str]:
    """Adds a batch (at most some thousand lines); returns the lines left out with the reason.

    People on an import agreed elsewhere: `source` says where, and is kept as their consent. Nobody who left, or must not be
    written to, comes back this way.
    """
    keys = {line.mailbox for line in lines}
    known = _known(session, mailing_list, keys)
    forbidden = suppressed_among(session, keys)
    left_out: dict[int, str] = {}
    for line in lines:
        reason = "must not be written to" if line.mailbox in forbidden else known.get(line.mailbox)
        if reason:
            left_out[line.number] = reason
            continue
        known[line.mailbox] = "appears twice in this file"
        session.add(_imported(mailing_list, line, now))
        purpose = f"list:{mailing_list.slug}"
        requests.record_consent(session, line.mailbox, purpose, "imported", "import", source, now)
    return left_out


def _known(session: Session, mailing_list: MailingList, keys: set[str]) -> dict[str, str]:
    sentences = {
        "confirmed": "is on the list already",
        "left": "has left this list",
        "pending": "has not confirmed yet",
    }
    rows = session.execute(
        select(Subscription.mailbox, Subscription.state).where(
            Subscription.list_id == mailing_list.id, Subscription.mailbox.in_(keys)
        )
    )
    return {key: sentences[state] for key, state in rows}


def _imported(mailing_list: MailingList, line: Line, now: datetime) -> Subscription:
    return Subscription(
        list_id=mailing_list.id, email=line.email, mailbox=line.mailbox, name=line.name, clp=line.clp, office=line.office,
        state="confirmed", created_at=now, confirmed_at=now,
    )  # fmt: skip


def export(session: Session, mailing_list: MailingList, after: int, limit: int) -> list[Subscription]:
    """The people on a list, a page at a time, in the order of their row numbers."""
    wanted = (Subscription.list_id == mailing_list.id, Subscription.state == "confirmed", Subscription.id > after)
    return list(session.scalars(select(Subscription).where(*wanted).order_by(Subscription.id).limit(limit)))
