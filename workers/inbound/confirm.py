"""An answer to the letter that asks to confirm: a clear yes, or nothing but our own letter, confirms; people read the rest."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.confirmations import confirmation_requests, forms_of_one_address
from service.core.config import settings
from service.errors import NotFound
from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.mime import html_text
from service.inbound.parsing.replies import our_letters
from service.inbound.parsing.replies.confirmation import Ours, why_no_yes
from service.inbound.recipient_addresses import Destination
from service.models import Letter, Request
from service.signatures import signing
from service.subscriptions import subscribing
from workers.inbound.outcome import Outcome, folder_of, mailbox_of, why_no_person


def confirm(session: Session, judgement: Judgement, to: Destination, now: datetime) -> Outcome:
    """Only an answer from that very mailbox, which a person wrote, can be one."""
    mailbox = mailbox_of(judgement)
    if (why := why_no_person(judgement)) is not None:
        return Outcome(f"confirms nothing: {why}", folder_of(judgement), mailbox)
    request = session.get(Request, to.row_id)
    if request is not None and request.mailbox != mailbox:
        return Outcome("confirms nothing: it comes from another address", "replies", mailbox)
    if our_letters.away(judgement.own):
        return Outcome("confirms nothing: it says that somebody is away", "automatic", mailbox)
    return _answered(session, judgement, to.row_id, now)


def _answered(session: Session, judgement: Judgement, request_id: int, now: datetime) -> Outcome:
    why = why_no_yes(judgement, _our_letters(session, request_id))
    try:
        request = confirmation_requests.by_number(session, request_id, now)
    except NotFound as error:
        if isinstance(error, confirmation_requests.Settled) and error.used and not why:
            return Outcome(f"confirms nothing: {error}", mailbox=mailbox_of(judgement))
        return _asked_back(session, judgement, session.get(Request, request_id), str(error), now)
    if why:
        return _asked_back(session, judgement, request, why, now)
    if len(forms_of_one_address.forms(request)) > 1:
        return _asked_back(session, judgement, request, "several forms were filled in with this address", now)
    return Outcome(_confirmed(session, request, now), mailbox=request.mailbox)


def _our_letters(session: Session, request_id: int) -> Ours:
    rows = session.execute(select(Letter.subject, Letter.text, Letter.html).where(Letter.request_id == request_id)).all()
    words = [line for subject, text, html in rows for line in (subject, text, *html_text.read(html).lines)]
    return Ours([row.subject for row in rows], "\n".join(words), settings().organisation)


def _confirmed(session: Session, request: Request, now: datetime) -> str:
    forms_of_one_address.choose(request, None)
    confirmation_requests.use(session, request, now)
    done = [*signing.confirm(session, request, now), *subscribing.confirm(session, request, now, "email")]
    return "confirmed by reply" if done else "had been confirmed already"


def _asked_back(session: Session, judgement: Judgement, request: Request | None, why: str, now: datetime) -> Outcome:
    """Where an organiser sees it; its author is told once, by letter, that nothing was confirmed and how to."""
    told = request is not None and subscribing.help_to_confirm(session, request, now, judgement.message_id)
    sentence = f"confirms nothing: {why}" + ("; told by letter how to confirm" if told else "")
    return Outcome(sentence, "replies", mailbox_of(judgement))
