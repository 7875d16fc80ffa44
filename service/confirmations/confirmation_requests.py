"""Requests: what one form asked of a mailbox, the letter that answers it, and the one press that settles it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from service import states
from service.confirmations import forms_of_one_address
from service.core.config import settings
from service.core.db import among
from service.emails import catalogue, links
from service.emails.suppressions import lift_for_owner
from service.errors import NotFound
from service.models import Letter, Message, Request, RequestItem, Signature, Subscription
from service.rate_limits import windows
from service.text.email_addresses import mailbox

SOON = timedelta(minutes=1)
"""A letter that is due sooner is on its way, and no other takes its place: its bell has been rung."""


class Settled(NotFound):
    """The link was good, and was used or ran out."""

    def __init__(self, request: Request) -> None:
        self.used, self.email = request.used_at is not None, request.email  # its session is gone where a page shows this
        super().__init__("this link was used already" if request.used_at else "this link has run out")


@dataclass(frozen=True)
class Item:
    """One row that a form asks about, with what the form said about it."""

    row: Signature | Subscription
    details: dict[str, str]

    @property
    def identity(self) -> tuple[str, int]:
        return type(self.row).__name__, self.row.id


def ask(
    session: Session, email: str, items: Sequence[Item], now: datetime, answering: str | None = None
) -> Request | None:  # fmt: skip
    """One request for everything on one form, and its letter; held back while the address has had enough for now.

    Where a letter waits for its time, this one takes its place, with all that the other asks: a stranger who fills in forms
    with somebody's address keeps her own form from no letter. None where one that asks the very same already waits.

    `answering`: the Message-ID of the e-mail that asked, empty where it had none; None for a form.
    """
    key = mailbox(email)
    windows.one_at_a_time(session, key)
    if _waits_already(session, items, now):
        return None
    request = _open(session, "confirm", email, now, timedelta(days=settings().unconfirmed_days))
    request.items = [_row(item) for item in items]
    due_at = windows.hold_until(session, email, key, now)
    for waiting, earlier in _waiting(session, key, now):
        if states.claim(session, Message, "queued", "cancelled", Message.id == waiting.id, settled_at=now):
            due_at = min(due_at, waiting.due_at)
            request.items += [
                forms_of_one_address.moved(item) for item in earlier.items if item.form + 1 < forms_of_one_address.MOST
            ]
    session.flush()
    catalogue.confirm(session, request, now, due_at, answering)
    return request


def _waiting(session: Session, key: str, now: datetime) -> list[tuple[Message, Request]]:
    """Letters to this mailbox that ask to confirm and wait for their time, with their requests."""
    rows = session.execute(
        select(Message, Request)
        .join(Letter, Letter.message_id == Message.id)
        .join(Request, Request.id == Letter.request_id)
        .where(Request.mailbox == key, Request.purpose == "confirm", Request.reactivates.is_(False))
        .where(Message.state == "queued", Message.kind == "confirm", Message.due_at > now + SOON)
    )
    return [row._tuple() for row in rows]


def tell(session: Session, email: str, what: str, now: datetime, answering: str | None = None) -> None:
    """Answers by letter, never on the page, that what was asked for is so already."""
    if _room_for(session, "already", mailbox(email), now):
        due_at = windows.hold_until(session, email, mailbox(email), now)
        request = _open(session, "manage", email, due_at, timedelta(hours=1))
        session.flush()
        catalogue.already(session, request, what, now, due_at, answering)


def _room_for(session: Session, kind: str, key: str, now: datetime) -> bool:
    """Whether another letter of this kind may be stored: one of it waits at most, and LIMIT_DAY of all together."""
    windows.one_at_a_time(session, key)
    waiting = windows.held_back(session, key, now)
    return waiting == 0 or (waiting < settings().limit_day and windows.held_back(session, key, now, [kind]) == 0)


def manage_link(session: Session, email: str, now: datetime, answering: str | None = None) -> None:
    """Sends a fresh link to the page of everything we hold, good for an hour from when it goes."""
    if _room_for(session, "manage_link", mailbox(email), now):
        due_at = windows.hold_until(session, email, mailbox(email), now)
        request = _open(session, "manage", email, due_at, timedelta(hours=1))
        session.flush()
        catalogue.manage_link(session, request, now, due_at, answering)


def keep(session: Session, email: str, row: Signature | Subscription, now: datetime) -> Request:
    """A request whose link goes into a receipt: it takes back what the receipt is about, for as long as that is held."""
    request = _open(session, "manage", email, now, None)
    request.items = [_row(Item(row, {}))]
    session.flush()
    return request


def open_for(
    session: Session, email: str, items: Sequence[Item], lasts: timedelta, now: datetime, purpose: str = "confirm"
) -> Request:  # fmt: skip
    """A request that we make of somebody, whose letter the caller writes."""
    request = _open(session, purpose, email, now, lasts)
    request.items = [_row(item) for item in items]
    session.flush()
    return request


def find(session: Session, purpose: str, token: str, now: datetime) -> Request:
    """The request behind a link. Raises SpoiltLink, Settled where it was used or ran out, or NotFound where it is forgotten."""
    request = session.scalar(select(Request).where(Request.key == links.read(purpose, token)))
    if request is None or request.purpose != purpose:
        raise NotFound("this link has run out: what was asked for has been forgotten; ask again if you still want it")
    if request.used_at or (request.expires_at and request.expires_at <= now):
        raise Settled(request)
    return request


def by_number(session: Session, request_id: int, now: datetime) -> Request:
    """The request that a reply's address names. Raises NotFound, or Settled where it was used or ran out."""
    request = session.get(Request, request_id)
    if request is None or request.purpose != "confirm":
        raise NotFound("this address is not one of ours")
    if request.used_at or (request.expires_at and request.expires_at <= now):
        raise Settled(request)
    return request


def use(session: Session, request: Request, now: datetime) -> bool:
    """Spends the link, once: of fifty presses at one time, one passes. Raises Settled.

    Whoever presses has had our letter: True where we had stopped writing to this mailbox and may again.
    """
    locked = session.scalar(select(Request).where(Request.id == request.id).with_for_update())
    session.refresh(request)
    if locked is None or request.used_at is not None:
        raise Settled(request)
    request.used_at = now
    _cancel_waiting(session, request, now)
    return lift_for_owner(session, request.mailbox, request.created_at, now, reactivates=request.reactivates)


def _open(session: Session, purpose: str, email: str, now: datetime, lasts: timedelta | None) -> Request:
    request = Request(
        key=links.new_key(), purpose=purpose, email=email, mailbox=mailbox(email), created_at=now,
        expires_at=now + lasts if lasts else None,
    )  # fmt: skip
    session.add(request)
    return request


def _row(item: Item) -> RequestItem:
    if isinstance(item.row, Signature):
        return RequestItem(signature=item.row, details=item.details)
    return RequestItem(subscription=item.row, details=item.details)


def _asked(request: Request, form: int | None = None) -> list[Item]:
    """What all its forms asked, or one of them."""
    items = [item for item in request.items if form is None or item.form == form]
    return [Item(row, item.details) for item in items if (row := item.signature or item.subscription)]


def _waits_already(session: Session, items: Sequence[Item], now: datetime) -> bool:
    """Whether a held-back letter asks for exactly the same."""
    waiting = session.scalars(
        select(Request)
        .join(Letter, Letter.request_id == Request.id)
        .join(Message, Message.id == Letter.message_id)
        .where(Message.state == "queued", Message.due_at > now, Request.mailbox == items[0].row.mailbox)
    )
    asked_for = [(item.identity, item.details) for item in items]
    return any([(item.identity, item.details) for item in _asked(other, form=0)] == asked_for for other in waiting)


def _cancel_waiting(session: Session, request: Request, now: datetime) -> None:
    """Letters held back for this mailbox that ask for nothing that is not settled by this press are not sent."""
    settled = {item.identity for item in _asked(request)}
    others = session.scalars(
        select(Request)
        .where(Request.mailbox == request.mailbox, Request.purpose == "confirm", Request.id != request.id)
        .where(Request.used_at.is_(None))
    )
    for other in others:
        if {item.identity for item in _asked(other)} <= settled:
            letters = select(Letter.message_id).where(Letter.request_id == other.id)
            states.claim(session, Message, "queued", "cancelled", Message.id.in_(letters), settled_at=now)


def end_unreached(session: Session, message_ids: Collection[int]) -> None:
    """Letters that asked to confirm never got there: what they asked for waits for nobody, unless another asks it, too."""
    unused = select(Letter.request_id).where(among(session, Letter.message_id, message_ids))
    for request in session.scalars(select(Request).where(Request.id.in_(unused), Request.used_at.is_(None))):
        rows = [item.signature or item.subscription for item in request.items]
        session.delete(request)
        session.flush()
        for row in rows:
            if row is not None and row.state == "pending" and not _asked_elsewhere(session, row):
                if isinstance(row, Subscription) and row.left_at is not None:
                    states.move(row, "left")
                else:
                    session.delete(row)
        session.flush()


def _asked_elsewhere(session: Session, row: Signature | Subscription) -> bool:
    column = RequestItem.signature_id if isinstance(row, Signature) else RequestItem.subscription_id
    open_request = exists().where(Request.id == RequestItem.request_id, Request.used_at.is_(None))
    return session.scalar(select(RequestItem.id).where(column == row.id, open_request).limit(1)) is not None
