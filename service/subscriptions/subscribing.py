"""Story: ask for updates, confirm, leave; import and export a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, insert, literal, literal_column, select
from sqlalchemy.orm import Session

from service import states
from service.confirmations import confirmation_requests, consents, reactivations
from service.emails import catalogue
from service.emails.suppressions import suppressed_among
from service.errors import NotFound, Refused
from service.models import Letter, MailingList, Message, Request, Subscription
from service.models.base import UTCDateTime
from service.rate_limits import windows
from service.subscriptions import pending_subscriptions
from service.text import email_addresses, person_names
from service.text.tables.csv_cells import text_of_cell


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
        name = person_names.without_links(fields.get("name", ""), "name")
    except Refused as refused:
        errors |= refused.errors
    try:
        email = email_addresses.parse(fields.get("email", ""))
    except Refused as refused:
        errors |= refused.errors
    if errors:
        raise Refused(**errors)
    return Form(name, email)


def find_list(session: Session, slug: str) -> MailingList:
    mailing_list = session.scalar(select(MailingList).where(MailingList.slug == slug))
    if mailing_list is None:
        raise NotFound(f"there is no list called {slug}")
    return mailing_list


def ask(
    session: Session,
    lists: Sequence[MailingList],
    form: Form,
    now: datetime,
    channel: str = "web",
    answering: str | None = None,
) -> reactivations.Barred | None:
    """Records the wish and sends the letter that asks to confirm it; what is so already is told by letter alone.

    `answering`: as for `requests.ask`. Returns what became of it where we had stopped writing to this mailbox.
    """
    details = {"email": form.email, "name": form.name}
    store_wishes = partial(pending_subscriptions.pending, session, lists, details, now, channel)
    if barred := reactivations.answer(session, form.email, now, store_wishes, answering):
        return barred
    if wishes := store_wishes():
        confirmation_requests.ask(session, form.email, wishes, now, answering)
    else:
        titles = ", ".join(f"“{mailing_list.title}”" for mailing_list in lists)
        what = f"Your mailbox is on the list {titles} already, so nothing was changed."
        confirmation_requests.tell(session, form.email, what, now, answering)
    return None


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
            wording = pending_subscriptions.wording(row.mailing_list)
            purpose = f"list:{row.mailing_list.slug}"
            consents.record_consent(session, row.mailbox, purpose, "confirmed", channel, wording, now)
            catalogue.welcome(session, row, confirmation_requests.keep(session, row.email, row, now), now)
            confirmed.append(row)
    return confirmed


def leave(session: Session, subscription_id: int, now: datetime, channel: str = "web") -> bool:
    """Off the list at once; workers look at this before every text they send. Leaving twice is no error."""
    row = session.get(Subscription, subscription_id)
    if row is None or not states.claim(
        session, Subscription, "confirmed", "left", Subscription.id == subscription_id, left_at=now
    ):
        return False
    purpose, wording = f"list:{row.mailing_list.slug}", pending_subscriptions.wording(row.mailing_list)
    consents.record_consent(session, row.mailbox, purpose, "withdrawn", channel, wording, now)
    return True


def ask_to_leave(session: Session, mailing_list: MailingList, email: str, now: datetime, answering: str) -> None:
    """A wish to leave that anybody could have written in this name: its answer goes to the mailbox; leaving takes its link."""
    key = email_addresses.mailbox(email)
    conditions = (Subscription.list_id == mailing_list.id, Subscription.mailbox == key, Subscription.state == "confirmed")
    row = session.scalar(select(Subscription).where(*conditions))
    if row is None:
        what = f"Your mailbox is not on the list “{mailing_list.title}”, so nothing was changed."
        return confirmation_requests.tell(session, email, what, now, answering)
    return ask_back(session, row, now, answering)


def ask_back(session: Session, row: Subscription, now: datetime, answering: str) -> None:
    """Asks the mailbox itself whether it wants to leave, by a letter that holds its link."""
    due_at = windows.room_at(session, row.email, row.mailbox, now)
    if due_at is not None:
        catalogue.leaving(session, row, now, due_at, answering)


def help_with(session: Session, mailing_list: MailingList, email: str, now: datetime, answering: str) -> None:
    """What can be asked of a list by e-mail."""
    due_at = windows.room_at(session, email, email_addresses.mailbox(email), now)
    if due_at is not None:
        catalogue.commands(session, email, mailing_list, now, due_at, answering)


def help_to_confirm(session: Session, request: Request, now: datetime, answering: str) -> bool:
    """Tells whoever answered our question with something else how to confirm: once for each question. Whether it was told."""
    mailing_list = next((item.subscription.mailing_list for item in request.items if item.subscription), None)
    told = select(Letter.message_id).join(Message, Message.id == Letter.message_id)
    told = told.where(Letter.request_id == request.id, Message.kind == "commands").limit(1)
    if mailing_list is None or session.scalar(told) is not None:
        return False
    due_at = windows.room_at(session, request.email, request.mailbox, now)
    return (
        due_at is not None
        and catalogue.commands(session, request.email, mailing_list, now, due_at, answering, request) is not None
    )


def leave_all(session: Session, mailbox: str, now: datetime, channel: str) -> int:
    """Off every list; how many there were."""
    statement = select(Subscription.id).where(Subscription.mailbox == mailbox, Subscription.state == "confirmed")
    return sum(leave(session, subscription_id, now, channel) for subscription_id in list(session.scalars(statement)))


LONE_DASHES = ("-", "–", "—", "--")


class Line(NamedTuple):
    """One good line of an import."""

    number: int
    email: str
    mailbox: str
    name: str
    clp: str
    office: str


def read_line(number: int, fields: Mapping[str, str]) -> Line:
    """Checks a line of a CSV file (columns email,name,clp,office). Raises Refused."""
    email = email_addresses.parse(text_of_cell(fields.get("email", "")))
    about = [_text(fields[field], field) if fields.get(field) else "" for field in ("name", "clp", "office")]
    return Line(number, email, email_addresses.mailbox(email), *about)


def _text(cell: str, field: str) -> str:
    """A lone dash is how many spreadsheets say "none"."""
    return person_names.without_links("" if cell.strip() in LONE_DASHES else text_of_cell(cell), field)


def take_in(session: Session, mailing_list: MailingList, lines: Sequence[Line], source: str, now: datetime) -> dict[int, str]:
    """Adds a batch (at most some thousand lines); returns the lines left out with the reason.

    People on an import agreed elsewhere: `source` says where, and is kept as their consent. Nobody who left, or must not be
    written to, comes back this way.
    """
    without = left_out(session, mailing_list, lines)
    good = [_imported(line) for line in lines if line.number not in without]
    if good:
        last = session.scalar(select(func.max(Subscription.id))) or 0
        at = _constant(session, now)
        same = {"list_id": mailing_list.id, "state": literal_column("'confirmed'"), "created_at": at, "confirmed_at": at}
        session.execute(insert(Subscription.__table__).values(same), good)  # type: ignore[arg-type]
        added = (Subscription.list_id == mailing_list.id, Subscription.id > last, Subscription.confirmed_at == now)
        consents.record_imported(session, select(Subscription.mailbox).where(*added), f"list:{mailing_list.slug}", source, now)
    return without


def _constant(session: Session, now: datetime) -> ColumnElement[datetime]:
    """A time spelt out in the statement: bound once for each of a million rows, it costs as much as all the rest."""
    spelt = literal(now, UTCDateTime()).compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    return literal_column(str(spelt), UTCDateTime())


def left_out(session: Session, mailing_list: MailingList, lines: Sequence[Line]) -> dict[int, str]:
    """The numbers of the lines that cannot be taken in, with the reason."""
    keys = {line.mailbox for line in lines}
    reasons = _known(session, mailing_list, keys) | dict.fromkeys(suppressed_among(session, keys), "must not be written to")
    without: dict[int, str] = {}
    for line in lines:
        reason = reasons.setdefault(line.mailbox, "")
        if reason:
            without[line.number] = reason
        reasons[line.mailbox] = reason or "is named twice"
    return without


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


def _imported(line: Line) -> dict[str, str]:
    return {"email": line.email, "mailbox": line.mailbox, "name": line.name, "clp": line.clp, "office": line.office}


def export(session: Session, mailing_list: MailingList, after: int, limit: int) -> list[Subscription]:
    """The people on a list, a page at a time, in the order of their row numbers."""
    conditions = (Subscription.list_id == mailing_list.id, Subscription.state == "confirmed", Subscription.id > after)
    return list(session.scalars(select(Subscription).where(*conditions).order_by(Subscription.id).limit(limit)))
