"""`flask backup`, `flask restore`, `flask audit …`: what a keeper of the service does on a good day, and on a bad one."""

from __future__ import annotations

import csv
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import select
from sqlalchemy.orm import Session

from service import states
from service.cli.output import file_argument, json_option, now, say, says_why
from service.core import config, queues
from service.core.config import settings
from service.core.db import reading, transaction
from service.core.keyed_hashes import keyed_hash
from service.errors import Refused
from service.models import Arrival, Consent, Mailing, Message, Request, Serving, Signature, Subscription
from service.operations import backup
from service.organisers import audit
from service.people import erasure_log, subject_access
from service.signatures import signing
from service.workflows import erase

audit_group = AppGroup("audit", help="Who did what.")


@click.command("backup")
@file_argument
@json_option
@says_why
def backup_command(file: Path, as_json: bool) -> None:
    """Write everything (database, keys, uploads) into one file, sealed with HASH_KEY: keep that key elsewhere, too."""
    counts = backup.write(file, now())
    rows = sum(counts.values())
    say(
        as_json,
        {"file": str(file), "rows": rows, "tables": counts},
        f"{file}: {rows:,} rows of {len(counts)} tables, and the keys. HASH_KEY alone opens it: keep it elsewhere, too.",
    )


@click.command("restore")
@file_argument
@click.option("--replace", is_flag=True, help="Over what is there; it is backed up into VAR_DIR first.")
@click.option("--key-file", type=click.Path(path_type=Path), help="A file with the HASH_KEY of when it was made.")
@click.option("--unsealed", is_flag=True, help="Also a backup of an earlier version, which anybody could have changed.")
@json_option
@says_why
def restore_command(file: Path, replace: bool, key_file: Path | None, unsealed: bool, as_json: bool) -> None:
    """Bring a backup back. Stop web, workers and clock first. Who was erased since is erased again; what was on its way is
    held, for it may have gone since."""
    secret = _key_in(key_file) if key_file else settings().hash_key
    with backup.unsealed(file, secret, or_plain=unsealed) as plain:
        _restore(plain, replace, as_json)


def _key_in(path: Path) -> str:
    """A file with SECRET_KEY's keys holds it as the last of them."""
    try:
        return path.read_text().strip().split(",")[-1].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read ({type(error).__name__}).") from None


def _restore(file: Path, replace: bool, as_json: bool) -> None:
    manifest = backup.read_manifest(file)
    at, before = datetime.fromisoformat(manifest["at"]), ""
    erased = erasure_log.since(at)
    if not backup.is_empty():
        if not replace:
            raise Refused("The database is not empty. Add --replace to put the backup in its place.")
        with reading() as session:
            erased |= erasure_log.since(at, session)
        before = str(settings().var_dir / f"before-restore-{now():%Y%m%d-%H%M%S}.zip")
        backup.write(Path(before), now())
    _same_keys(file)
    if before:
        backup.clear()
    rows = backup.restore_tables(file)
    held = _hold_what_was_on_its_way()
    again = _erase_again(erased)
    with transaction() as session:
        audit.note(session, "restore", "backup", now(), of=manifest["at"], rows=rows, erased_again=again, held=held)
    document: dict[str, Any] = {"rows": rows, "erased_again": again, "held": held, "before": before}
    sentence = f"{rows:,} rows are back as of {manifest['at']}; {again} erased again."
    if any(held.values()):
        told = ", ".join(f"{count} {what}" for what, count in held.items() if count)
        sentence += f" Held, since they may have gone after the backup: {told}."
    say(as_json, document, sentence)


def _same_keys(file: Path) -> None:
    """Puts the key files back. Raises Refused where HASH_KEY is set to another than the backup's."""
    key = backup.key_of(file, "HASH_KEY")
    given = any(os.environ.get(name) for name in ("HASH_KEY", "HASH_KEY_FILE", "SECRET_KEY", "SECRET_KEY_FILE"))
    if settings().hash_key != key and given:
        raise Refused(
            "HASH_KEY is another than the backup's: links in letters that are out, and the list of those we must not write to, "
            "would be worth nothing. Set it to the text of keys/HASH_KEY in the backup."
        )
    backup.restore_files(file)
    if settings().hash_key != key:  # a fresh machine made a key of its own
        config.use(config.load(os.environ))


def _hold_what_was_on_its_way() -> dict[str, int]:
    with transaction() as session:
        letters = (Message.queue == queues.NOTICES,)
        return {
            "mailings paused": states.claim(session, Mailing, "sending", "paused", paused_because="a backup was restored"),
            "mailings back to draft": states.claim(session, Mailing, "approved", "draft", approved_hash=None),
            "servings stopped": states.claim(session, Serving, "due", "stopped", stopped_by="a restore"),
            "letters to officials cancelled": states.claim(session, Message, "queued", "cancelled", *letters, settled_at=now()),
        }


def _erase_again(erased: set[str]) -> int:
    """Everybody of the backup who asked to be erased after it was made."""
    mailboxes = {mailbox for mailbox in _mailboxes() if keyed_hash(mailbox) in erased} if erased else set()
    for mailbox in sorted(mailboxes):
        with transaction() as session:
            _erase(session, mailbox)
    return len(mailboxes)


def _mailboxes() -> set[str]:
    mailboxes: set[str] = set()
    with reading() as session:
        for model in (Signature, Subscription, Request, Consent, Arrival):
            mailboxes |= {mailbox for mailbox in session.scalars(select(model.mailbox).distinct()) if mailbox}
        mailboxes |= {
            mailbox
            for mailbox in session.scalars(select(Message.mailbox).where(Message.mailing_id.is_(None)).distinct())
            if mailbox
        }
    return mailboxes


def _erase(session: Session, mailbox: str) -> None:
    for signature, _, _ in subject_access.of(session, mailbox).signatures:
        signing.withdraw(session, signature, now())
    erase.erase(session, mailbox, now())


@audit_group.command("verify")
@json_option
@says_why
def verify(as_json: bool) -> None:
    """Prove that no entry was changed, taken out or put in. Write the last hash down elsewhere, and compare it next time."""
    with reading() as session:
        count, problem, last = audit.verify(session)
    if problem:
        raise Refused(f"After {count:,} good entries: {problem}.")
    say(as_json, {"entries": count, "last": last}, f"{count:,} entries follow one another. The last hash is {last}.")


@audit_group.command("export")
@says_why
def export() -> None:
    """Print every entry as CSV."""
    writer = csv.writer(sys.stdout)
    writer.writerow(audit.COLUMNS)
    with reading() as session:
        writer.writerows(audit.row(entry) for entry in audit.every(session))
