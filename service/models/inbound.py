"""Mail that comes in: what arrived, for whom, and what it told us of our own messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, Text, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from service.models.base import Address, Base, Id, Mailbox, Ref, State

WAITING = text("state = 'waiting'")
UNREAD = text("folder != '' AND put_away_at IS NULL")


class RawMail(Base):
    """The bytes of a message that came in, as its sender gave them to us; forgotten before the rest."""

    __tablename__ = "raw_mail"
    id: Mapped[Id]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Arrival(Base):
    """One message that came in, for one of its recipients: the spool's row, and the unit of work."""

    __tablename__ = "arrivals"
    __table_args__ = (
        Index("ix_arrivals_waiting", "due_at", "id", postgresql_where=WAITING, sqlite_where=WAITING),
        Index("ix_arrivals_leased", "leased_until", postgresql_where=text("state = 'reading'"),
              sqlite_where=text("state = 'reading'")),
        Index("ix_arrivals_unread", "folder", "id", postgresql_where=UNREAD, sqlite_where=UNREAD),
        Index(None, "mailbox"),
        Index(None, "received_at"),
    )  # fmt: skip
    id: Mapped[Id]
    source: Mapped[str]
    """lmtp | smtp | pipe | the name of a provider's hook"""
    external_id: Mapped[str | None] = mapped_column(unique=True)
    """A provider's name for its event, so that a replay is known."""
    sender: Mapped[str | None] = mapped_column(Text)
    """The envelope's: empty is the null return path, None unknown."""
    recipient: Mapped[str] = mapped_column(Text)
    peer: Mapped[str | None]
    """The address of another machine that connected straight to our SMTP door; None: a mail server of ours handed it over."""
    raw_id: Mapped[int | None] = mapped_column(ForeignKey("raw_mail.id", ondelete="SET NULL"), type_=Ref, index=True)
    state: Mapped[State]
    due_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(default="")
    """bounce | complaint | auto-reply | command | reply | other; empty until it is read"""
    bounce_class: Mapped[str | None]
    status: Mapped[str | None]
    reason: Mapped[str] = mapped_column(Text, default="")
    outcome: Mapped[str] = mapped_column(Text, default="")
    """What came of it, as a sentence for organisers."""
    message_id: Mapped[int | None] = mapped_column(Ref)
    """The message of ours that it speaks of."""
    mailbox: Mapped[Mailbox | None]
    author: Mapped[Address] = mapped_column(default="")
    """The address of its From, where that is exactly one."""
    written_by: Mapped[str] = mapped_column(Text, default="")
    """Its From as it stands there, for people to read."""
    subject: Mapped[str] = mapped_column(Text, default="")
    body: Mapped[str] = mapped_column(Text, default="")
    own: Mapped[str] = mapped_column(Text, default="")
    """The lines of the body that its author wrote, without what is quoted."""
    files: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """What came with it: name, kind, size."""
    folder: Mapped[str] = mapped_column(default="")
    """Where an organiser finds it: replies | automatic | unclear | quarantine; empty: nothing for a person to do."""
    put_away_at: Mapped[datetime | None]


IS_WAITING = Arrival.state == literal_column("'waiting'")
IS_UNREAD = (Arrival.folder != literal_column("''")) & Arrival.put_away_at.is_(None)
"""Spelled out, as SQLite wants it for a partial index."""


class Bounce(Base):
    """What one failure told us of an address: the score is counted from these, and starts anew where one was lifted."""

    __tablename__ = "bounces"
    __table_args__ = (
        Index(None, "hash", "at"),
        Index(None, "mailing_id", "kind"),
        Index(None, "message_id"),
        Index(None, "at"),
        Index(None, "pattern_id"),
    )
    id: Mapped[Id]
    hash: Mapped[str]
    """The keyed hash of the mailbox, as a suppression has it."""
    message_id: Mapped[int | None] = mapped_column(Ref)
    mailing_id: Mapped[int | None] = mapped_column(Ref)
    kind: Mapped[str]
    """hard | soft | blocked | delayed | unknown | complaint | lifted"""
    status: Mapped[str] = mapped_column(default="")
    text: Mapped[str] = mapped_column(Text, default="")
    """The server's words, without addresses."""
    at: Mapped[datetime]
    pattern_id: Mapped[int | None] = mapped_column(Ref)
    """Of a failure that may suppress: its words without what varies (reply_patterns)."""
    domain: Mapped[str] = mapped_column(default="", server_default="")
    """The receiving domain, for as long as an organiser may look at it by cause; then empty."""
    settled_at: Mapped[datetime | None]
    """When its message was settled: a failure is counted among the messages of that time."""
    brake_id: Mapped[int | None] = mapped_column(Ref)
    """Which brake it fell under, and with it what organisers decided; None: it acted at once."""


class FormerTokens(Base):
    """One row: up to which message the token of a Message-ID stood in the bounce address, too, before both were separate."""

    __tablename__ = "former_tokens"
    id: Mapped[Id]
    last_message_id: Mapped[int] = mapped_column(Ref)
