"""`flask signatures …`: find signatures, and hide, withdraw or strike them out."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from service.cli.output import console, json_option, now, say, says_why
from service.core.db import reading, transaction
from service.emails import links
from service.errors import NotFound, Refused
from service.models import Edition, Notice, Signature
from service.notices import publishing
from service.organisers import audit
from service.people import person_search
from service.signatures import moderation

STATES = ("pending", "confirmed", "withdrawn", "struck")
FEW = 50
group = AppGroup("signatures", help="Who signed: find, hide, withdraw, strike out.")
ids_argument = click.argument("ids", type=click.IntRange(min=1), nargs=-1, required=True, metavar="ID…")
reason_option = click.option("--reason", required=True, help="Why; kept in the audit. Leave out names and addresses.")


@group.command("find")
@click.argument("words", nargs=-1, required=True)
@json_option
@says_why
def find_signatures(words: tuple[str, ...], as_json: bool) -> None:
    """Find signatures by address or name. Prints those that begin so, with their IDs; at most fifty."""
    text = " ".join(words).strip()
    if len(text) < person_search.SHORTEST:
        raise Refused("Enter the beginning of an address or of a name: at least two letters.")
    with reading() as session:
        rows = _lines(session, _signatures().where(*person_search.matching(session, Signature, text)), FEW)
    _print(rows[:FEW], as_json, "There are more: enter more letters." if len(rows) > FEW else "")


@group.command("list")
@click.option("--notice", "slug", required=True, help="Slug of the notice.")
@click.option("--state", type=click.Choice(STATES), help="Only these.")
@click.option("--after", type=int, default=0, help="Only those with a larger ID.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="At most so many.")
@json_option
@says_why
def list_signatures(slug: str, state: str | None, after: int, limit: int, as_json: bool) -> None:
    """List a notice's signatures. Prints them with their IDs, in the order in which they came."""
    with reading() as session:
        notice = publishing.find(session, slug)
        statement = _signatures().where(Edition.notice_id == notice.id, Signature.id > after)
        rows = _lines(session, statement.where(Signature.state == state) if state else statement, limit)
    _print(rows[:limit], as_json, f"There are more: add --after {rows[limit - 1]['id']}." if len(rows) > limit else "")


def _signatures() -> Select[Signature, Edition, Notice]:
    joined = select(Signature, Edition, Notice).join(Edition, Edition.id == Signature.edition_id)
    return joined.join(Notice, Notice.id == Edition.notice_id).order_by(Signature.id)


def _lines(session: Session, statement: Select[Signature, Edition, Notice], limit: int) -> list[dict[str, Any]]:
    """One more than `limit` where there are more."""
    return [
        {
            "id": signature.id, "notice": notice.slug, "edition": edition.number, "number": signature.sequence,
            "state": signature.state, "hidden": signature.hidden_at is not None, "display": signature.display,
            "name": signature.name, "email": signature.email, "clp": signature.clp, "office": signature.office,
            "asked_at": _iso(signature.created_at), "confirmed_at": _iso(signature.confirmed_at),
        }
        for signature, edition, notice in session.execute(statement.limit(limit + 1)).tuples()
    ]  # fmt: skip


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def _print(rows: list[dict[str, Any]], as_json: bool, more: str) -> None:
    if as_json:
        click.echo(json.dumps({"signatures": rows, "more": bool(more)}, ensure_ascii=False))
    for row in [] if as_json else rows:
        number = f"number {row['number']} of " if row["number"] else ""
        hidden = ", hidden" if row["hidden"] else ""
        clp = f", {row['clp']}" if row["clp"] else ""
        click.echo(f"{row['id']}: {row['name']} <{row['email']}>{clp}; {number}{row['notice']}, {row['state']}{hidden}")
    if not rows:
        console.print("No signature like this.")
    if more:
        console.print(more)


@group.command("hide")
@ids_argument
@reason_option
@json_option
@says_why
def hide(ids: tuple[int, ...], reason: str, as_json: bool) -> None:
    """Take a name off public pages. Officials get it and it counts, as before. Several IDs only propose it."""
    _act("hide", ids, reason, as_json)


@group.command("show")
@ids_argument
@reason_option
@json_option
@says_why
def show(ids: tuple[int, ...], reason: str, as_json: bool) -> None:
    """Show a hidden name again. It stands where its signer chose to be named. Several IDs only propose it."""
    _act("show", ids, reason, as_json)


@group.command("withdraw")
@ids_argument
@reason_option
@json_option
@says_why
def withdraw(ids: tuple[int, ...], reason: str, as_json: bool) -> None:
    """Withdraw for the signer. The signer is told and can undo it for 30 days. Several IDs only propose it."""
    _act("withdraw", ids, reason, as_json)


@group.command("strike")
@ids_argument
@reason_option
@json_option
@says_why
def strike(ids: tuple[int, ...], reason: str, as_json: bool) -> None:
    """Propose to strike out. It is for what is false or abusive; an organiser approves it in the studio."""
    _act("strike", ids, reason, as_json)


@group.command("allow")
@click.argument("number", type=click.IntRange(min=1), metavar="ID")
@reason_option
@json_option
@says_why
def allow(number: int, reason: str, as_json: bool) -> None:
    """Let a signer sign again. It is for a signature that was struck out, after an objection."""
    why = person_search.reason(reason)
    with transaction() as session:
        signature = _find(session, number)
        moderation.let_sign_again(session, signature, now())
        audit.note(session, "let sign again", audit.person(signature.mailbox), now(), signature=number, reason=why)
    say(as_json, {"id": number, "state": "withdrawn"}, f"The signer of signature {number} can sign again, by the form.")


def _find(session: Session, number: int) -> Signature:
    try:
        return moderation.find(session, number)
    except NotFound as error:
        raise NotFound(f"{error}. See the IDs with `flask signatures find WORDS` or `list --notice SLUG`.") from None


def _act(kind: str, ids: tuple[int, ...], reason: str, as_json: bool) -> None:
    why, numbers = person_search.reason(reason), sorted(set(ids))
    with transaction() as session:
        signatures = [_find(session, number) for number in numbers]
        if moderation.takes_two(session, kind, numbers, None, now()):
            proposal = moderation.propose(session, kind, numbers, why, None, now())
            audit.note(session, "propose", f"proposal {proposal.id}", now(), kind=kind, signatures=numbers, reason=why)
            document = {"act": kind, "ids": numbers, "proposal": proposal.id, "state": "proposed"}
            page = links.url("/organise/notices")
            sentence = f"Proposal {proposal.id}: an organiser has to approve it at {page} before anything changes."
        else:
            document, sentence = _act_alone(session, kind, signatures[0], why)
    say(as_json, document, sentence)


DONE = {
    "hide": "The name of signature {} stands on no public page now; it counts, and officials get it.",
    "show": "The name of signature {} is shown again, if its signer chose to be public.",
    "withdraw": "Signature {} is withdrawn and counts no more.",
}
TOLD = {
    True: " Its signer is told, and can undo it for 30 days.",
    False: " Its signer cannot be told: there is no address to which we may write.",
}


def _act_alone(session: Session, kind: str, signature: Signature, why: str) -> tuple[dict[str, Any], str]:
    told = moderation.act(session, kind, signature, now())
    person = audit.person(signature.mailbox)
    audit.note(session, f"{kind} signature", person, now(), signature=signature.id, reason=why)
    count = session.get_one(Edition, signature.edition_id).count
    hidden = signature.hidden_at is not None
    document = {"act": kind, "id": signature.id, "state": signature.state, "hidden": hidden, "told": told, "count": count}
    return document, DONE[kind].format(signature.id) + (TOLD[told] if kind == "withdraw" else "")
