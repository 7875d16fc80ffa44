"""Story: the people whom we write to and who signed: found, looked at, taken off lists, kept from being written to."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.orm import Session

from service import addresses, audit, requests, states, subscribing, suppressions
from service.errors import NotFound, Refused
from service.models import Attempt, Consent, Edition, Mailing, Message, Notice, Signature, Subscription

MOST = 50
SHORTEST = 2
REASON = 300
KINDS: dict[str, Any] = {"subscription": Subscription, "signature": Signature}


class Found(NamedTuple):
    """One mailbox: a row that it has, and what it is there for."""

    kind: str
    number: int
    email: str
    name: str
    clp: str
    state: str


class Happening(NamedTuple):
    """One line of a person's timeline."""

    at: datetime
    what: str
    said: str = ""


def search(session: Session, words: str, clp: str) -> list[Found]:
    """Mailboxes whose address begins so, or whose name has words that begin so, of this local party; at most fifty.

    Raises Refused where that would be everybody.
    """
    words, clp = words.strip(), clp.strip()
    if len(words) < SHORTEST and len(clp) < SHORTEST:
        raise Refused(words="Enter the beginning of an address or of a name, or a local party: at least two letters.")
    found: dict[str, Found] = {}
    for kind, model in KINDS.items():
        wanted = [*_wanted(session, model, words)] + ([func.lower(model.clp) == clp.casefold()] if clp else [])
        columns = (model.mailbox, model.id, model.email, model.name, model.clp, model.state)
        order = () if words else (model.id,)  # with words the index of words is quicker than any order
        for row in session.execute(select(*columns).where(*wanted).order_by(*order).limit(MOST)):
            found.setdefault(row[0], Found(kind, *row[1:]))
    return sorted(found.values(), key=lambda one: (one.name.casefold(), one.email))[:MOST]


def _wanted(session: Session, model: Any, words: str) -> list[ColumnElement[bool]]:
    if not words:
        return []
    postgresql = session.get_bind().dialect.name == "postgresql"
    if "@" in words:
        return [_begins(model.mailbox, addresses.mailbox(words), postgresql=postgresql)]
    parts = ["".join(c for c in part if c.isalnum() or c in "-'") for part in words.split()]
    if postgresql:
        asked = " & ".join("'{}':*".format(part.replace("'", "''")) for part in parts if part)
        vector = func.to_tsvector(literal_column("'simple'"), model.name)
        return [vector.op("@@")(func.to_tsquery(literal_column("'simple'"), asked))]
    return [model.name.icontains(part, autoescape=True) for part in parts]


def _begins(column: Any, text: str, *, postgresql: bool) -> ColumnElement[bool]:
    """In the spelling for which each database uses its index."""
    if postgresql:
        return column.startswith(text, autoescape=True)  # type: ignore[no-any-return]
    escaped = "".join(f"[{c}]" if c in "*?[" else c for c in text)
    return column.op("GLOB")(f"{escaped}*")  # type: ignore[no-any-return]


def find(session: Session, kind: str, number: int) -> str:
    """The mailbox behind a search's line. Raises NotFound."""
    row = session.get(KINDS[kind], number) if kind in KINDS and 0 < number < 2**63 else None
    if row is None:
        raise NotFound("nobody is there any more: erased, or forgotten in time")
    return str(row.mailbox)


def timeline(session: Session, mailbox: str) -> list[Happening]:
    """All that happened with a mailbox, the newest first."""
    lines = [*_consents(session, mailbox), *_signatures(session, mailbox), *_letters(session, mailbox)]
    lines += [*_copies(session, mailbox), *_audit(session, mailbox)]
    return sorted(lines, key=lambda one: one.at, reverse=True)


def _consents(session: Session, mailbox: str) -> list[Happening]:
    rows = session.scalars(select(Consent).where(Consent.mailbox == mailbox))
    acts = {"asked": "Asked", "confirmed": "Confirmed", "withdrawn": "Took back", "imported": "Imported"}
    said = [(one, f"{acts.get(one.act, one.act)} {_purpose(one.purpose)}, by {one.channel}") for one in rows]
    return [Happening(one.at, what, one.wording) for one, what in said]


def _purpose(purpose: str) -> str:
    kind, _, what = purpose.partition(":")
    return f"the list {what}" if kind == "list" else f"a signature of the edition {what[:12]}…"


def _signatures(session: Session, mailbox: str) -> list[Happening]:
    rows = session.execute(
        select(Signature, Notice.title)
        .join(Edition, Edition.id == Signature.edition_id)
        .join(Notice, Notice.id == Edition.notice_id)
        .where(Signature.mailbox == mailbox)
    )
    return [
        Happening(at, f"{verb} “{title}” as {one.name}", f"number {one.sequence}" if one.sequence else "")
        for one, title in rows
        for at, verb in ((one.confirmed_at, "Signed"), (one.withdrawn_at, "Withdrew"))
        if at is not None
    ]


def _letters(session: Session, mailbox: str) -> list[Happening]:
    letters = list(session.scalars(select(Message).where(Message.mailbox == mailbox, Message.mailing_id.is_(None))))
    tried = session.scalars(select(Attempt).where(Attempt.message_id.in_([one.id for one in letters]))).all()
    found = [Happening(one.at, f"Letter {one.message_id} tried", _replies(one)) for one in tried]
    kinds = {"confirm": "asked to confirm", "already": "said what is so already", "manage_link": "brought a link to manage"}
    for one in letters:
        found.append(Happening(one.created_at, f"Letter {one.id} {kinds.get(one.kind, one.kind)}: {one.state}", _reply(one)))
    return found


def _reply(message: Message) -> str:
    return f"{message.reply_code or ''} {message.reply_text}".strip()


def _replies(attempt: Attempt) -> str:
    said = [f"{one.get('command', '')} {one.get('code', '')} {one.get('text', '')}".strip() for one in attempt.replies[-3:]]
    return "; ".join(said) or attempt.outcome


def _copies(session: Session, mailbox: str) -> list[Happening]:
    """Copies of mailings, found mailing by mailing in the index of each: all that a million others got is left alone."""
    mine = list(session.scalars(select(Subscription.id).where(Subscription.mailbox == mailbox)))
    rows = session.execute(
        select(Message, Mailing.subject)
        .join(Mailing, Mailing.id == Message.mailing_id)
        .where(Message.mailing_id.in_(select(Mailing.id)), Message.subscription_id.in_(mine))
    )
    return [
        Happening(one.settled_at or one.created_at, f"Update “{subject}”: {one.state}", _reply(one)) for one, subject in rows
    ]  # fmt: skip


def _audit(session: Session, mailbox: str) -> list[Happening]:
    return [
        Happening(one.at, f"Organiser {one.organiser_id}: {one.act}", str(one.details.get("reason", "")))
        for one in audit.search(session, words=audit.person(mailbox))
    ]  # fmt: skip


def reason(text: str) -> str:
    """Why an organiser does it, for the audit. Raises Refused."""
    text = " ".join(text.split())
    if not 3 <= len(text) <= REASON:
        raise Refused(reason="Say why, in a few words; it is kept in the audit. Leave out names and addresses.")
    return text


def unsubscribe(session: Session, mailbox: str, now: datetime) -> int:
    """Off every list, at an organiser's word; how many it was."""
    rows = list(session.scalars(select(Subscription).where(Subscription.mailbox == mailbox, Subscription.state == "confirmed")))
    for row in rows:
        if states.claim(session, Subscription, "confirmed", "left", Subscription.id == row.id, left_at=now):
            purpose, wording = f"list:{row.mailing_list.slug}", subscribing.wording(row.mailing_list)
            requests.record_consent(session, mailbox, purpose, "withdrawn", "organiser", wording, now)
    return len(rows)


def suppress(session: Session, mailbox: str, why: str, now: datetime) -> None:
    """We write to it no more, whatever anybody asks for; off every list as well."""
    unsubscribe(session, mailbox, now)
    suppressions.suppress(session, mailbox, f"an organiser: {why}", now)


def lift(session: Session, mailbox: str) -> None:
    """We may write to it again. Raises Refused where nothing was in the way."""
    if not suppressions.lift(session, mailbox):
        raise Refused("Nothing keeps us from writing to this mailbox.")
