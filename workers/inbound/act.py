"""What a message leads to: one function for each thing it may be addressed to. Stories meet here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from service import (
    addressed,
    addresses,
    answers,
    bounces,
    emails,
    links,
    mailings,
    reactivations,
    requests,
    spool,
    subscriptions,
)
from service.addressed import Destination
from service.config import settings
from service.errors import NotFound, Refused
from service.incoming import letters
from service.incoming.consequence import BY_ADDRESS, SUCCESSES
from service.incoming.judgement import Judgement
from service.models import Arrival, Message, Subscription
from service.models.mail import TO_OFFICIALS
from service.reactivations import Barred
from workers.inbound import leave
from workers.inbound.confirm import confirm
from workers.inbound.outcome import MOST_ANSWERS, Outcome, folder_of, mailbox_of, why_no_person

PATIENCE = timedelta(hours=1)
"""How long a bounce waits for its own message to be recorded as sent."""


def act(session: Session, arrival: Arrival, said: Judgement, now: datetime) -> None:
    """Does what one message asks, in the caller's transaction. Raises bounces.NotYet where it came too early."""
    to = addressed.find(session, arrival.recipient)
    found = _what_came(session, arrival, said, to, now)
    about = {"mailbox": found.mailbox, "message_id": found.message_id}
    spool.finish(session, arrival, said, found.sentence, found.folder, **about)
    if found.folder == "replies" and settings().inbox_forward_to:
        stored = session.get_one(Arrival, arrival.id, populate_existing=True)
        emails.forwarded(session, settings().inbox_forward_to, stored, now)


def _what_came(session: Session, arrival: Arrival, said: Judgement, to: Destination | None, now: datetime) -> Outcome:
    if to is not None and to.role == "unsubscribe":  # whatever wrote it: a valid token acts at once
        return _leave(session, to.row_id, now)
    if said.quarantined:
        return Outcome("it was not safe to read", "quarantine")
    if said.kind == "complaint":
        return _complaint(session, said, now)
    if arrival.external_id is not None or (to is not None and to.role == "bounce"):
        return _returned(session, arrival, said, to, now)
    if to is None or said.kind == "bounce":
        return Outcome("its address names nothing of ours: nothing was changed")
    return HANDLERS[to.role](session, said, to, now)


def _leave(session: Session, subscription_id: int, now: datetime) -> Outcome:
    row = session.get(Subscription, subscription_id)
    left = subscriptions.leave(session, subscription_id, now, "email")
    return Outcome("left the list" if left else "had left the list already", mailbox=row.mailbox if row else None)


def _complaint(session: Session, said: Judgement, now: datetime) -> Outcome:
    message = _named(session, said)
    if message is None:
        return Outcome("the message that it complains of is not known here", "unclear")
    return _complained(session, message, said, now)


def _named(session: Session, said: Judgement) -> Message | None:
    """By our own tokens in the message that a report returns, never by the addresses that it names."""
    for token in said.tokens:
        with suppress(NotFound):
            return bounces.find(session, links.read_message_token(token))
    return None


def _complained(session: Session, message: Message, said: Judgement, now: datetime) -> Outcome:
    mailbox = bounces.complained(session, message, said.reason, now)
    if mailbox is None:
        return Outcome("its reader was erased meanwhile", message_id=message.id)
    count = subscriptions.leave_all(session, mailbox, now, "email")
    _pause(session, message, now)
    return Outcome(f"called it spam: off {count} lists, and written to no more", "", mailbox, message.id)


def _returned(session: Session, arrival: Arrival, said: Judgement, to: Destination | None, now: datetime) -> Outcome:
    """To the envelope address of one message, or a provider's word on it: a bounce, a success, somebody's automatic answer."""
    message = _named(session, said) if to is None else session.get(Message, to.row_id)
    if message is None:
        return Outcome("it names no message that we still know: nothing was changed")
    mailbox = bounces.mailbox_of(session, message)
    if said.action in SUCCESSES or (said.kind == "bounce" and message.kind in TO_OFFICIALS):
        _notified(session, message.id, said, now)
    if said.kind != "bounce":
        if (left := leave.by_token(session, message, said, now)) is not None:
            return left
        folder = "" if said.action in SUCCESSES else "automatic" if said.machine else "replies"
        return Outcome(said.reason or "an answer to a message of ours", folder, mailbox, message.id)
    kind, wait = said.bounce_class or "unknown", now - arrival.received_at < PATIENCE
    new = bounces.returned(session, message, kind, said.status or "", said.text or said.reason, now, wait=wait)
    _pause(session, message, now)
    sentence = f"{kind}: {said.reason}" if new else "it was known already"
    return Outcome(sentence, "unclear" if kind == "unknown" and new else "", mailbox, message.id)


def _notified(session: Session, message_id: int, said: Judgement, now: datetime) -> None:
    """Tells the story of an official's letter what a server says of it."""
    answers.notified(session, message_id, said.action or "failed", said.text or said.reason, now)


def _pause(session: Session, message: Message, now: datetime) -> None:
    if message.mailing_id is not None and (because := bounces.why_pause(session, message.mailing_id)) is not None:
        mailings.pause_and_tell(session, message.mailing_id, because, now)


def _command(session: Session, said: Judgement, to: Destination, now: datetime) -> Outcome:
    """Acts only by sending a letter to the address that asks."""
    if (why := why_no_person(said)) is not None:
        return Outcome(f"not answered: {why}", folder_of(said), mailbox_of(said))
    try:
        email = addresses.parse(said.author)
    except Refused:
        return Outcome("not answered: its From is no address that we could write to")
    mailbox = addresses.mailbox(email)
    if spool.answers_today(session, mailbox, now) >= MOST_ANSWERS:
        return Outcome("not answered: ten answers a day are enough", mailbox=mailbox)
    asked = BY_ADDRESS.get(to.role) or letters.command(said.subject, said.own)
    if not asked and letters.away(said.own):
        return Outcome("not answered: it says that somebody is away", "automatic", mailbox)
    barred = _answer(session, asked, to, email, now, said.message_id)
    if barred is not None:
        return Outcome(barred, "replies" if barred is Barred.BY_ORGANISER else "", mailbox)
    return Outcome(f"answered: {asked or 'help'}", mailbox=mailbox)


def _answer(session: Session, asked: str, to: Destination, email: str, now: datetime, answering: str) -> Barred | None:
    """Sends what was asked for; says so where we had stopped writing to whoever asks."""
    if asked == "subscribe":
        lists = [subscriptions.find_list(session, to.slug)]
        return subscriptions.ask(session, lists, subscriptions.Form("", email), now, "email", answering)
    if asked == "unsubscribe":
        subscriptions.ask_to_leave(session, subscriptions.find_list(session, to.slug), email, now, answering)
    elif (barred := reactivations.answer(session, email, now, answering=answering)) is not None:
        return barred
    elif asked in {"status", "withdraw"}:
        requests.manage_link(session, email, now, answering)
    elif asked == "again":
        what = "Nothing keeps us from writing to this address: sign a notice, or ask for our updates, on our website as usual."
        requests.tell(session, email, what, now, answering)
    else:
        subscriptions.help_with(session, subscriptions.find_list(session, to.slug), email, now, answering)
    return None


def _inbox(session: Session, said: Judgement, to: Destination, now: datetime) -> Outcome:
    if to.role == "inbox" and (asked := leave.asked_back(session, said, now)) is not None:
        return asked
    return Outcome(said.reason or "for a person to read", folder_of(said), mailbox_of(said))


HANDLERS: dict[str, Callable[[Session, Judgement, Destination, datetime], Outcome]] = {
    "confirm": confirm, "subscribe": _command, "leave": _command, "request": _command, "again": _command,
    "inbox": _inbox, "complaints": _inbox,
}  # fmt: skip
