"""Mailing lists, the addresses on them, and what organisers write to them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, UniqueConstraint, text
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
        Index("ix_subscriptions_clp", text("lower(clp)"), "id"),
        Index("ix_subscriptions_prefix", "mailbox", postgresql_ops={"mailbox": "varchar_pattern_ops"}).ddl_if("postgresql"),
        Index("ix_subscriptions_words", text("to_tsvector('simple', name)"), postgresql_using="gin").ddl_if("postgresql"),
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
    """SHA-256 over what was approved: subject, text, sender, audience, time. Something else never goes out."""
    audience: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Who gets it, as service.mailings.audience reads it; empty: all of the list."""

    @property
    def is_narrowed(self) -> bool:
        """Whether it goes to some people of its lists only: it was written for them, and stands on no public page."""
        return any(value for key, value in (self.audience or {}).items() if key != "lists")

    because: Mapped[str] = mapped_column(Text, default="")
    """Why its readers get it, as each copy says: "you are on the list …"."""
    send_at: Mapped[datetime | None]
    """When it shall go; None: as soon as it is approved."""
    goes_at: Mapped[datetime | None]
    """When it does go, once approved: after the minute in which it can be recalled."""
    created_at: Mapped[datetime]
    approved_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    fanned_out_to: Mapped[int] = mapped_column(Ref, default=0)
    """The last subscription that has its message row: fan-out goes on from here."""
    fanned_out_at: Mapped[datetime | None]
    paused_because: Mapped[str] = mapped_column(Text, default="")
    mailing_list: Mapped[MailingList] = relationship()


class MailingVersion(Base):
    """One save of a mailing: all that an approval would freeze, and who wrote it. Rows are added, never changed."""

    __tablename__ = "mailing_versions"
    __table_args__ = (UniqueConstraint("mailing_id", "number"),)
    id: Mapped[Id]
    mailing_id: Mapped[int] = mapped_column(ForeignKey("mailings.id"), type_=Ref)
    number: Mapped[int]
    hash: Mapped[str]
    frozen: Mapped[dict[str, str]] = mapped_column(JSON)
    """What people compare, by its name on the pages: subject, text, sender, audience, time."""
    author_id: Mapped[int | None] = mapped_column(ForeignKey("organisers.id"), type_=Ref)
    saved_at: Mapped[datetime]


class MailingSeen(Base):
    """Which version an organiser last had before them when they pressed a button."""

    __tablename__ = "mailing_seen"
    mailing_id: Mapped[int] = mapped_column(ForeignKey("mailings.id"), type_=Ref, primary_key=True)
    organiser_id: Mapped[int] = mapped_column(ForeignKey("organisers.id", ondelete="CASCADE"), type_=Ref, primary_key=True)
    hash: Mapped[str]


class MailingReport(Base):
    """What became of a mailing, counted by the clock now and then: a million rows are not counted while somebody waits."""

    __tablename__ = "mailing_reports"
    mailing_id: Mapped[int] = mapped_column(ForeignKey("mailings.id"), type_=Ref, primary_key=True)
    made_at: Mapped[datetime]
    found: Mapped[dict[str, Any]] = mapped_column(JSON)


class Day(Base):
    """How many asked on one day and how many of them confirmed, by receiving domain; without a trace of who."""

    __tablename__ = "days"
    day: Mapped[date] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(primary_key=True)
    """signatures | subscriptions"""
    domain: Mapped[str] = mapped_column(primary_key=True)
    """Of the receiving mailbox; the rare ones together as "others"."""
    requested: Mapped[int]
    confirmed: Mapped[int]
