"""What four independent mail parsers show of a letter: two of Perl's, one of Rust's, and Python's own."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any, cast

import fast_mail_parser
import pytest

View = dict[str, Any]
"""headers: five of them, as lists; shown: kind and words of what a reader sees, in order; files: name and SHA-256."""
HEADERS = ("From", "To", "Subject", "Date", "Message-ID")
PERL = Path(__file__).with_name("mime_parsers.pl")


@cache
def perl_has_them() -> None:
    asked = subprocess.run(
        ["perl", "-MEmail::MIME", "-MMIME::Parser", "-MJSON::PP", "-e", "1"], capture_output=True, check=False
    )
    if asked.returncode:
        pytest.skip("Perl's Email::MIME and MIME::Parser are not installed (libemail-mime-perl, libmime-tools-perl)")


def views(letters: list[bytes]) -> list[dict[str, View]]:
    """Of each letter, by parser; a view of one that cannot be read holds its error alone."""
    perl_has_them()
    given = b"".join(b"%d\n%s" % (len(letter), letter) for letter in letters)
    said = subprocess.run(["perl", str(PERL)], input=given, capture_output=True, check=True).stdout
    found: list[dict[str, View]] = [json.loads(line) for line in said.splitlines()]
    for letter, by_parser in zip(letters, found, strict=True):
        by_parser |= {"python": by_python(letter), "rust": by_rust(letter)}
        for view in by_parser.values():
            view["headers"] = {name: [value.strip() for value in values] for name, values in view.get("headers", {}).items()}
            view["shown"] = [(kind, words_only(text)) for kind, text in view.get("shown", ())]
    return found


def words_only(text: str) -> str:
    """Line ends and empty lines at the end are nobody's words."""
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip("\n")


def by_python(letter: bytes) -> View:
    message = cast(EmailMessage, message_from_bytes(letter, policy=policy.default))
    view: View = {"headers": {}, "shown": [], "files": []}
    for name in HEADERS:
        view["headers"][name] = [str(value) for value in message.get_all(name, [])]
    for part in message.walk():
        if part.is_multipart():
            continue
        content = cast(bytes, part.get_payload(decode=True) or b"")
        if (name := part.get_filename()) is not None:
            view["files"].append([name, hashlib.sha256(content).hexdigest()])
        else:
            view["shown"].append((part.get_content_type(), content.decode(part.get_content_charset("ascii"), "replace")))
    return view


def by_rust(letter: bytes) -> View:
    try:
        mail = fast_mail_parser.parse_email(letter)
    except fast_mail_parser.ParseError:
        return {"error": "cannot be read"}
    headers = {name.lower(): values for name, values in mail.headers.items()}
    shown = [("text/plain", text) for text in mail.text_plain] + [("text/html", text) for text in mail.text_html]
    files = []
    for one in mail.attachments:
        content = one.content if isinstance(one.content, bytes) else str(one.content).encode()
        if one.filename:
            files.append([one.filename, hashlib.sha256(content).hexdigest()])
        else:
            shown.append((one.mimetype, content.decode("utf-8", "replace")))
    return {
        "headers": {name: [re.sub(r"\s+", " ", value) for value in headers.get(name.lower(), [])] for name in HEADERS},
        "shown": shown, "files": files,
    }  # fmt: skip
