"""E-mail on its way: message rows (the work), what they say, each attempt, and whom we must not write to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, false, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from service.models.base import Address, Base, Id, Mailbox, Ref, State

QUEUED = text("state = 'queued'")
SENDING = text("state = 'sending'")
USUAL = ("queued", "sending", "accepted")
TROUBLED = text("state NOT IN ('queued', 'sending', 'accepted')")
TO_OFFICIALS = ("serving", "correction", "counts")
"""The kinds that are deliveries: they leave evidence and are kept with it, and no bounce silences a public address."""
TO_ORGANISERS = (
    "sign_in",
    "paused",
    "problems",
    "forwarded",
    "test_copy",
    "approval",
    "official_bounced",
    "witness",
    "wrong_codes",
)
"""The kinds that the service's own people get: somebody whose copy of an update bounced must still be able to sign in."""
REACTIVATE = "reactivate"
"""The kind that says how to be written to again: the only one that goes to a mailbox which we had stopped writing to."""
WAITING = text("state = 'queued' AND mailing_id IS NULL")


class Message(Base):
    """One e-mail to one address: a row, and the unit of work. A mailing's copies have no letter of their own."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("mailing_id", "subscription_id"),
        Index("ix_messages_waiting", "queue", "due_at", "id", postgresql_where=WAITING, sqlite_where=WAITING),
        Index("ix_messages_queued", "mailing_id", "due_at", "id", postgresql_where=QUEUED, sqlite_where=QUEUED),
        Index("ix_messages_leased", "leased_until", postgresql_where=SENDING, sqlite_where=SENDING),
        Index("ix_messages_troubled", "mailing_id", "state", "subscription_id", postgresql_where=TROUBLED,
              sqlite_where=TROUBLED),
        Index("ix_messages_counted_as", "counted_as", "created_at", postgresql_where=text("counted_as IS NOT NULL"),
              sqlite_where=text("counted_as IS NOT NULL")),
        Index("ix_messages_asked_by", "asked_by", "due_at", postgresql_where=text("asked_by IS NOT NULL"),
              sqlite_where=text("asked_by IS NOT NULL")),
        Index("ix_messages_mailbox", "mailbox", "created_at", postgresql_where=text("mailing_id IS NULL"),
              sqlite_where=text("mailing_id IS NULL")),
    )  # fmt: skip
    id: Mapped[Id]
    kind: Mapped[str]
    """The name of the e-mail: a folder in templates/emails."""
    queue: Mapped[str]
    email: Mapped[Address | None]
    """None for a mailing's copy: it goes to what its subscription says, so that an erased address is nowhere else."""
    mailbox: Mapped[Mailbox | None]
    counted_as: Mapped[str | None]
    """Of a letter that anybody can ask for: a keyed hash of the mailbox without its tag (service/rate_limits/windows.py)."""
    asked_by: Mapped[str | None]
    """Of such a letter: a keyed mark of the visitor, or mail server, that asked for it, for two days
    (service/rate_limits/asked_letters.py)."""
    mailing_id: Mapped[int | None] = mapped_column(ForeignKey("mailings.id"), type_=Ref)
    subscription_id: Mapped[int | None] = mapped_column(Ref)
    """No foreign key: it would have to look through ten million rows whenever a subscription is erased."""
    state: Mapped[State]
    due_at: Mapped[datetime]
    """Not before this; moved on when a server asks us to come back later."""
    attempts: Mapped[int] = mapped_column(default=0)
    lease: Mapped[str | None]
    """Token of the worker that holds the claim; sending and recording check it."""
    leased_until: Mapped[datetime | None]
    reply_code: Mapped[int | None]
    reply_text: Mapped[str] = mapped_column(Text, default="")
    concern: Mapped[str | None]
    """Whom the last answer was about where it was not the recipient: sender | text | server | encryption."""
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


IS_QUEUED = Message.state == literal_column("'queued'")
IS_SENDING = Message.state == literal_column("'sending'")
IS_TROUBLED = Message.state.not_in([literal_column(f"'{state}'") for state in USUAL])
"""Spelled out: SQLite uses a partial index only where the statement itself, not a parameter, says that its condition holds."""


class Letter(Base):
    """What a message says, for those written one by one; forgotten soon after it was accepted, for it may hold links."""

    __tablename__ = "letters"
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), type_=Ref, primary_key=True)
    to_name: Mapped[str] = mapped_column(default="")
    subject: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    headers: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    request_id: Mapped[int | None] = mapped_column(ForeignKey("requests.id", ondelete="SET NULL"), type_=Ref, index=True)
    """The request whose link it carries: once that is settled, a letter that still waits has nothing to say."""
    serving_id: Mapped[int | None] = mapped_column(ForeignKey("servings.id"), type_=Ref)
    """Whose enclosures go with it, those of its cohort."""
    cohort: Mapped[str] = mapped_column(default="")
    attached: Mapped[dict[str, str] | None] = mapped_column(JSON)
    """A small document for this letter alone: {"filename", "content_type", "content"}."""
    original_id: Mapped[int | None] = mapped_column(Ref)
    """The message whose Message-ID it bears: the same letter, sent to an official's other address."""


class MailPolicy(Base):
    """What a domain said of its mail servers (MTA-STS, RFC 8461): it holds to its end, whatever becomes of its DNS."""

    __tablename__ = "mail_policies"
    domain: Mapped[str] = mapped_column(String(255), primary_key=True)
    version: Mapped[str] = mapped_column(String(32))
    mode: Mapped[State]
    """enforce | testing | none"""
    mx: Mapped[list[str]] = mapped_column(JSON)
    fetched_at: Mapped[datetime]
    ends_at: Mapped[datetime]


class Enclosure(Base):
    """A document that a serving attaches to each of its letters."""

    __tablename__ = "enclosures"
    __table_args__ = (UniqueConstraint("serving_id", "cohort", "filename"), Index(None, "hash"))
    id: Mapped[Id]
    serving_id: Mapped[int] = mapped_column(ForeignKey("servings.id"), type_=Ref)
    cohort: Mapped[str]
    """Officials added at different times receive different names: the time since when names may be given, ISO 8601."""
    filename: Mapped[str]
    content_type: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[str]
    linked: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Too large to attach: the letter has a link to it, and its hash."""


class Attempt(Base):
    """One try at handing a message to a mail server, with its replies to each command, the last one included."""

    __tablename__ = "attempts"
    id: Mapped[Id]
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), type_=Ref, index=True)
    at: Mapped[datetime]
    host: Mapped[str]
    replies: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """[{"command": "MAIL", "code": 250, "text": "2.1.0 Ok"}, …]; addresses are left out of the commands."""
    outcome: Mapped[str]
    message: Mapped[Message] = relationship()


class Suppression(Base):
    """An address we must not write to, as a keyed hash, so that it outlives the erasure of the address itself."""

    __tablename__ = "suppressions"
    hash: Mapped[str] = mapped_column(primary_key=True)
    cause: Mapped[State]
    """One of service.emails.suppressions.CAUSES: what decides who may lift it."""
    reason: Mapped[str]
    """The same as a sentence for organisers; nothing hangs on it."""
    at: Mapped[datetime] = mapped_column(index=True)
    pattern_id: Mapped[int | None] = mapped_column(Ref)
    """After a failure: its words without what varies (reply_patterns); all that one cause explains can be lifted at once."""
    told_at: Mapped[datetime | None]
    """When its owner, who had asked for something, was last told by letter how to be written to again."""
