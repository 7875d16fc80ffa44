"""How a letter is made: its words from templates/emails, its row, and the bell that wakes whoever sends it."""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.orm import Session

from service.core import queues
from service.core.config import settings
from service.emails import links
from service.emails.suppressions import barrier_of
from service.models import Letter, Message
from service.proof.letters.letter_check import SALT
from service.rate_limits import asked_letters, windows
from service.text.email_addresses import domain, mailbox
from service.text.markdown.rendering import tidy

TEMPLATES = Path(__file__).parent.parent.parent / "templates"
NOT_A_PERSON = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


@cache
def environment() -> Environment:
    """HTML is escaped, text is not; an unknown name is an error, never an empty place in a letter."""
    jinja = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: bool(name and name.endswith((".html", ".xml"))),  # noqa: S701  letters have a text part
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    jinja.filters["number"] = lambda value: f"{value:,}"
    jinja.filters["office"] = lambda value: "other office" if value == "other" else value
    jinja.filters["day"] = lambda value: f"{value.day} {value:%B %Y}"
    jinja.filters["moment"] = lambda value: f"{value.day} {value:%B %Y, %H:%M} UTC"
    return jinja


def render(kind: str, **context: Any) -> tuple[str, str, str]:
    """Subject, text and HTML of an e-mail."""
    context |= {"settings": settings(), "links": links}
    subject, text, html = (
        environment().get_template(f"emails/{kind}/{part}").render(context) for part in ("subject.txt", "body.txt", "body.html")
    )
    return " ".join(subject.split()), tidy(text), html


def store(
    session: Session, kind: str, email: str, now: datetime, *, to_name: str = "", due_at: datetime | None = None,
    headers: dict[str, str] | None = None, on: str = queues.PROMPT, letter: dict[str, Any] | None = None, **context: Any,
) -> Message | None:  # fmt: skip
    """Stores the row and its letter. None where we must not write to the address (only an official's letter asks itself).

    A letter to a mailbox that a brake holds is stored, and waits.
    """
    key = mailbox(email)
    if on == queues.PROMPT and (barrier := barrier_of(session, key)) and not barrier.held and barrier.bars(kind, now):
        return None
    subject, text, html = render(kind, **context)
    message = Message(
        kind=kind, queue=on, email=email, mailbox=key, state="queued", due_at=due_at or now, created_at=now,
        counted_as=windows.counted_mark(email) if kind in windows.ASKING else None,
        asked_by=asked_letters.of(session) if kind in windows.ASKING else None,
    )  # fmt: skip
    session.add(message)
    session.flush()
    headers = NOT_A_PERSON if headers is None else headers
    session.add(
        Letter(message_id=message.id, to_name=to_name, subject=subject, text=text, html=html, headers=headers,
               **(letter or {}))
    )  # fmt: skip
    if message.due_at <= now:
        queues.wake(session, "deliver", message.id, on)
    return message


def copy_letter(session: Session, letter: Letter, email: str, original_id: int, now: datetime) -> Message:
    """The same letter to another address of its reader, with the Message-ID of the first."""
    first = session.get_one(Message, letter.message_id)
    message = Message(
        kind=first.kind, queue=first.queue, email=email, mailbox=mailbox(email), state="queued", due_at=now, created_at=now
    )
    session.add(message)
    session.flush()
    same = ("to_name", "subject", "text", "html", "headers", "serving_id", "cohort")
    session.add(Letter(message_id=message.id, original_id=original_id, **{name: getattr(letter, name) for name in same}))
    queues.wake(session, "deliver", message.id, message.queue)
    return message


def headers_to_official() -> dict[str, str]:
    """What the manifest names beside subject and date: fixed when the letter is stored; the salt opens its hashes."""
    config = settings()
    return {"From": config.mail_default_sender, "Reply-To": config.contact_email, SALT.title(): secrets.token_hex(16)}


def answer_headers(answering: str | None) -> dict[str, str]:
    """None: nobody wrote to us; else the Message-ID of what we answer, empty where it had none (RFC 3834 §3.1)."""
    if answering is None:
        return NOT_A_PERSON
    thread = {"In-Reply-To": answering, "References": answering} if answering else {}
    return NOT_A_PERSON | {"Auto-Submitted": "auto-replied"} | thread


def list_headers(slug: str, unsubscribe: str, mail_to: str) -> dict[str, str]:
    """List headers of one copy but List-Id, which holds a phrase (RFC 2369, 8058); https first, as receivers prefer."""
    host = settings().mail_domain
    return {
        "List-Unsubscribe": f"<{unsubscribe}>, <mailto:{mail_to}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Help": f"<{links.url('/privacy')}>",
        "List-Subscribe": f"<{links.url(f'/lists/{slug}')}>",
        "List-Owner": f"<mailto:{settings().contact_email}>",
        "List-Archive": f"<{links.url('/news')}>",
        "List-Post": "NO",
        "Feedback-ID": f"{slug}:update:{domain('x@' + host)}",
    }
