"""An answer to an update that asks for no more of them: obeyed where only its reader could send it, asked back elsewhere."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.confirmations import confirmation_requests
from service.core.config import settings
from service.emails import links
from service.errors import NotFound
from service.inbound import bounces, spool
from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.mime import html_text
from service.inbound.parsing.replies import leaving
from service.inbound.parsing.replies.confirmation import UNKNOWN, Ours
from service.mailings.checks import all_checks
from service.models import Mailing, Message, Subscription
from service.subscriptions import subscribing
from workers.inbound.outcome import MOST_ANSWERS, Outcome, mailbox_of, why_no_person


def by_token(session: Session, message: Message, judgement: Judgement, now: datetime) -> Outcome | None:
    """At the envelope address of one copy, which its reader alone knows. None where it asks for nothing of the kind."""
    if judgement.machine or message.subscription_id is None or not leaving.asks(judgement, _ours(session, message)):
        return None
    mailbox = bounces.mailbox_of(session, message)
    left = subscribing.leave(session, message.subscription_id, now, "email")
    return Outcome("left the list" if left else "had left the list already", mailbox=mailbox, message_id=message.id)


def asked_back(session: Session, judgement: Judgement, now: datetime) -> Outcome | None:
    """Where anybody could have written it in this name. None where a person reads it: it says more, or from no reader."""
    message = _answered(session, judgement)
    if why_no_person(judgement) is not None or not leaving.asks(judgement, _ours(session, message)):
        return None
    author = mailbox_of(judgement)
    if author is None or spool.answers_today(session, author, now) >= MOST_ANSWERS:
        return None
    rows = _subscriptions(session, message, author)
    if len(rows) == 1:
        subscribing.ask_back(session, rows[0], now, judgement.message_id)
    elif rows:
        confirmation_requests.manage_link(session, rows[0].email, now, judgement.message_id)
    return Outcome("answered: asked whether to leave", mailbox=author) if rows else None


def _answered(session: Session, judgement: Judgement) -> Message | None:
    """The copy of ours that it answers."""
    for token in judgement.answered:
        with suppress(NotFound):
            return bounces.find(session, links.read_message_token(token))
    return None


def _subscriptions(session: Session, message: Message | None, author: str) -> list[Subscription]:
    """The one by which the answered copy came; else every one of the author's."""
    confirmed = Subscription.state == "confirmed"
    if message is not None and message.subscription_id is not None:
        rows = list(session.scalars(select(Subscription).where(Subscription.id == message.subscription_id, confirmed)))
        if rows:
            return rows
    return list(
        session.scalars(select(Subscription).where(Subscription.mailbox == author, confirmed).order_by(Subscription.id))
    )


def _ours(session: Session, message: Message | None) -> Ours:
    """What we had written, which programs quote, some without any mark."""
    mailing = session.get(Mailing, message.mailing_id) if message is not None and message.mailing_id else None
    if mailing is None:
        return UNKNOWN
    text, page = all_checks.written(mailing)
    return Ours([mailing.subject], "\n".join([mailing.subject, text, *html_text.read(page).lines]), settings().organisation)
