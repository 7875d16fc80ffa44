"""What a message leads to: one function for each thing it may be addressed to. Stories meet here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.emails import catalogue, links
from service.errors import NotFound
from service.inbound import bounces, failure_scores, recipient_addresses, spool
from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.replies import auto_replies, our_letters
from service.inbound.parsing.replies.consequence import SUCCESSES
from service.inbound.recipient_addresses import Destination
from service.mailings import pausing
from service.models import Arrival, Mailing, Message, Subscription
from service.models.mail import TO_OFFICIALS
from service.servings import outcomes
from service.subscriptions import subscribing
from workers.inbound import leave, report_sources
from workers.inbound.confirm import confirm
from workers.inbound.list_commands import command
from workers.inbound.outcome import Outcome, folder_of, mailbox_of

PATIENCE = timedelta(hours=1)
"""How long a bounce waits for its own message to be recorded as sent."""


def act_on(session: Session, arrival: Arrival, judgement: Judgement, now: datetime) -> None:
    """Does what one message asks, in the caller's transaction. Raises bounces.NotYet where it came too early."""
    to = recipient_addresses.find(session, arrival.recipient)
    judgement = _by_a_person(session, report_sources.with_peer(arrival, judgement))
    outcome = _what_came(session, arrival, judgement, to, now)
    about = {"mailbox": outcome.mailbox, "message_id": outcome.message_id}
    spool.finish(session, arrival, judgement, outcome.sentence, outcome.folder, **about)
    if outcome.folder == "replies" and settings().inbox_forward_to:
        stored = session.get_one(Arrival, arrival.id, populate_existing=True)
        catalogue.forwarded(session, settings().inbox_forward_to, stored, now)


def _by_a_person(session: Session, judgement: Judgement) -> Judgement:
    """An answer to an update of ours whose own subject sounds like a machine's is a person's."""
    if judgement.machine != auto_replies.ITS_SUBJECT or not our_letters.REPLY_MARK.match(judgement.subject):
        return judgement
    ours = select(Mailing.id).where(Mailing.subject == our_letters.REPLY_MARK.sub("", judgement.subject)).limit(1)
    return judgement if session.scalar(ours) is None else replace(judgement, kind="reply", machine="", reason="")


def _what_came(session: Session, arrival: Arrival, judgement: Judgement, to: Destination | None, now: datetime) -> Outcome:
    """Each message is acted on, answered, or shown in a folder of the inbox: none vanishes."""
    if to is not None and to.role == "unsubscribe":  # whatever wrote it: a valid token acts at once
        return _leave(session, to.row_id, now)
    if judgement.quarantined:
        return Outcome("it was not safe to read", "quarantine", mailbox_of(judgement))
    if judgement.kind == "complaint":
        return _complaint(session, arrival, judgement, now)
    if arrival.external_id is not None or (to is not None and to.role == "bounce"):
        return _returned(session, arrival, judgement, to, now)
    return _astray(session, arrival, judgement, now) if judgement.kind == "bounce" else _wrote(session, judgement, to, now)


def _wrote(session: Session, judgement: Judgement, to: Destination | None, now: datetime) -> Outcome:
    if to is None:
        return Outcome("its address names nothing of ours", folder_of(judgement), mailbox_of(judgement))
    return HANDLERS[to.role](session, judgement, to, now)


def _leave(session: Session, subscription_id: int, now: datetime) -> Outcome:
    row = session.get(Subscription, subscription_id)
    left = subscribing.leave(session, subscription_id, now, "email")
    return Outcome("left the list" if left else "had left the list already", mailbox=row.mailbox if row else None)


def _complaint(session: Session, arrival: Arrival, judgement: Judgement, now: datetime) -> Outcome:
    message = _named(session, [*judgement.feedback_ids, *judgement.tokens])
    if message is None:
        return Outcome("the message that it complains of is not known here", "unclear")
    if not report_sources.knows_of_complaints(session, arrival, judgement, message, bounces.mailbox_of(session, message)):
        return _somebody_says(session, message, "that its reader calls it spam")
    return _complained(session, message, judgement, now)


def _named(session: Session, tokens: Sequence[str]) -> Message | None:
    """By our own tokens, whose MACs prove that they are ours, never by the addresses that a report names."""
    for token in tokens:
        for read in (links.read_complaint_token, links.read_envelope_token, links.read_message_token):
            with suppress(NotFound):
                return bounces.find(session, read(token))
    return None


def _somebody_says(session: Session, message: Message, what: str) -> Outcome:
    """A claim: it changes nothing, and one of them for each message is shown to organisers."""
    waiting = (Arrival.message_id == message.id, Arrival.folder == "unclear", Arrival.put_away_at.is_(None))
    is_first = session.scalar(select(Arrival.id).where(*waiting).limit(1)) is None
    sentence = f"somebody says {what}; nothing proves it, and nothing was changed"
    return Outcome(sentence, "unclear" if is_first else "", bounces.mailbox_of(session, message), message.id)


def _complained(session: Session, message: Message, judgement: Judgement, now: datetime) -> Outcome:
    if bounces.has_complained(session, message):
        return Outcome("it was known already", message_id=message.id)
    mailbox = bounces.complained(session, message, judgement.reason, now)
    if mailbox is None:
        return Outcome("its reader was erased meanwhile", message_id=message.id)
    count = subscribing.leave_all(session, mailbox, now, "email")
    _pause(session, message, now)
    return Outcome(f"called it spam: off {count} lists, and written to no more", "", mailbox, message.id)


def _returned(session: Session, arrival: Arrival, judgement: Judgement, to: Destination | None, now: datetime) -> Outcome:
    """To the envelope address of one message, or a provider's word on it: a bounce, a success, somebody's automatic answer."""
    message = _named(session, judgement.tokens) if to is None else session.get(Message, to.row_id)
    if message is None:
        return _of_no_message(arrival, judgement)
    is_proved = _is_proved(session, arrival, message, judgement, to, now)
    if judgement.kind == "bounce":
        return (
            _failed(session, arrival, message, judgement, now)
            if is_proved
            else _somebody_says(session, message, _failure(judgement))
        )
    if judgement.action in SUCCESSES:
        if not is_proved:
            return _somebody_says(session, message, f"that it was {judgement.action}")
        _notified(session, message.id, judgement, now)
    left = leave.asked_back(session, judgement, now) if to and to.former else leave.by_token(session, message, judgement, now)
    if left is not None:
        return left
    folder = "" if judgement.action in SUCCESSES else "automatic" if judgement.machine else "replies"
    return Outcome(
        judgement.reason or "an answer to a message of ours", folder, bounces.mailbox_of(session, message), message.id
    )


def _is_proved(
    session: Session, arrival: Arrival, message: Message, judgement: Judgement, to: Destination | None, now: datetime
) -> bool:
    """Whether it came to the secret address of the envelope, or by a provider's hook, and from somebody who can know."""
    mailbox = bounces.mailbox_of(session, message)
    has_secret = to is None or not to.former or report_sources.is_just_former(session, message, judgement, mailbox, now)
    return has_secret and report_sources.can_know(session, arrival, judgement, message, mailbox)


def _failure(judgement: Judgement) -> str:
    return f"that it failed ({judgement.bounce_class or 'unknown'}{': ' if judgement.reason else ''}{judgement.reason})"


def _of_no_message(arrival: Arrival, judgement: Judgement) -> Outcome:
    """A message of ours that is forgotten by now; or, from a provider, somebody else's who sends by the same account."""
    sentence = "it names no message that we still know: nothing was changed"
    if arrival.external_id is not None or judgement.action in SUCCESSES:
        return Outcome(sentence)
    return (
        Outcome(sentence, "unclear")
        if judgement.kind == "bounce"
        else Outcome(sentence, folder_of(judgement), mailbox_of(judgement))
    )


def _astray(session: Session, arrival: Arrival, judgement: Judgement, now: datetime) -> Outcome:
    """A bounce that came to our From or to a list's address: it counts where it returns the secret of the envelope."""
    message = _named(session, [*judgement.tokens, *judgement.answered]) if not arrival.sender else None
    if message is None:
        return Outcome("it names no message of ours: nothing was changed", "unclear")
    mailbox = bounces.mailbox_of(session, message)
    if report_sources.holds_secret(judgement, message) and report_sources.can_know(
        session, arrival, judgement, message, mailbox
    ):
        return _failed(session, arrival, message, judgement, now)
    return _somebody_says(session, message, _failure(judgement))


def _failed(session: Session, arrival: Arrival, message: Message, judgement: Judgement, now: datetime) -> Outcome:
    mailbox = bounces.mailbox_of(session, message)
    if message.kind in TO_OFFICIALS:
        _notified(session, message.id, judgement, now)
    kind, wait = judgement.bounce_class or "unknown", now - arrival.received_at < PATIENCE
    new = bounces.returned(session, message, kind, judgement.status or "", judgement.text or judgement.reason, now, wait=wait)
    if new:
        _pause(session, message, now)
    sentence = f"{kind}: {judgement.reason}" if new else "it was known already"
    return Outcome(sentence, "unclear" if kind == "unknown" and new else "", mailbox, message.id)


def _notified(session: Session, message_id: int, judgement: Judgement, now: datetime) -> None:
    """Tells the story of an official's letter what a server says of it."""
    outcomes.notified(session, message_id, judgement.action or "failed", judgement.text or judgement.reason, now)


def _pause(session: Session, message: Message, now: datetime) -> None:
    if message.mailing_id is not None and (because := failure_scores.why_pause(session, message.mailing_id)) is not None:
        pausing.pause_and_tell(session, message.mailing_id, because, now)


def _inbox(session: Session, judgement: Judgement, to: Destination, now: datetime) -> Outcome:
    if to.role == "inbox" and (asked := leave.asked_back(session, judgement, now)) is not None:
        return asked
    return Outcome(judgement.reason or "for a person to read", folder_of(judgement), mailbox_of(judgement))


HANDLERS: dict[str, Callable[[Session, Judgement, Destination, datetime], Outcome]] = {
    "confirm": confirm, "subscribe": command, "leave": command, "request": command, "again": command,
    "inbox": _inbox, "complaints": _inbox,
}  # fmt: skip
