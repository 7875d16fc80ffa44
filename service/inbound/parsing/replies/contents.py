"""What a message brings: its text, its author's own lines, its files, and whether all of it was understood."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from service.inbound.parsing.mime import charsets, html_text, transfer_encodings
from service.inbound.parsing.mime.encoded_words import decoded
from service.inbound.parsing.mime.mime_parser import Part
from service.inbound.parsing.replies import quotations

LONGEST = 20_000
"""Characters of a text that are kept."""
MOST_TEXTS, MOST_OCTETS = 6, 600_000
MOST_FILES = 30
TEXTS = {"text/plain", "text/html"}
SIGNATURES = {
    "application/pgp-signature",
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "application/pgp-keys",
}
REPORTED = {"message/delivery-status", "message/global-delivery-status", "message/disposition-notification",
            "message/feedback-report", "text/rfc822-headers"}  # fmt: skip
ENCRYPTED = {"multipart/encrypted", "application/pgp-encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"}
ENCRYPTED_TEXT = re.compile(r"-----BEGIN (?:PGP MESSAGE|PKCS7)-----")
PARAMETER = re.compile(r';\s*(filename|name)(?:\*(\d{0,2})\*?|\*)?\s*=\s*(?:"([^"]{0,500})"|([^\s;"]{1,500}))', re.IGNORECASE)
EXTENDED = re.compile(r"([\w.-]{0,40})'[\w-]{0,20}'(.*)", re.DOTALL)


@dataclass(frozen=True)
class File:
    name: str
    kind: str
    """Its type, as its sender calls it."""
    size: int
    """In octets."""


@dataclass(frozen=True)
class Contents:
    body: str
    """The text as people read it."""
    own: str
    """The lines of it that its author wrote."""
    answers: list[str] = field(default_factory=list)
    """The author's own lines in each form of the text: programs write it as plain text and as a page."""
    files: list[File] = field(default_factory=list)
    unread: str = ""
    """Why not all of it was understood; empty where it was."""
    beside: str = ""
    """A file or a picture that came with the text."""


@lru_cache(maxsize=2)
def contents(message: Part) -> Contents:
    texts = list(_texts(message))
    reading = texts[:MOST_TEXTS] if sum(len(part.body) for part in texts) <= MOST_OCTETS else texts[:1]
    forms = {id(part): _form(part) for part in reading}
    shown = [forms[id(part)] for part in _shown(message) if id(part) in forms]
    own = tidy("\n\n".join(form.own.text for form in shown if form.own.text))
    files = list(_files(message))
    complete = len(reading) == len(texts) and all(form.own.is_whole for form in forms.values()) and len(own) <= LONGEST
    picture = any(form.has_picture for form in forms.values())
    return Contents(
        body=tidy("\n".join(form.text for form in shown))[:LONGEST],
        own=own[:LONGEST],
        answers=["\n".join(form.own.lines)[:LONGEST] for form in forms.values()],
        files=files[:MOST_FILES],
        unread=_unread(message, reading, complete),
        beside="a file" if files else "a picture" if picture else "",
    )


class Form(NamedTuple):
    """One of the texts of a message."""

    text: str
    own: quotations.Own
    has_picture: bool


def _form(part: Part) -> Form:
    page = html_text.read(part.written) if part.content_type == "text/html" else None
    text = "\n".join(page.lines) if page else part.written
    return Form(text, quotations.own_lines(text), page is not None and page.has_picture)


def tidy(text: str) -> str:
    """Without what no reader sees, and with one empty line between paragraphs."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    shown = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return "".join(c for c in shown if c == "\n" or c.isprintable())


def is_file(part: Part) -> bool:
    """Whether a part is handed over and not read: what says so, and what is neither plain text nor a page."""
    if part.parts or part.content_type.startswith("multipart/"):
        return False
    disposition = part.get("content-disposition").strip().lower()
    return disposition.startswith("attachment") or part.content_type not in TEXTS


def _texts(message: Part) -> Iterator[Part]:
    yield from (part for part in message.walk() if not part.parts and part.content_type in TEXTS and not is_file(part))


def _shown(part: Part) -> list[Part]:
    """The texts that a reader sees: of several forms of one, the plain one, or the next that says anything."""
    if not part.parts:
        return [part] if part.content_type in TEXTS and not is_file(part) and part.text.strip() else []
    inner = [_shown(child) for child in part.parts]
    if part.content_type == "multipart/alternative":
        plain = (texts for texts in inner if texts and all(text.content_type == "text/plain" for text in texts))
        return next(plain, next((texts for texts in inner if texts), []))
    return [text for texts in inner for text in texts]


def _unread(message: Part, texts: list[Part], complete: bool) -> str:
    parts = list(message.walk())
    if any(part.content_type in ENCRYPTED for part in parts) or any(ENCRYPTED_TEXT.search(part.text) for part in texts):
        return "it is encrypted"
    if not complete or any(part.content_type.startswith("multipart/") and not part.parts for part in parts):
        return "it could not be read whole"
    return "" if all(part.is_understood for part in texts) else "a part of it could not be read"


def _files(message: Part) -> Iterator[File]:
    for part in message.walk():
        if is_file(part) and part.content_type not in SIGNATURES | REPORTED:
            yield File(file_name(part), part.content_type, _size(part))


def _size(part: Part) -> int:
    if part.encoding != "base64":
        return len(part.body)
    return len(part.body.translate(None, transfer_encodings.NOT_BASE64).rstrip(b"=")) * 3 // 4


def file_name(part: Part) -> str:
    """As its sender calls it, in any form that programs write (RFC 2183, RFC 2231); no path, and nothing invisible."""
    for header in ("content-disposition", "content-type"):
        pieces = [
            (int(number or 0), quoted or plain) for _, number, quoted, plain in PARAMETER.findall(part.get(header)[:4_000])
        ]
        if pieces:
            return _name("".join(text for _, text in sorted(pieces, key=lambda piece: piece[0])))
    return ""


def _name(written: str) -> str:
    match = EXTENDED.fullmatch(written)
    if match and "%" in match[2]:
        octets = re.sub(rb"%([0-9A-Fa-f]{2})", lambda code: bytes([int(code[1], 16)]), match[2].encode("utf-8", "replace"))
        written = charsets.decoded(octets, match[1])
    return re.split(r"[/\\]", decoded(written))[-1][:120]
