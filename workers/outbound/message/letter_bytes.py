"""A letter as bytes: its headers, its parts, its enclosures, and its signatures."""

from __future__ import annotations

from email.utils import format_datetime, parseaddr
from functools import cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.emails import links
from service.inbound import webhooks
from service.models import Enclosure, Letter, Mailing, MailingList, Manifest, Message
from service.models.mail import TO_OFFICIALS, TO_ORGANISERS
from workers.outbound.message import dkim, mime
from workers.outbound.message.stencil import Stencil, readers
from workers.outbound.smtp.transport import Letter as MailLetter


def write(session: Session, message: Message, letter: Letter) -> bytes:
    """The bytes of a letter: the same headers on every attempt, but for the time in Date."""
    assert message.email is not None
    if message.kind == "test_copy":
        return _as_members_get_it(session, message, letter)
    first = session.get(Message, letter.original_id) if letter.original_id else None
    original = first or message
    headers = letter.headers | webhooks.headers()
    name, address = parseaddr(headers.pop("From", settings().mail_default_sender))
    head = [
        mime.address_header("From", name, address),
        mime.address_header("To", letter.to_name, original.email or message.email),
        mime.header("Subject", letter.subject),
        mime.header("Date", format_datetime(original.created_at)),
        mime.header("Message-ID", links.message_id(original.id)),
        *(_header(key, value) for key, value in (headers | _feedback(original)).items()),
    ]
    files = session.execute(
        select(Enclosure.filename, Enclosure.content_type, Enclosure.content)
        .where(Enclosure.serving_id == letter.serving_id, Enclosure.cohort == letter.cohort, Enclosure.linked.is_(False))
        .order_by(Enclosure.id)
    )
    enclosed = [mime.File(*row) for row in files] if letter.serving_id else []
    if manifest := session.scalar(select(Manifest.content).where(Manifest.serving_id == letter.serving_id)):
        enclosed.append(mime.File("manifest.json", "application/json", manifest))
    if own := letter.attached:
        enclosed.append(mime.File(own["filename"], own["content_type"], own["content"].encode()))
    letter_bytes = MailLetter(
        head, enclosed, subject=letter.subject, recipients=[message.email], body=letter.text, html=letter.html,
        sender=settings().mail_default_sender,
    ).as_bytes()  # fmt: skip
    return signed(letter_bytes)


def _feedback(message: Message) -> dict[str, str]:
    """How complaints come back (RFC 9477): not from officials and organisers, whom no complaint would silence."""
    if message.kind in (*TO_OFFICIALS, *TO_ORGANISERS):
        return {}
    return {"CFBL-Address": links.complaint_address(), "CFBL-Feedback-ID": links.complaint_token(message.id)}


def _as_members_get_it(session: Session, message: Message, letter: Letter) -> bytes:
    """A test of an update, filled for somebody of whom we know nothing; leaving by its link does nothing."""
    to = select(MailingList).where(MailingList.slug == letter.headers["List-Id"])
    mailing = Mailing(subject=letter.subject, mailing_list=session.scalars(to).one(), approved_at=message.created_at)
    reader = readers([(message.id, 0, message.mailbox or "", message.email or "", "", "", "")])[0]
    return Stencil(mailing, _signers(), (letter.text, letter.html)).copy(reader).content


@cache
def _signers() -> list[dkim.Signer]:
    return dkim.load(settings())


def signed(content: bytes) -> bytes:
    """The letter behind its DKIM signatures, where there is a key."""
    head, _, body = content.partition(b"\r\n\r\n")
    return b"".join(signer.header(head + b"\r\n", body) for signer in _signers()) + content


def _header(name: str, value: str) -> bytes:
    """Encoded words never stand inside an address."""
    return mime.address_header(name, "", value) if name == "Reply-To" else mime.header(name, value)
