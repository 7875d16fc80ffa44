"""What somebody asks of a list by e-mail: answered by letter, and shown where a person should read it, too."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from service.confirmations import confirmation_requests, reactivations
from service.confirmations.reactivations import Barred
from service.errors import Refused
from service.inbound import spool
from service.inbound.parsing import origin
from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.replies import our_letters
from service.inbound.parsing.replies.consequence import BY_ADDRESS
from service.inbound.recipient_addresses import Destination
from service.rate_limits import asked_letters, visitors, windows
from service.subscriptions import subscribing
from service.text import email_addresses
from workers.inbound.outcome import MOST_ANSWERS, Outcome, folder_of, mailbox_of, why_no_person


def command(session: Session, judgement: Judgement, to: Destination, now: datetime) -> Outcome:
    """Acts only by sending a letter to the address that asks."""
    mailbox = mailbox_of(judgement)
    if (why := why_no_person(judgement)) is not None:
        return Outcome(f"not answered: {why}", folder_of(judgement), mailbox)
    try:
        email = email_addresses.parse(judgement.author)
    except Refused:
        return Outcome("not answered: its From is no address that we could write to", "replies", mailbox)
    if spool.answers_today(session, email_addresses.mailbox(email), now) >= MOST_ANSWERS:
        return Outcome("not answered: ten answers a day are enough", "automatic", mailbox)
    asked = BY_ADDRESS.get(to.role) or our_letters.command(judgement.subject, judgement.own)
    if not asked and our_letters.away(judgement.own):
        return Outcome("not answered: it says that somebody is away", "automatic", mailbox)
    asked_letters.note(session, visitors.mark(origin.handed_over_by(judgement.hops)))
    at = windows.commands(origin.handed_over_by(judgement.hops), email_addresses.domain(email), now)
    barred = _answer(session, asked, to, email, at, judgement.message_id)
    if barred is not None:
        return Outcome(barred, "replies" if barred is Barred.BY_ORGANISER else _folder(judgement, asked), mailbox)
    return Outcome(f"answered: {asked or 'help'}", _folder(judgement, asked), mailbox)


def _folder(judgement: Judgement, asked: str) -> str:
    """Words that are no command, and files, are for a person, too: a letter about commands is no answer to them."""
    return "replies" if judgement.files or judgement.unread or (not asked and judgement.own) else ""


def _answer(session: Session, asked: str, to: Destination, email: str, now: datetime, answering: str) -> Barred | None:
    """Sends what was asked for; says so where we had stopped writing to whoever asks."""
    if asked == "subscribe":
        lists = [subscribing.find_list(session, to.slug)]
        return subscribing.ask(session, lists, subscribing.Form("", email), now, "email", answering)
    if asked == "unsubscribe":
        subscribing.ask_to_leave(session, subscribing.find_list(session, to.slug), email, now, answering)
    elif (barred := reactivations.answer(session, email, now, answering=answering)) is not None:
        return barred
    elif asked in {"status", "withdraw"}:
        confirmation_requests.manage_link(session, email, now, answering)
    elif asked == "again":
        what = "Nothing keeps us from writing to this address: sign a notice, or ask for our updates, on our website as usual."
        confirmation_requests.tell(session, email, what, now, answering)
    else:
        subscribing.help_with(session, subscribing.find_list(session, to.slug), email, now, answering)
    return None
