"""What stands open around a notice: changes that wait for a second organiser, people to be asked again, corrections owed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from service.models.base import Base, Id, Ref, State


class Proposal(Base):
    """A change that one organiser proposes and another approves: an official's address, going live, a signature struck out."""

    __tablename__ = "proposals"
    id: Mapped[Id]
    kind: Mapped[str]
    """official | live | schedule | strike | withdraw | hide | show"""
    notice_id: Mapped[int | None] = mapped_column(ForeignKey("notices.id"), type_=Ref)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What would be so then, field by field."""
    state: Mapped[State] = mapped_column(index=True)
    proposed_by_id: Mapped[int | None] = mapped_column(ForeignKey("organisers.id"), type_=Ref)
    """None: a command."""
    proposed_at: Mapped[datetime]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("organisers.id"), type_=Ref)
    decided_at: Mapped[datetime | None]


class Asking(Base):
    """Earlier signers who are asked again, some at a time: to sign a new edition, or to be named to new officials."""

    __tablename__ = "askings"
    id: Mapped[Id]
    edition_id: Mapped[int] = mapped_column(ForeignKey("editions.id"), type_=Ref)
    """The new edition, or the one whose signers are asked about officials."""
    officials_added_at: Mapped[datetime | None]
    """None: about the edition itself."""
    asked_to: Mapped[int] = mapped_column(Ref, default=0)
    """The last signature that was looked at: asking goes on from here."""
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(index=True)


class Correction(Base):
    """A signature that officials had been given and that counts no more: its number alone, owed to them until it was sent."""

    __tablename__ = "corrections"
    __table_args__ = (Index(None, "edition_id", "sent_at"),)
    id: Mapped[Id]
    edition_id: Mapped[int] = mapped_column(ForeignKey("editions.id"), type_=Ref)
    sequence: Mapped[int]
    kind: Mapped[State] = mapped_column(default="withdrawn", server_default="withdrawn")
    """withdrawn | struck"""
    agreed_at: Mapped[datetime]
    """Officials added later never had the name."""
    withdrawn_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
