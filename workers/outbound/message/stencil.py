"""A mailing compiled once into prepared bytes with slots; a copy is those bytes with its slots filled, and signed.

Slots are the fixed placeholders, and paragraphs of the plain text that hold some; what stands between them is encoded once.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime, parseaddr
from typing import NamedTuple

from service.core.config import settings
from service.emails import links
from service.emails.compose import list_headers, render
from service.inbound import webhooks
from service.models import Mailing
from service.text.markdown import plain_text, slots
from service.text.markdown.placeholders import marked
from service.text.markdown.rendering import to_html, to_text
from workers.outbound.message import dkim, mime
from workers.outbound.message.slot_bytes import SOFT, Filler, ParagraphFiller, filler, literal
from workers.outbound.smtp.outcome import Copy

SLOT = re.compile(f"{plain_text.OPEN.pattern}|{slots.SLOT.pattern}")
PLAIN_NAME = re.compile(r"[A-Za-z](?: ?[A-Za-z0-9'-]){1,58}\Z")
PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9._+-]{1,60}@[A-Za-z0-9.-]{1,60}\Z")
PART_HEAD = b'Content-Type: text/%s; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
OWN = ("To", "Message-ID", "List-Unsubscribe", "CFBL-Feedback-ID")
"""Headers that differ from copy to copy, in the order in which they are signed."""


Person = tuple[int, int, str, str, str, str, str]
"""A claimed message's reader: message id, subscription id, mailbox, address, name, CLP, office."""


class Recipient(NamedTuple):
    """What a copy needs to know of its reader."""

    message_id: int
    subscription_id: int
    mailbox: str
    email: str
    name: str
    clp: str
    office: str
    token: str
    """Names the message in its Message-ID, which everybody may read."""
    leave_token: str
    envelope_token: str
    """Stands in the bounce address alone."""
    complaint_token: str
    """Comes back with a complaint (RFC 9477)."""


class Stencil:
    """One mailing, ready to be copied. `copy` may run in several threads.

    written: its text and HTML with marks, where they were written before (a test of a draft, which may change meanwhile).
    """

    def __init__(self, mailing: Mailing, signers: Sequence[dkim.Signer] = (), written: tuple[str, str] | None = None) -> None:
        self.signers = list(signers)
        text, page = written or _written(mailing)
        boundary = f"=_{secrets.token_hex(12)}"
        edge = f"--{boundary}\r\n".encode()
        self.head, self.canonical, self.names = _fixed_headers(mailing, boundary)
        self.fillers: list[Filler] = []
        parts = self._part(b"plain", text, is_html=False), self._part(b"html", page, is_html=True)
        self.body = b"".join([edge + part for part in parts]) + f"--{boundary}--\r\n".encode()
        self.mail_domain, self.leave_url = settings().mail_domain, links.url("/unsubscribe/")

    def _part(self, subtype: bytes, text: str, *, is_html: bool) -> bytes:
        """A part's bytes as the operator % of bytes fills them: `%b` for each slot, and each paragraph that holds some."""
        done, at = [PART_HEAD % subtype], 0
        for match in SLOT.finditer(text):
            done += [literal(text[at : match.start()]), b"%b"]
            paragraph = plain_text.OPEN.match(match[0])
            if paragraph is not None:
                self.fillers.append(ParagraphFiller(plain_text.read_open(paragraph)))
            else:
                slot = slots.SLOT.match(match[0])
                assert slot is not None
                self.fillers.append(filler(slots.read(slot), is_html=is_html))
            at = match.end()
        return b"".join([*done, mime.quoted_printable(text[at:]).replace(b"%", b"%%")])

    def copy(self, reader: Recipient) -> Copy:
        """One reader's e-mail."""
        leave = f"{self.leave_url}{reader.leave_token}"
        plain_leave = leave.encode() + SOFT  # made of letters that need no encoding
        body = self.body % tuple([fill(reader, plain_leave) for fill in self.fillers])
        to = _to(reader.name, reader.email)
        named = f"<{reader.token}@{self.mail_domain}>\r\n".encode()
        ways = f"<{leave}>", f"<mailto:unsubscribe+{reader.leave_token}@{self.mail_domain}>\r\n"
        complaint = b"CFBL-Feedback-ID: %b\r\n" % reader.complaint_token.encode()
        content = b"".join(
            (to, b"Message-ID: ", named, b"List-Unsubscribe: ", ",\r\n ".join(ways).encode(), complaint, self.head, body)
        )  # fmt: skip
        if self.signers:
            own = (
                dkim.canonical_header(to)[1], b"message-id:" + named, b"list-unsubscribe:" + ", ".join(ways).encode(),
                dkim.canonical_header(complaint)[1],
            )  # fmt: skip
            signatures = [signer.sign(self.canonical % own, self.names, body) for signer in self.signers]
            content = b"".join((*signatures, content))
        return Copy(reader.message_id, f"bounce+{reader.envelope_token}@{self.mail_domain}", reader.email, content)


def _whole(literal: bytes) -> bytes:
    """As the operator % of bytes wants it: a per cent sign doubled."""
    return literal.replace(b"%", b"%%")


def _written(mailing: Mailing) -> tuple[str, str]:
    """Text and HTML of the whole e-mail, with marks in place of what differs."""
    source = marked(mailing.body)
    leave = slots.slot("leave")
    _, text, page = render("update", mailing=mailing, update_text=to_text(source), update_html=to_html(source), leave=leave)
    return text, page


def _fixed_headers(mailing: Mailing, boundary: str) -> tuple[bytes, bytes, tuple[str, ...]]:
    """The header block that all copies share with its blank line; what to sign, `%b` for OWN; and the names for h=."""
    name, address = parseaddr(settings().mail_default_sender)
    mailing_list = mailing.mailing_list
    lists = list_headers(mailing_list.slug, "x", "x")
    del lists["List-Unsubscribe"]
    at: datetime | None = mailing.approved_at
    assert at is not None
    lines = {
        "From": mime.address_header("From", name, address),
        "Subject": mime.header("Subject", mailing.subject),
        "Date": mime.header("Date", format_datetime(at)),
        "List-Id": mime.address_header("List-Id", mailing_list.title, f"{mailing_list.slug}.{settings().mail_domain}"),
        **{key: mime.header(key, value) for key, value in (lists | webhooks.headers()).items()},
        "CFBL-Address": mime.header("CFBL-Address", links.complaint_address()),
        "MIME-Version": b"MIME-Version: 1.0\r\n",
        "Content-Type": f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'.encode(),
    }
    order = [name for name in dkim.SIGNED if name in lines or name in OWN]
    canonical = b"".join([_whole(dkim.canonical_header(lines[name])[1]) if name in lines else b"%b" for name in order])
    names = tuple(name for name in dkim.SIGNED for _ in range(2 if name in order else 1))
    return b"".join(lines.values()) + b"\r\n", canonical, names


def readers(rows: Sequence[Person]) -> list[Recipient]:
    """Recipients with their tokens, made for the whole batch at once."""
    messages = [row[0] for row in rows]
    leave = links.coder("unsubscribe", settings().secret_key[0]).tokens([row[1] for row in rows])
    named, returned, complained = (
        links.coder(purpose, settings().hash_key).tokens(messages) for purpose in ("message", "envelope", "complaint")
    )
    tokens = zip(named, leave, returned, complained, strict=True)
    return [Recipient(*row, *own) for row, own in zip(rows, tokens, strict=True)]


def _to(name: str, email: str) -> bytes:
    """The To header; most names and addresses need neither quotes nor encoding nor a fold."""
    if PLAIN_NAME.match(name) and len(name) + len(email) < 68 and PLAIN_ADDRESS.match(email):
        return f"To: {name} <{email}>\r\n".encode()
    return mime.address_header("To", name, email)
