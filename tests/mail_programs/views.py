"""What each reader of MIME shows of a letter, in one form, so that they can be compared with each other and with a manifest.

`{"headers": {"subject": [every value, decoded], "date": …, "message-id": …}, "mailboxes": {"from": [[name, address], …], …},
"parts": [{"kind", "filename", "disposition", "content": base64, "text": decoded by its own character set}, …]}`, or an `error`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
from collections.abc import Callable
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.utils import getaddresses
from pathlib import Path
from typing import Any

import fast_mail_parser
import pytest

View = dict[str, Any]
HERE = Path(__file__).parent
MAILBOXES = ("from", "to", "reply-to")
HEADERS = ("subject", "date", "message-id")
COMMANDS = {
    "MIME-tools": ["perl", str(HERE / "mime_tools.pl")],
    "Email::MIME": ["perl", str(HERE / "email_mime.pl")],
    "GMime": ["/usr/bin/python3", str(HERE / "gmime.py")],
}
NEEDED = "libmime-tools-perl libemail-mime-perl libemail-address-xs-perl gir1.2-gmime-3.0 python3-gi"


def views_of(letters: dict[str, bytes], folder: Path) -> dict[str, dict[str, View]]:
    """By program and by letter; skipped, with the reason, where Debian's packages are missing."""
    for number, content in enumerate(letters.values()):
        (folder / f"{number}.eml").write_bytes(content)
    found: dict[str, dict[str, View]] = {}
    for program, command in COMMANDS.items():
        if not shutil.which(command[0]):
            pytest.skip(f"{program} is not installed (Debian: apt-get install {NEEDED})")
        done = subprocess.run([*command, str(folder)], capture_output=True, timeout=150)
        if done.returncode != 0:
            reason = done.stderr.decode("utf-8", "replace")
            if "Can't locate" in reason or "No module named" in reason or "not available" in reason:
                pytest.skip(f"{program} is not installed (Debian: apt-get install {NEEDED})")
            raise AssertionError(f"{program} ended with {done.returncode}: {reason}")
        by_number = json.loads(done.stdout)
        found[program] = {what: by_number[str(number)] for number, what in enumerate(letters)}
    readers: dict[str, Callable[[bytes], View]] = {"Python": python, "older Python": older_python, "mailparse": rust}
    for program, reader in readers.items():
        found[program] = {what: guarded(reader, content) for what, content in letters.items()}
    return found


def guarded(reader: Callable[[bytes], View], content: bytes) -> View:
    try:
        return reader(content)
    except Exception as error:  # what a program cannot read it does not show
        return {"error": repr(error)}


def python(content: bytes) -> View:
    """The standard library as it is used today."""
    message = message_from_bytes(content, policy=policy.default)
    mailboxes = {
        name: [[one.display_name, one.addr_spec] for value in message.get_all(name, []) for one in value.addresses]
        for name in MAILBOXES
    }
    headers = {name: [str(value) for value in message.get_all(name, [])] for name in HEADERS}
    return {"headers": headers, "mailboxes": mailboxes, "parts": [described(part) for part in message.walk()]}


def older_python(content: bytes) -> View:
    """The same library's older interface, which many programs use."""
    message = message_from_bytes(content)
    mailboxes = {
        name: [[decoded(shown), address] for shown, address in getaddresses(message.get_all(name, []))] for name in MAILBOXES
    }
    headers = {name: [decoded(unfolded(value)) for value in message.get_all(name, [])] for name in HEADERS}
    return {"headers": headers, "mailboxes": mailboxes, "parts": [described(part) for part in message.walk()]}


def decoded(value: Any) -> str:
    return str(make_header(decode_header(value)))


def unfolded(value: Any) -> str:
    return "".join(str(value).splitlines())


def described(part: Message | EmailMessage) -> View:
    if part.is_multipart() and part.get_content_maintype() == "multipart":
        return {"kind": "multipart"}
    content = part.get_payload(decode=True)
    content = content if isinstance(content, bytes) else str(part.get_payload()).encode()
    text = "(unknown charset)"
    with contextlib.suppress(LookupError, UnicodeError):
        text = content.decode(str(part.get_content_charset() or "us-ascii"))
    return {
        "kind": part.get_content_type(),
        "filename": part.get_filename() or "",
        "disposition": part.get_content_disposition() or "",
        "content": base64.b64encode(content).decode(),
        "text": text,
    }


def rust(content: bytes) -> View:
    """The crate `mailparse`, which shows texts only through its own wrapper's choice of what is a text."""
    mail = fast_mail_parser.parse_email(content)
    addresses = {"from": [mail.from_] if mail.from_ else [], "to": mail.to, "reply-to": mail.reply_to}
    values: dict[str, list[str]] = {}
    for name, found in mail.headers.items():
        values.setdefault(name.lower(), []).extend(found)
    texts = [*(("text/plain", text) for text in mail.text_plain), *(("text/html", text) for text in mail.text_html)]
    parts = [
        {"kind": kind, "filename": "", "disposition": "", "text": text, "content": base64.b64encode(text.encode()).decode()}
        for kind, text in texts
    ]
    parts += [
        {"kind": one.mimetype, "filename": one.filename, "disposition": "attachment", "text": "",
         "content": base64.b64encode(one.content).decode()}
        for one in mail.attachments
    ]  # fmt: skip
    return {
        "headers": {name: values.get(name, []) for name in HEADERS},
        "mailboxes": {name: [[one.display_name or "", one.address] for one in found] for name, found in addresses.items()},
        "parts": parts,
    }
