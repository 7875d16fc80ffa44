"""Notices, their editions and demands, and the officials they are addressed to."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from service.models.base import Address, Base, Id, Ref, State


class Notice(Base):
    """A public statement that people sign and that is served on officials."""

    __tablename__ = "notices"
    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    addressed_to: Mapped[str]
    published_by: Mapped[str]
    published_on: Mapped[date | None] = mapped_column(Date)
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[State]
    wait_minutes: Mapped[int | None]
    """How long its servings wait; None: the service's setting."""
    serve_on: Mapped[date | None] = mapped_column(Date)
    """A set date on which it is served."""
    at_publication: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether it is served as soon as it is published, and each new edition again."""
    repeats: Mapped[str] = mapped_column(default="monthly", server_default="monthly")
    """How often it is served again while the count grows, beside its milestones: weekly | monthly | never"""
    list_id: Mapped[int | None] = mapped_column(ForeignKey("mailing_lists.id"), type_=Ref)
    """The list that "send me updates" on its form subscribes to."""
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    editions: Mapped[list[Edition]] = relationship(order_by="Edition.number", back_populates="notice")
    milestones: Mapped[list[Milestone]] = relationship(order_by="Milestone.threshold", cascade="all, delete-orphan")

    @property
    def edition(self) -> Edition | None:
        """The edition in force: the newest."""
        return self.editions[-1] if self.editions else None


class Edition(Base):
    """One frozen text of a notice. Signatures belong to an edition, never to a notice."""

    __tablename__ = "editions"
    __table_args__ = (UniqueConstraint("notice_id", "number"),)
    id: Mapped[Id]
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"), type_=Ref)
    number: Mapped[int]
    title: Mapped[str]
    addressed_to: Mapped[str]
    body: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    """The canonical text; its UTF-8 bytes are what `hash` is the SHA-256 of."""
    hash: Mapped[str]
    published_at: Mapped[datetime]
    last_sequence: Mapped[int] = mapped_column(default=0)
    """The sequence number of the last confirmed signature; it never goes back."""
    count: Mapped[int] = mapped_column(default=0)
    """How many confirmed signatures stand now."""
    struck: Mapped[int] = mapped_column(default=0, server_default="0")
    """How many signatures were struck out as false or abusive; it never goes back."""
    tree_size: Mapped[int] = mapped_column(default=0, server_default="0")
    """How many leaves its tree has: one for each confirmation, one for each signature that was withdrawn or struck out."""
    notice: Mapped[Notice] = relationship(back_populates="editions")
    demands: Mapped[list[Demand]] = relationship(order_by="Demand.number")


class Demand(Base):
    """One numbered demand of an edition."""

    __tablename__ = "demands"
    __table_args__ = (UniqueConstraint("edition_id", "number"),)
    id: Mapped[Id]
    edition_id: Mapped[int] = mapped_column(ForeignKey("editions.id"), type_=Ref)
    number: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    met_on: Mapped[date | None] = mapped_column(Date)


class Milestone(Base):
    """A count of signatures at which a serving becomes due, once."""

    __tablename__ = "milestones"
    __table_args__ = (UniqueConstraint("notice_id", "threshold"),)
    id: Mapped[Id]
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"), type_=Ref)
    threshold: Mapped[int]
    crossed_at: Mapped[datetime | None]


class Official(Base):
    """A person or office that notices are addressed to, with the source and date of the address."""

    __tablename__ = "officials"
    id: Mapped[Id]
    office: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    email: Mapped[Address]
    source: Mapped[str]
    verified_on: Mapped[date] = mapped_column(Date)
    added_at: Mapped[datetime]
    """Names of people who signed before this are not given to this official."""
    removed_at: Mapped[datetime | None]
    fallback_email: Mapped[str] = mapped_column(String(320), default="", server_default="")
    """Where letters may go when the first address fails: once two organisers have said so."""
    fallback_since: Mapped[datetime | None]
    """When they did; a change of either address takes it back."""
    bounced_at: Mapped[datetime | None]
    """When a letter to the address came back, or was refused; a new address takes it away."""
    bounced_because: Mapped[str] = mapped_column(Text, default="", server_default="")
    counts_alone: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether letters to this office leave the names out, because its mail server takes none of them encrypted."""
    held_at: Mapped[datetime | None]
    """Since when an organiser holds back what goes to this office."""
    objected_at: Mapped[datetime | None]
    """When this official asked, by the link in a letter, to get nothing more."""

    @property
    def address(self) -> str:
        """Where letters go now: the other address, where there is one and two organisers have said so."""
        return self.fallback_email if self.fallback_since is not None and self.fallback_email else self.email
