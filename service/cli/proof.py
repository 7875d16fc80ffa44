"""`flask proof …`: the key that signs manifests, and the chain of evidence."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from service.cli.output import json_option, now, say, says_why
from service.core.db import reading, transaction
from service.notices import publishing
from service.organisers import audit
from service.proof.encoding import encode
from service.proof_store import evidence_chain, signing_key

group = AppGroup("proof", help="What anyone can check. To check it: python -m service.proof FILE…")


@group.command("rotate")
@json_option
@says_why
def rotate(as_json: bool) -> None:
    """Take a new key for manifests; the old one endorses it, and both stay published."""
    with transaction() as session:
        fingerprint = signing_key.rotate(session, now())
        audit.note(session, "rotate", "the key of the proof", now(), key=fingerprint)
    say(as_json, {"key": fingerprint}, f"Manifests are signed with the key {fingerprint} from now on.")


@group.command("keys")
@says_why
def keys() -> None:
    """Print the published keys, as they stand at /.well-known/undersigned-keys.json."""
    with reading() as session:
        click.echo(encode(signing_key.document(session)), nl=False)


@group.command("evidence")
@click.argument("slug")
@says_why
def chain(slug: str) -> None:
    """Print the chain of evidence of a notice, as the verifier takes it."""
    with reading() as session:
        click.echo(encode(evidence_chain.chain(session, publishing.find(session, slug))), nl=False)
