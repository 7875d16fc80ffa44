"""`flask --app wsgi <group> <verb>`: each command parses, calls one story, prints.

Exit 0 done, 1 refused or done in part, 2 usage. With --json one JSON document on standard output; progress on standard error.
"""

from __future__ import annotations

import click
from flask import Flask

from service.cli import backups, inbound, mailings, notices, people, proof, signatures, suppressions
from service.cli.output import json_option, now, say, says_why
from service.core.db import transaction
from service.migrations import upgrade
from service.operations import sample


def register(app: Flask) -> None:
    for group in (
        notices.group,
        people.officials_group,
        people.subscribers_group,
        people.organisers_group,
        signatures.group,
        suppressions.group,
        mailings.group,
        proof.group,
        inbound.group,
        backups.audit_group,
    ):
        app.cli.add_command(group)
    app.cli.add_command(migrate_command)
    app.cli.add_command(seed_command)
    app.cli.add_command(backups.backup_command)
    app.cli.add_command(backups.restore_command)


@click.command("migrate")
@json_option
@says_why
def migrate_command(as_json: bool) -> None:
    """Bring the database up to date (a release's first step)."""
    upgrade.upgrade()
    say(as_json, {"migrated": True}, "The database is up to date.")


@click.command("seed")
@json_option
@says_why
def seed_command(as_json: bool) -> None:
    """Put the sample notice, officials, list and signatures into an empty database."""
    with transaction() as session:
        planted = sample.plant(session, now())
    sentence = "The sample content is in place." if planted else "There is content already; nothing was added."
    say(as_json, {"planted": planted}, sentence)
