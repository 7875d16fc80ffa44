"""Who did what in the studio, and whom they took in from a file."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.models.base import Base, Id, Ref, State


class AuditEntry(Base):
    """Append-only: each entry's hash covers the one before it, so that none can be changed or taken out unseen."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index(None, "subject", "id"), Index(None, "organiser_id", "id"))
    id: Mapped[Id]
    at: Mapped[datetime]
    organiser_id: Mapped[int | None] = mapped_column(Ref)
    """None: a command, or the service itself."""
    act: Mapped[str]
    """What was done, in the words of the page: "approve", "export", …"""
    subject: Mapped[str]
    """What it was done to: "mailing 4"; a person by the keyed hash of the mailbox."""
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    address: Mapped[str]
    """Where from: the visitor's address, or "command"."""
    previous: Mapped[str]
    hash: Mapped[str]


class Import(Base):
    """A file of people that an organiser takes in: judged first, then taken in, both by a worker."""

    __tablename__ = "imports"
    id: Mapped[Id]
    list_id: Mapped[int] = mapped_column(ForeignKey("mailing_lists.id"), type_=Ref)
    organiser_id: Mapped[int] = mapped_column(ForeignKey("organisers.id"), type_=Ref)
    state: Mapped[State] = mapped_column(index=True)
    filename: Mapped[str]
    source: Mapped[str] = mapped_column(Text)
    read_as: Mapped[str] = mapped_column(default="", server_default="")
    """How the file was told to be read: "UTF-8", "Windows-1252", …"""
    columns: Mapped[dict[str, str]] = mapped_column(JSON)
    """Our column → the file's."""
    lines: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    """How many lines were judged, or taken in: whoever goes on begins after them."""
    good: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str] = mapped_column(Text, default="")
    """Why the file as a whole could not be read."""
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class ImportLine(Base):
    """A line that was left out, and why; what stood on it is in the file alone."""

    __tablename__ = "import_lines"
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id", ondelete="CASCADE"), type_=Ref, primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
