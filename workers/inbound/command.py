"""What somebody asks of a list by e-mail: answered by letter, and shown where a person should read it, too."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from service import addresses, askers, limits, reactivations, requests, spool, subscriptions, visitors
from service.addressed import Destination
from service.errors import Refused
from service.incoming import letters, origin
from service.incoming.consequence import BY_ADDRESS
from service.incoming.judgement import Judgement
from service.reactivations import Barred
from workers.inbound.outcome import MOST_ANSWERS, Outcome, folder_of, mailbox_of, why_no_person


def command(session: Session, said: Judgement, to: Destination, now: datetime) -> Outcome:
    """Acts only by sending a letter to the address that asks."""
    mailbox = mailbox_of(said)
    if (why := why_no_person(said)) is not None:
        return Outcome(f"not answered: {why}", folder_of(said), mailbox)
    try:
        email = addresses.parse(said.author)
    except Refused:
        return Outcome("not answered: its From is no address that we could write to", "replies", mailbox)
    if spool.answers_today(session, addresses.mailbox(email), now) >= MOST_ANSWERS:
        return Outcome("not answered: ten answers a day are enough", "automatic", mailbox)
    asked = BY_ADDRESS.get(to.role) or letters.command(said.subject, said.own)
    if not asked and letters.away(said.own):
        return Outcome("not answered: it says that somebody is away", "automatic", mailbox)
    askers.note(session, visitors.mark(origin.handed_over_by(said.hops)))
    at = limits.commands(origin.handed_over_by(said.hops), addresses.domain(email), now)
    barred = _answer(session, asked, to, email, at, said.message_id)
    if barred is not None:
        return Outcome(barred, "replies" if barred is Barred.BY_ORGANISER else _folder(said, asked), mailbox)
    return Outcome(f"answered: {asked or 'help'}", _folder(said, asked), mailbox)


def _folder(said: Judgement, asked: str) -> str:
    """Words that are no command, and files, are for a person, too: a letter about commands is no answer to them."""
    return "replies" if said.files or said.unread or (not asked and said.own) else ""


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
