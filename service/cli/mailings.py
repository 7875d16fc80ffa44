"""`flask mailings …`: send an update, watch it."""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from service import states
from service.cli.output import console, file_argument, json_option, now, read_text, say, says_why
from service.core.config import settings
from service.core.db import reading, transaction
from service.emails import links
from service.errors import Refused
from service.mailings import audience, mailing_lifecycle, progress
from service.mailings.checks import all_checks
from service.models import Mailing
from service.organisers import audit
from service.subscriptions import subscribing
from service.text.characters.control import clean
from service.text.tables.csv_cells import plain_cell

group = AppGroup("mailings", help="Updates to a list.")


@group.command("send")
@file_argument
@click.option("--list", "slug", required=True, help="Slug of the list.")
@json_option
@says_why
def send_mailing(file: Path, slug: str, as_json: bool) -> None:
    """Send an update: the file's first line is `# Subject`, the rest its text in Markdown."""
    text = clean(read_text(file))
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("# "):
        raise Refused("The file's first line should be its subject, like: # What happens next")
    body = "\n" * (text.count("\n") - rest.count("\n")) + rest  # so that places are told as the file has them
    with transaction() as session:
        mailing = mailing_lifecycle.draft(session, subscribing.find_list(session, slug), first[2:], body, None, now())
        mailing_lifecycle.submit(mailing)
        session.flush()
        if not settings().approvals:
            mailing_lifecycle.approve(session, mailing, None, mailing_lifecycle.content_hash(mailing), now())
        audit.note(session, "send", f"mailing {mailing.id}", now(), state=mailing.state)
        findings = all_checks.of(session, mailing, now(), audience.size(session, audience.of(mailing)))
    for finding in findings:
        if finding.level != "ok":
            console.print(f"{finding.name}: {finding.said} {finding.remedy}")
    document = {"id": mailing.id, "state": mailing.state, "url": links.url(f"/news/{mailing.slug}")}
    if settings().approvals:
        say(
            as_json,
            document,
            f"Mailing {mailing.id} waits for an approver: {links.url(f'/organise/updates/{mailing.id}')}",
        )
        sys.exit(1)
    say(
        as_json,
        document,
        f"Mailing {mailing.id} is on its way. `flask --app wsgi mailings status {mailing.id} --watch`",
    )


@group.command("status")
@click.argument("mailing_id", type=int, required=False)
@click.option("--watch", is_flag=True, help="Look again every second until it is sent or cancelled.")
@json_option
@says_why
def mailing_status(mailing_id: int | None, watch: bool, as_json: bool) -> None:
    """How far a mailing (or each) is."""
    while True:
        with reading() as session:
            mailings = (
                [mailing_lifecycle.find(session, mailing_id)]
                if mailing_id is not None
                else mailing_lifecycle.all_of_them(session)
            )
            documents = [_mailing_status(session, mailing) for mailing in mailings]
        if not watch or all(document["state"] in {"draft", "sent", "cancelled"} for document in documents):
            break
        for document in documents:
            console.print(_sentence(document), end="\r" if len(documents) == 1 else "\n")
        time.sleep(1)
    if as_json:
        click.echo(json.dumps({"mailings": documents}, ensure_ascii=False))
    else:
        click.echo("\n".join(_sentence(document) for document in documents) or "There are no mailings yet.")


def _mailing_status(session: Session, mailing: Mailing) -> dict[str, Any]:
    status = progress.of(session, mailing, now())
    return {
        "id": mailing.id, "subject": mailing.subject, "state": status.state, "total": status.total,
        "settled": status.settled, "counts": status.counts, "paused_because": status.paused_because,
        "per_second": round(status.per_second, 1),
        "seconds_left": None if status.left is None else round(status.left.total_seconds()),
    }  # fmt: skip


def _sentence(document: dict[str, Any]) -> str:
    counts = ", ".join(f"{count:,} {state}" for state, count in sorted(document["counts"].items()))
    settled = f"{document['settled']:,} of {document['total']:,} settled"
    pace = (
        f"; {document['per_second']:,} a second, {document['seconds_left']:,} s left"
        if document["seconds_left"] is not None
        else ""
    )
    return f"{document['id']} “{document['subject']}”: {document['state']}, {settled} ({counts or 'no messages'}){pace}"


@group.command("outcomes")
@click.argument("mailing_id", type=int)
@click.option("--state", default="", type=click.Choice(["", *sorted(states.MESSAGE)]), help="Only messages in this state.")
@click.option("--search", "words", default="", help="Only where the address or the server's reply holds these words.")
@says_why
def outcomes(mailing_id: int, state: str, words: str) -> None:
    """Print what became of each message as CSV (email,state,code,reply,at), with the servers' words."""
    writer = csv.writer(sys.stdout)
    writer.writerow(["email", "state", "code", "reply", "at"])
    with reading() as session:
        mailing = mailing_lifecycle.find(session, mailing_id)
        after: int | None = 0
        while after is not None:
            rows, after = progress.outcomes(session, mailing, state=state, words=words, after=after, limit=1_000)
            for _, email, became, code, reply, at in rows:
                writer.writerow([plain_cell(email or ""), became, code or "", plain_cell(reply), at.isoformat() if at else ""])
