"""A mailing compiled once into prepared bytes with slots; a copy is those bytes with its slots filled.

Slots are the fixed placeholders; between them stand bytes that are encoded once. In a quoted-printable part a slot stands
between two soft line breaks, so a value of any length leaves every line within 76 octets (RFC 2045 §6.7).
"""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime, parseaddr

from service.config import settings
from service.emails import list_headers, render
from service.markdown import to_html, to_text
from service.models import Mailing
from service.placeholders import PATTERN
from workers.outbound import mime

SLOT = re.compile(r"slot([a-z]+)x([0-9a-f]*)slot")
SOFT = b"=\r\n"
Values = Mapping[str, str]
Piece = bytes | Callable[[Values], bytes]


def _mark(name: str, fallback: str = "") -> str:
    """A placeholder in a form that Markdown, templates and sanitiser leave alone."""
    return f"slot{name}x{fallback.encode().hex()}slot"


def marked(source: str) -> str:
    return PATTERN.sub(lambda found: _mark(found[1], found[2] or ""), source)


class Stencil:
    """One mailing, ready to be copied."""

    def __init__(self, mailing: Mailing, now: datetime) -> None:
        self.subject = mailing.subject
        _, text, page = render(
            "update", mailing=mailing, update_text=to_text(marked(mailing.body)), update_html=to_html(marked(mailing.body)),
            leave=_mark("leave"),
        )  # fmt: skip
        boundary = f"=_{secrets.token_hex(12)}"
        edge = f"--{boundary}\r\n".encode()
        self.pieces: list[Piece] = [
            *self._head(mailing, now, boundary),
            edge + PART_HEAD % b"plain", *compiled(text, lambda value: value),
            edge + PART_HEAD % b"html", *compiled(page, html.escape),
            f"--{boundary}--\r\n".encode(),
        ]  # fmt: skip

    def _head(self, mailing: Mailing, now: datetime, boundary: str) -> list[Piece]:
        name, address = parseaddr(settings().mail_default_sender)
        mailing_list = mailing.mailing_list
        lists = list_headers(mailing_list.slug, "LEAVE", "LEAVE-BY-MAIL")
        unsubscribe = lists.pop("List-Unsubscribe")
        assert unsubscribe == "<LEAVE>, <mailto:LEAVE-BY-MAIL>"
        fixed = mime.address_header("From", name, address) + mime.header("Subject", mailing.subject)
        fixed += mime.address_header("List-Id", mailing_list.title, f"{mailing_list.slug}.{settings().mail_domain}")
        fixed += mime.header("Date", format_datetime(now)) + b"".join(mime.header(*pair) for pair in lists.items())
        fixed += f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'.encode()
        return [_own_headers, fixed]

    def copy(self, values: Values) -> bytes:
        """One recipient's bytes. `values` needs name, clp, office, email, leave, leave_by_mail, message_id."""
        return b"".join(piece if isinstance(piece, bytes) else piece(values) for piece in self.pieces)


PART_HEAD = b'Content-Type: text/%s; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'


def _own_headers(values: Values) -> bytes:
    to = mime.address_header("To", values["name"], values["email"])
    return to + (
        f"Message-ID: {values['message_id']}\r\n"
        f"List-Unsubscribe: <{values['leave']}>,\r\n <mailto:{values['leave_by_mail']}>\r\n"
    ).encode("ascii")


def compiled(text: str, escape: Callable[[str], str]) -> list[Piece]:
    """Literal pieces in quoted-printable, and a function for each slot between them."""
    pieces: list[Piece] = []
    at = 0
    for found in SLOT.finditer(text):
        pieces.append(mime.quoted_printable(text[at : found.start()] + "\0")[: -len(b"=00\r\n")] + SOFT)
        pieces.append(_slot(found[1], bytes.fromhex(found[2]).decode(), escape))
        at = found.end()
    return [*pieces, mime.quoted_printable(text[at:])]


def _slot(name: str, fallback: str, escape: Callable[[str], str]) -> Callable[[Values], bytes]:
    def fill(values: Values) -> bytes:
        value = escape(values.get(name) or fallback)
        return mime.printable(value) + SOFT if value else b""

    return fill
