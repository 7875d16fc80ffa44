"""`flask notices …`: take in, publish, serve, close, look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.cli.output import console, file_argument, json_option, now, read_text, say, says_why
from service.core.db import reading, transaction
from service.emails import links
from service.models import Notice, Serving
from service.notices import officials, publishing, source_file
from service.operations import problems
from service.organisers import audit
from service.servings import register, serving_lifecycle

STANDS = {
    "rehearsal": "rehearses: its letters go to the organisers until it is published.",
    "live": "is live; this text becomes a new edition with `notices publish`.",
}
group = AppGroup("notices", help="Public notices.")


@group.command("import")
@file_argument
@json_option
@says_why
def import_notice(file: Path, as_json: bool) -> None:
    """Take in a notice: front matter (title, slug, addressed_to, published_by, published_on), Markdown; it rehearses."""
    source = source_file.read_file(read_text(file))
    demands = source_file.demands(source.body)
    with transaction() as session:
        notice = publishing.take_in(session, source, now())
        audit.note(session, "take in", f"notice {notice.slug}", now())
    document = {"slug": notice.slug, "title": notice.title, "state": notice.state, "demands": demands}
    lines = "\n".join(f"  {number}. {text}" for number, text in enumerate(demands, 1))
    say(as_json, document, f"“{notice.title}” ({notice.slug}) {STANDS[notice.state]} Its demands:\n{lines}")


@group.command("publish")
@click.argument("slug")
@json_option
@says_why
def publish(slug: str, as_json: bool) -> None:
    """Freeze the text as an edition and make the notice live."""
    with transaction() as session:
        edition = publishing.publish(session, slug, now())
        audit.note(session, "publish", f"notice {slug}", now(), edition=edition.number, hash=edition.hash)
    document = {"slug": slug, "edition": edition.number, "hash": edition.hash, "url": links.url(f"/notices/{slug}")}
    say(as_json, document, f"Edition {edition.number} is live at {document['url']}\nSHA-256 {edition.hash}")


@group.command("serve")
@click.argument("slug")
@json_option
@says_why
def serve(slug: str, as_json: bool) -> None:
    """Serve the notice on its officials, after its waiting time; in rehearsal on its organisers."""
    with transaction() as session:
        notice = publishing.find(session, slug)
        serving = serving_lifecycle.order(session, notice, publishing.to_serve(session, notice, now()), now())
        stale = officials.stale(session, now())
        audit.note(session, "serve", f"notice {slug}", now(), serving=serving.id)
    for official in stale:
        console.print(f"{official.office}: the address was verified on {official.verified_on}; look whether it is still right.")
    whom = "the organisers (rehearsal)" if serving.rehearsal else "the officials"
    document = {"serving": serving.id, "due_at": serving.due_at.isoformat(), "rehearsal": serving.rehearsal}
    say(
        as_json,
        document,
        f"Serving {serving.id} goes to {whom} at {serving.due_at:%H:%M} UTC on {serving.due_at:%d %B %Y}.",
    )


@group.command("close")
@click.argument("slug")
@json_option
@says_why
def close(slug: str, as_json: bool) -> None:
    """End a notice: no more signatures, no more servings."""
    with transaction() as session:
        publishing.close(session, slug, now())
        audit.note(session, "close", f"notice {slug}", now())
    say(as_json, {"slug": slug, "state": "closed"}, f"{slug} is closed.")


@group.command("status")
@click.argument("slug", required=False)
@json_option
@says_why
def notice_status(slug: str | None, as_json: bool) -> None:
    """How a notice (or each) stands: state, count, next milestone, deliveries by tier."""
    with reading() as session:
        notices = [publishing.find(session, slug)] if slug else publishing.all_of_them(session)
        documents = [_notice_status(session, notice) for notice in notices]
    if as_json:
        click.echo(json.dumps({"notices": documents}, ensure_ascii=False))
    for document in [] if as_json else documents:
        click.echo(
            f"{document['slug']}: {document['state']}, {document['count']} signatures, "
            f"next milestone {document['next_milestone'] or 'none'}"
        )
        for due_at in document["waiting"]:
            click.echo(f"  a serving is due at {due_at}")
        for key, words in document["problems"].items():
            click.echo(f"  {key}: {words}")
        for tier, count in document["deliveries"].items():
            click.echo(f"  {tier}: {count}")


def _notice_status(session: Session, notice: Notice) -> dict[str, Any]:
    tiers: dict[str, int] = {}
    for line in register.lines(session, notice)["deliveries"]:
        tiers[str(line["tier"])] = tiers.get(str(line["tier"]), 0) + 1
    edition = notice.edition
    unwritten = [serving for serving, of in serving_lifecycle.waiting(session) if of.id == notice.id]
    due = [serving.due_at.isoformat(timespec="seconds") for serving in unwritten if serving.state == "due"]
    wrong = problems.about_servings(session, session.scalars(select(Serving.id).where(Serving.notice_id == notice.id)), now())
    return {
        "slug": notice.slug, "title": notice.title, "state": notice.state, "count": edition.count if edition else 0,
        "edition": edition.hash if edition else None, "next_milestone": publishing.next_milestone(notice), "deliveries": tiers,
        "waiting": due, "problems": {row.key: row.in_words for row in wrong},
    }  # fmt: skip
