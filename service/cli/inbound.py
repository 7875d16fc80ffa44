"""`flask inbound …`: take in mail from a pipe or files, send a message to ourselves."""

from __future__ import annotations

import json
import os
import smtplib
import sys
from collections.abc import Iterable
from email import policy
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError

from service.cli.output import console, json_option, now, say, says_why
from service.core.config import settings
from service.core.db import reading, transaction
from service.errors import Refused
from service.inbound import recipient_addresses, spool
from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.mime import mailboxes
from service.inbound.parsing.mime.mime_parser import LARGEST, Hostile, read
from service.inbound.parsing.replies import consequence
from service.inbound.parsing.sandbox import Reader
from service.inbound.recipient_addresses import Destination

group = AppGroup("inbound", help="Mail that comes in.")
ADDRESSEES = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to", "cc", "resent-to", "bcc", "apparently-to")


@group.command("process")
@click.argument("files", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Judge each message, store nothing.")
@click.option("--recipient", default="", help="Envelope recipient; else the pipe's, else what the headers say.")
@click.option("--sender", default=None, help="Envelope sender, empty for the null return path.")
@says_why
def process(files: tuple[str, ...], dry_run: bool, recipient: str, sender: str | None) -> None:
    """Take in messages from FILE… or standard input (-), one each; prints a line of JSON for each."""
    failed = False
    if sender is None and not files:
        sender = os.environ.get("SENDER")  # Postfix's pipe and alias commands (local(8)) name the envelope there
    with Reader() as reader:
        for name in files or ("-",):
            try:
                raw = _content(name)
            except OSError as error:
                console.print(f"{name} cannot be read: {error.strerror}.")
                failed = True
                continue
            judgement = reader.judge(raw, sender, settings().inbound_authserv_id)
            to = recipient or ("" if files else os.environ.get("ORIGINAL_RECIPIENT", "")) or _addressee(raw)
            if not dry_run:
                _store(raw, sender, to, come_back=not files)
            click.echo(json.dumps(_line(name, judgement, to), ensure_ascii=False))
    sys.exit(1 if failed else 0)


@group.command("judge")
@click.argument("files", nargs=-1, required=True)
@click.option("--recipient", default="", help="Envelope recipient; else the first of the headers that looks like one of ours.")
@click.option("--sender", default=None, help="Envelope sender, empty for the null return path.")
@json_option
@says_why
def judge(files: tuple[str, ...], recipient: str, sender: str | None, as_json: bool) -> None:
    """Tell of each FILE (- is standard input) what it is and what would be done; nothing is stored, changed or looked up.

    One line each, of JSON with --json. Ends with 2 where a file cannot be read, after all others were.
    """
    unread = False
    with Reader() as reader:
        for name in files:
            try:
                raw = _content(name)
            except OSError as error:
                console.print(f"{name} cannot be read: {error.strerror}.")
                unread = True
                continue
            told = _told(name, reader.judge(raw, sender, settings().inbound_authserv_id), recipient or _shaped(raw))
            says = ", ".join(filter(None, (told["kind"], told["class"], told["reason"])))
            say(as_json, told, f"{name}: {says}: {told['would']}")
    sys.exit(UNREAD if unread else 0)


UNREAD = 2


def _told(name: str, judgement: Judgement, recipient: str) -> dict[str, Any]:
    role = recipient_addresses.role_of(recipient)
    return _fields(name, judgement, is_command=role in COMMANDS, token_valid=recipient_addresses.names_a_row(recipient)) | {
        "author": judgement.author, "subject": judgement.subject, "body": judgement.body,
        "machine": judgement.machine, "text": judgement.text, "would": consequence.would(judgement, role),
    }  # fmt: skip


def _shaped(raw: bytes) -> str:
    """The first address of its headers that has the shape of one that acts; else the first named."""
    named = _named(raw)
    return next(
        (address for address in named if recipient_addresses.role_of(address) not in {"inbox", "complaints"}),
        next(iter(named), ""),
    )


def _content(name: str) -> bytes:
    """A little more than the largest message, so that a larger one is seen as such and not read to its end."""
    if name == "-":
        return sys.stdin.buffer.read(LARGEST + 1)
    with open(name, "rb") as file:
        return file.read(LARGEST + 1)


def _named(raw: bytes) -> list[str]:
    try:
        message = read(raw)
    except Hostile:
        return []
    return [address for header in ADDRESSEES for value in message.all(header) for address in _addresses(value)]


def _addressee(raw: bytes) -> str:
    """The first of our own addresses that the headers name; else the first named."""
    named = _named(raw)
    return next((address for address in named if _destination(address)), next(iter(named), ""))


def _destination(address: str) -> Destination | None:
    """A look at mail needs no database; without one, every list may be there."""
    try:
        with reading() as session:
            return recipient_addresses.find(session, address)
    except DBAPIError:
        return Destination("request")


def _addresses(value: str) -> Iterable[str]:
    return mailboxes.addresses(value)


def _store(raw: bytes, sender: str | None, recipient: str, *, come_back: bool) -> None:
    """Where the database is away, a mail server that pipes to us is told to come back: any other code would bounce its mail."""
    try:
        with transaction() as session:
            spool.store(session, [spool.Mail("pipe", sender, [recipient], raw)], now())
            spool.ring(session)
    except DBAPIError:
        if not come_back:
            raise
        console.print("The database is away; the message was not stored.")
        sys.exit(os.EX_TEMPFAIL)


def _line(name: str, judgement: Judgement, recipient: str) -> dict[str, Any]:
    """What the issue tracker of a mail server, or a test, reads: one message, judged."""
    to = _destination(recipient) if recipient else None
    return _fields(name, judgement, is_command=to is not None and to.role in COMMANDS, token_valid=bool(to and to.row_id))


COMMANDS = {"confirm", "subscribe", "leave", "request", "unsubscribe"}


def _fields(name: str, judgement: Judgement, *, is_command: bool, token_valid: bool) -> dict[str, Any]:
    kind = "command" if is_command and judgement.kind in {"reply", "other"} and not judgement.machine else judgement.kind
    return {
        "file": name, "kind": kind, "class": judgement.bounce_class, "status": judgement.status,
        "recipient": judgement.recipient, "action": judgement.action, "reason": judgement.reason,
        "token_valid": token_valid, "quarantined": judgement.quarantined,
    }  # fmt: skip


@group.command("send")
@click.argument("to")
@click.option("--from", "author", required=True, help="Whose message it is.")
@click.option("--subject", default="", help="Its subject.")
@click.option("--text", default="", help="Its text.")
@json_option
@says_why
def send(to: str, author: str, subject: str, text: str, as_json: bool) -> None:
    """Send a message to our own receiver, as a mail program would: to join by e-mail on your own machine."""
    message = EmailMessage()
    for name, value in (("From", author), ("To", to), ("Subject", subject)):
        try:
            message[name] = value
        except ValueError:
            raise Refused(f"{name} holds a line break.") from None
    message["Message-ID"] = make_msgid(domain="example.org")
    message.set_content(text or "\n")
    port = settings().inbound_smtp_port
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.sendmail(author, [to], message.as_bytes(policy=policy.SMTP))
    except smtplib.SMTPRecipientsRefused as refused:
        code, reply = next(iter(refused.recipients.values()))
        raise Refused(f"The receiver said no: {code} {reply.decode('utf-8', 'replace')}.") from None
    except smtplib.SMTPException as error:
        raise Refused(f"The receiver said no: {error}.") from None
    except ConnectionRefusedError:
        raise Refused(f"Nobody listens on port {port}: start `make run`, or `python -m workers.inbound`.") from None
    say(as_json, {"sent": True}, "Taken. The answer comes to that mailbox; in development, to the postbox.")
