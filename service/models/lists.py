"""Mailing lists, the addresses on them, and what organisers write to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from service.models.base import Address, Base, Id, Mailbox, Ref, State


class MailingList(Base):
    """A named list of updates."""

    __tablename__ = "mailing_lists"
    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    description: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]


class Subscription(Base):
    """One address on one list, double opt-in."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("list_id", "mailbox"),
        Index("ix_subscriptions_fan_out", "list_id", "state", "id"),
        Index(None, "mailbox"),
        Index(None, "state", "created_at"),
    )
    id: Mapped[Id]
    list_id: Mapped[int] = mapped_column(ForeignKey("mailing_lists.id"), type_=Ref)
    email: Mapped[Address]
    mailbox: Mapped[Mailbox]
    name: Mapped[str] = mapped_column(default="")
    clp: Mapped[str] = mapped_column(default="")
    office: Mapped[str] = mapped_column(default="")
    state: Mapped[State]
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    left_at: Mapped[datetime | None] = mapped_column(index=True)
    mailing_list: Mapped[MailingList] = relationship()


class Tally(Base):
    """How many messages of a mailing are in a settled state, or there at all (`total`); so that progress is cheap to read."""

    __tablename__ = "tallies"
    mailing_id: Mapped[int] = mapped_column(ForeignKey("mailings.id"), type_=Ref, primary_key=True)
    state: Mapped[State] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(default=0)


class Mailing(Base):
    """What an organiser writes to a list: "an update" on the pages."""

    __tablename__ = "mailings"
    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    list_id: Mapped[int] = mapped_column(ForeignKey("mailing_lists.id"), type_=Ref)
    subject: Mapped[str]
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[State] = mapped_column(index=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("organisers.id"), type_=Ref)
    approver_id: Mapped[int | None] = mapped_column(ForeignKey("organisers.id"), type_=Ref)
    approved_hash: Mapped[str | None]
    """SHA-256 over what was approved: list, subject, text, sender. Something else never goes out."""
    created_at: Mapped[datetime]
    approved_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    fanned_out_to: Mapped[int] = mapped_column(Ref, default=0)
    """The last subscription that has its message row: fan-out goes on from here."""
    fanned_out_at: Mapped[datetime | None]
    paused_because: Mapped[str] = mapped_column(Text, default="")
    mailing_list: Mapped[MailingList] = relationship()
