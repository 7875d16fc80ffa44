"""Story: the people whom we write to and who signed: found, looked at, taken off lists, kept from being written to."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.orm import Session

from service import states
from service.confirmations import consents
from service.emails import suppressions
from service.errors import NotFound, Refused
from service.models import Arrival, Edition, Signature, Subscription
from service.subscriptions import pending_subscriptions
from service.text import email_addresses
from service.text.characters.control import clean_line

MOST = 50
SHORTEST = 2
REASON = 300
KINDS: dict[str, Any] = {"subscription": Subscription, "signature": Signature}
WROTE = "arrival"
"""Somebody who wrote to us, and may be nothing else."""


class Found(NamedTuple):
    """One mailbox: a row that it has, and what it is there for."""

    kind: str
    number: int
    email: str
    name: str
    clp: str
    state: str


def search(session: Session, words: str, clp: str) -> list[Found]:
    """Mailboxes whose address begins so, or whose name has words that begin so, of this local party; at most fifty.

    Raises Refused where that would be everybody.
    """
    words, clp = words.strip(), clp.strip()
    if len(words) < SHORTEST and len(clp) < SHORTEST:
        raise Refused(words="Enter the beginning of an address or of a name, or a local party: at least two letters.")
    people: dict[str, Found] = {}
    for kind, model in KINDS.items():
        conditions = [*matching(session, model, words)] + ([func.lower(model.clp) == clp.casefold()] if clp else [])
        columns = (model.mailbox, model.id, model.email, model.name, model.clp, model.state)
        order = () if words else (model.id,)  # with words the index of words is quicker than any order
        for row in session.execute(select(*columns).where(*conditions).order_by(*order).limit(MOST)):
            people.setdefault(row[0], Found(kind, *row[1:]))
    if "@" in words and not clp:
        for mailbox, number in _who_wrote(session, words):
            people.setdefault(mailbox, Found(WROTE, number, mailbox, "", "", "wrote to us"))
    return sorted(people.values(), key=lambda row: (row.name.casefold(), row.email))[:MOST]


def _who_wrote(session: Session, words: str) -> list[tuple[str, int]]:
    """Mailboxes from which mail came in, whose address begins so, each with its last message."""
    begins = _begins(
        Arrival.mailbox, email_addresses.mailbox(words), postgresql=session.get_bind().dialect.name == "postgresql"
    )
    statement = select(Arrival.mailbox, func.max(Arrival.id)).where(Arrival.mailbox.is_not(None), begins)
    return [(str(mailbox), number) for mailbox, number in session.execute(statement.group_by(Arrival.mailbox).limit(MOST))]


def matching(session: Session, model: Any, words: str) -> list[ColumnElement[bool]]:
    """Rows whose address begins so, or whose name has words that begin so."""
    if not words:
        return []
    postgresql = session.get_bind().dialect.name == "postgresql"
    if "@" in words:
        return [_begins(model.mailbox, email_addresses.mailbox(words), postgresql=postgresql)]
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
    model = (KINDS | {WROTE: Arrival}).get(kind)
    row = session.get(model, number) if model is not None and 0 < number < 2**63 else None
    if row is None or row.mailbox is None:
        raise NotFound("nobody is there any more: erased, or forgotten in time")
    return str(row.mailbox)


def signatures(session: Session, mailbox: str) -> list[tuple[Signature, Edition]]:
    """What a mailbox signed, or asked to sign."""
    rows = select(Signature, Edition).join(Edition, Edition.id == Signature.edition_id).where(Signature.mailbox == mailbox)
    return [row._tuple() for row in session.execute(rows.order_by(Signature.id))]


def subscriptions(session: Session, mailbox: str) -> list[Subscription]:
    """The lists that a mailbox is on, was on, or asked for."""
    return list(session.scalars(select(Subscription).where(Subscription.mailbox == mailbox).order_by(Subscription.id)))


def reason(text: str) -> str:
    """Why an organiser does it, for the audit. Raises Refused."""
    text = clean_line(text)
    if not 3 <= len(text) <= REASON:
        raise Refused(reason="Say why, in a few words; it is kept in the audit. Leave out names and addresses.")
    return text


def unsubscribe(session: Session, mailbox: str, now: datetime) -> int:
    """Off every list, at an organiser's word; how many it was."""
    rows = list(session.scalars(select(Subscription).where(Subscription.mailbox == mailbox, Subscription.state == "confirmed")))
    for row in rows:
        if states.claim(session, Subscription, "confirmed", "left", Subscription.id == row.id, left_at=now):
            purpose, wording = f"list:{row.mailing_list.slug}", pending_subscriptions.wording(row.mailing_list)
            consents.record_consent(session, mailbox, purpose, "withdrawn", "organiser", wording, now)
    return len(rows)


def suppress(session: Session, mailbox: str, why: str, now: datetime) -> None:
    """We write to it no more, whatever anybody asks for; off every list as well."""
    unsubscribe(session, mailbox, now)
    suppressions.suppress(session, mailbox, f"an organiser: {why}", now, "organiser")
