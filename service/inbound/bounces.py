"""Story: a message came back, or its reader called it spam: what that means for the message, the address and the mailing."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from service import states
from service.confirmations import confirmation_requests
from service.core.config import settings
from service.core.db import among
from service.core.keyed_hashes import keyed_hash
from service.emails.suppressions import Cause, Due, suppress, suppress_all
from service.errors import NotFound
from service.inbound import brakes, outcome_counts, reply_patterns
from service.inbound.failure_effects import FailedMessage, Fate
from service.inbound.failure_scores import scores
from service.inbound.parsing.failures import reasons, refused_command
from service.mailings import tallies
from service.models import Bounce, Message, Subscription
from service.models.mail import REACTIVATE, TO_OFFICIALS, TO_ORGANISERS
from service.text.email_addresses import domain

FINAL = ("hard", "soft", "blocked", "unknown")
REASONS: dict[Cause, str] = {
    "hard": "bounced: no such mailbox",
    "soft": "bounced: too many temporary failures",
    "judged": "bounced: an organiser judged it",
    "complaint": "said that it was spam",
}
NEVER = {*TO_OFFICIALS, *TO_ORGANISERS}
"""Letters to officials, whose addresses are public, and to organisers, who could not sign in any more: people look at those."""
ASKS_TO_CONFIRM = ("confirm", REACTIVATE)
SHORTEST_NAME = 3
ADDRESS = re.compile(r"[^\s<>\"']+@[^\s<>\"']+")


class NotYet(RuntimeError):
    """The message is on its way still: its bounce overtook the answer of the mail server."""


def find(session: Session, message_id: int) -> Message:
    message = session.get(Message, message_id)
    if message is None:
        raise NotFound(f"there is no message {message_id}")
    return message


def mailbox_of(session: Session, message: Message) -> str | None:
    """Whose message it was; None for somebody who was erased meanwhile."""
    if message.mailing_id is None:
        return message.mailbox
    return session.scalar(select(Subscription.mailbox).where(Subscription.id == message.subscription_id))


def returned(session: Session, message: Message, kind: str, status: str, text: str, now: datetime, *, wait: bool) -> bool:
    """Writes down that a message failed, and suppresses its address where that is due. False where this was known already.

    Raises NotYet while the message is on its way, unless `wait` is over.
    """
    if message.state in {"queued", "sending"} and wait:
        raise NotYet
    noted_before = exists().where(
        Bounce.message_id == message.id, Bounce.kind.in_(FINAL) if kind in FINAL else Bounce.kind == kind
    )
    mailbox = mailbox_of(session, message)
    if mailbox is None or session.scalar(select(noted_before)):
        return False
    held: set[int] = set()
    if kind in {"hard", "soft"} and message.kind not in NEVER:
        reason = reasons.judge(status, text).reason
        failure = Failure(message.id, message.mailing_id, mailbox, kind, reason, status, text, message.settled_at or now)
        held = _suppress_or_hold(session, [failure], now)
    else:
        _note(session, message, mailbox, kind, status, text, now)
    if kind != "delayed":
        _move(session, message, "bounced", ("accepted", "unsure"))
        if message.kind in ASKS_TO_CONFIRM and not held:
            confirmation_requests.end_unreached(session, [message.id])
    return True


def refused(session: Session, texts: Mapping[int, str], now: datetime) -> None:
    """Mail servers turned messages away for good, while we spoke to them: it counts against an address as its bounce would.

    said: the reply, code and words, by message id. What is about us, or not understood, counts against nobody; the report and
    the share at which a mailing pauses have it already. A few statements for all, however many there are.
    """
    judged = {number: reasons.judge("", words, refused_command.refused(words) or "rcpt") for number, words in texts.items()}
    failed = {number: verdict for number, verdict in judged.items() if verdict.kind in {"hard", "soft"}}
    failures = [
        Failure(number, mailing_id, mailbox, *failed[number], reasons.specific("", texts[number]), texts[number], now)
        for number, mailing_id, mailbox in (_addressees(session, failed) if failed else ())
    ]
    held = _suppress_or_hold(session, failures, now) if failures else set()
    unreached = select(Message.id).where(among(session, Message.id, texts), Message.kind.in_(ASKS_TO_CONFIRM))
    confirmation_requests.end_unreached(session, [number for number in session.scalars(unreached) if number not in held])


class Failure(NamedTuple):
    """A message that failed hard, or for a time, and whose mailbox it was."""

    message_id: int
    mailing_id: int | None
    mailbox: str
    kind: str
    reason: str
    status: str
    text: str
    settled_at: datetime


def _suppress_or_hold(session: Session, failures: Sequence[Failure], now: datetime) -> set[int]:
    """Writes failures down and suppresses where that is due, unless a brake holds; returns the messages that one holds."""
    outcome_counts.lock(session)  # before patterns are noted: two workers must not wait for each other in a circle
    failed = _weighable(session, failures, now)
    fates = brakes.weigh(session, failed, now)
    scored = scores(session, {failure.hash for failure in failed if failure.kind == "soft"}, now)
    due = {
        failure: fates[failure.message_id]
        for failure in failed
        if failure.kind == "hard" or scored.get(failure.hash, 0) >= settings().soft_bounces
    }
    brakes.hold(session, {failure: fate for failure, fate in due.items() if fate.act == "hold"}, now)
    suppress_all(session, [_due(failure, fate) for failure, fate in due.items() if fate.act in {"act", "dead"}], now)
    return {failure.message_id for failure, fate in due.items() if fate.act == "hold"}


def _due(failure: FailedMessage, fate: Fate) -> Due:
    """A failure for a cause that an organiser judged acts at their word."""
    kind: Cause = "hard" if failure.kind == "hard" else "soft"
    return Due(failure.hash, "judged" if fate.act == "dead" else kind, REASONS[kind], failure.pattern_id)


def _weighable(session: Session, failures: Sequence[Failure], now: datetime) -> list[FailedMessage]:
    """Failures without a trace of whose they are, each with the pattern of its words."""
    texts = [_without_addresses(failure.text, failure.mailbox) for failure in failures]
    keys = [reply_patterns.key_of(text, failure.status) for failure, text in zip(failures, texts, strict=True)]
    causes = {
        key: reply_patterns.Cause(failure.reason, failure.status, text)
        for key, failure, text in zip(keys, failures, texts, strict=True)
    }
    patterns = reply_patterns.remember(session, causes, now)
    return [
        FailedMessage(failure.message_id, failure.mailing_id, keyed_hash(failure.mailbox), domain(failure.mailbox),
            failure.kind, failure.status, text,
                      patterns[key].id, patterns[key].first_at, failure.settled_at)
        for failure, text, key in zip(failures, texts, keys, strict=True)
    ]  # fmt: skip


def _addressees(session: Session, numbers: Collection[int]) -> list[tuple[int, int | None, str]]:
    """Message, mailing and mailbox of those among these messages whose address may be suppressed."""
    mailbox = func.coalesce(Message.mailbox, Subscription.mailbox)
    statement = (
        select(Message.id, Message.mailing_id, mailbox)
        .outerjoin(Subscription, Subscription.id == Message.subscription_id)
        .where(among(session, Message.id, numbers), Message.kind.not_in(NEVER), mailbox.is_not(None))
    )
    return [row._tuple() for row in session.execute(statement)]


def has_complained(session: Session, message: Message) -> bool:
    """Whether its reader called it spam before: each reader counts once, whatever is sent again."""
    noted_before = exists().where(Bounce.message_id == message.id, Bounce.kind == "complaint")
    return bool(session.scalar(select(noted_before)))


def complained(session: Session, message: Message, text: str, now: datetime) -> str | None:
    """Its reader called it spam: suppressed at once; returns the mailbox, whose subscriptions the caller ends."""
    mailbox = mailbox_of(session, message)
    if mailbox is None:
        return None
    _note(session, message, mailbox, "complaint", "", text, now)
    if message.kind not in NEVER:
        suppress(session, mailbox, REASONS["complaint"], now, "complaint")
    _move(session, message, "complained", ("accepted", "bounced"))
    return mailbox


def _note(session: Session, message: Message, mailbox: str, kind: str, status: str, text: str, now: datetime) -> None:
    session.add(
        Bounce(hash=keyed_hash(mailbox), message_id=message.id, mailing_id=message.mailing_id, kind=kind, status=status,
               text=_without_addresses(text, mailbox), at=now)
    )  # fmt: skip
    session.flush()


def _without_addresses(text: str, mailbox: str) -> str:
    """A server's words without addresses; nor does the reader's own name at their provider stand there, or a part of it."""
    text, local = ADDRESS.sub("…@…", text), mailbox.rpartition("@")[0]
    parts = [part for part in (local, *re.split(r"[\W_]+", local)) if len(part) >= SHORTEST_NAME and part in text.lower()]
    for part in parts:
        text = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", "…", text, flags=re.IGNORECASE)
    return "".join(c for c in text[:500] if c.isprintable())


def _move(session: Session, message: Message, after: str, befores: tuple[str, ...]) -> None:
    for before in befores:
        if after not in states.MESSAGE[before]:
            continue
        if states.claim(session, Message, before, after, Message.id == message.id) and message.mailing_id is not None:
            tallies.add(session, message.mailing_id, {before: -1, after: 1})
    session.refresh(message)


def give_up(session: Session, mailbox: str, message_id: int | None, now: datetime) -> None:
    """An organiser judged a failure that no program understood: the address is written to no more."""
    suppress(session, mailbox, REASONS["judged"], now, "judged")
    text = "an organiser judged it permanent"
    session.add(Bounce(hash=keyed_hash(mailbox), message_id=message_id, kind="hard", status="", text=text, at=now))
