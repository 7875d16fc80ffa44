"""What people told us: signatures, consents, requests that wait for their mailbox, complaints."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from service.models.base import Address, Base, Id, Mailbox, Ref, State
from service.models.lists import Subscription


class Signature(Base):
    """One person's support for one edition; pending until confirmed by e-mail."""

    __tablename__ = "signatures"
    __table_args__ = (
        UniqueConstraint("edition_id", "mailbox", "name_key"),
        UniqueConstraint("edition_id", "sequence"),
        Index(None, "mailbox"),
        Index(None, "state", "created_at"),
        Index(None, "confirmed_at"),
        Index(
            "ix_signatures_visitor",
            "confirmed_at",
            postgresql_where=text("visitor IS NOT NULL"),
            sqlite_where=text("visitor IS NOT NULL"),
        ),
        Index("ix_signatures_clp", text("lower(clp)"), "id"),
        Index("ix_signatures_prefix", "mailbox", postgresql_ops={"mailbox": "varchar_pattern_ops"}).ddl_if("postgresql"),
        Index("ix_signatures_words", text("to_tsvector('simple', name)"), postgresql_using="gin").ddl_if("postgresql"),
    )
    id: Mapped[Id]
    edition_id: Mapped[int] = mapped_column(ForeignKey("editions.id"), type_=Ref)
    email: Mapped[Address]
    mailbox: Mapped[Mailbox]
    name: Mapped[str]
    name_key: Mapped[str]
    """The name as compared: case, spaces and accents do not tell two people apart."""
    clp: Mapped[str] = mapped_column(default="")
    office: Mapped[str] = mapped_column(default="")
    display: Mapped[str]
    """public | officials | count"""
    state: Mapped[State]
    sequence: Mapped[int | None]
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    struck_at: Mapped[datetime | None]
    """When two organisers struck it out as false or abusive."""
    hidden_at: Mapped[datetime | None]
    """When organisers took the name off public pages; officials get it and it counts. `display` is what the signer chose."""
    visitor: Mapped[str | None]
    """A keyed mark of the visitor who confirmed it (service/rate_limits/visitors.py), for 30 days."""
    agreed_again_at: Mapped[datetime | None]
    """When this person agreed once more, having been told of officials added since `created_at`."""
    leaf: Mapped[int | None] = mapped_column(Ref)
    """Its position in the edition's tree."""
    nonce: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Opens its leaf. It stands here and in the signer's receipt, nowhere else, and goes with the row."""
    withdrawal_leaf: Mapped[int | None] = mapped_column(Ref)
    """Of its withdrawal, or of its being struck out."""
    withdrawal_nonce: Mapped[bytes | None] = mapped_column(LargeBinary)


class Request(Base):
    """What one form (or command) asked of a mailbox, answered by one letter, settled by one press of its button."""

    __tablename__ = "requests"
    __table_args__ = (Index(None, "mailbox", "created_at"), Index(None, "created_at"))
    id: Mapped[Id]
    key: Mapped[str] = mapped_column(unique=True)
    """128 random bits: the opaque identifier inside the signed link."""
    purpose: Mapped[str]
    """confirm | manage | count again"""
    email: Mapped[Address]
    mailbox: Mapped[Mailbox]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    reactivates: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether its press also takes back what its owner once said: that we shall not write any more."""
    items: Mapped[list[RequestItem]] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class WaitingForm(Base):
    """What somebody entered and no worker has acted on yet."""

    __tablename__ = "waiting_forms"
    id: Mapped[Id]
    kind: Mapped[State]
    """sign | subscribe | manage | sign in"""
    fields: Mapped[dict[str, Any]] = mapped_column(JSON)
    asked_by: Mapped[str | None]
    """The mark of the visitor."""
    received_at: Mapped[datetime] = mapped_column(index=True)


class RequestItem(Base):
    """One thing that a request's confirmation settles: a signature or a subscription."""

    __tablename__ = "request_items"
    __table_args__ = (Index(None, "signature_id"), Index(None, "subscription_id"))
    id: Mapped[Id]
    request_id: Mapped[int] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"), type_=Ref, index=True)
    signature_id: Mapped[int | None] = mapped_column(ForeignKey("signatures.id", ondelete="CASCADE"), type_=Ref)
    subscription_id: Mapped[int | None] = mapped_column(ForeignKey("subscriptions.id", ondelete="CASCADE"), type_=Ref)
    details: Mapped[dict[str, str]] = mapped_column(JSON)
    """What this form said about the row; a link confirms its own form, not one that somebody sent later."""
    form: Mapped[int] = mapped_column(default=0, server_default="0")
    """0 for the form that the letter answers; 1, 2, … for those before it whose letters waited, and that it lists as well."""
    signature: Mapped[Signature | None] = relationship()
    subscription: Mapped[Subscription | None] = relationship()


class Consent(Base):
    """Append-only: who agreed to what wording, when and how; who took it back. Rows are added, never changed."""

    __tablename__ = "consents"
    __table_args__ = (Index(None, "mailbox"),)
    id: Mapped[Id]
    mailbox: Mapped[Mailbox]
    purpose: Mapped[str]
    """sign:<edition hash> | list:<slug>"""
    act: Mapped[str]
    """asked | confirmed | withdrawn | imported"""
    channel: Mapped[str]
    """web | email | import | organiser"""
    wording: Mapped[str] = mapped_column(Text)
    wording_hash: Mapped[str]
    at: Mapped[datetime]


class Complaint(Base):
    """A complaint about how we handle data (DPA 2018 s.164A): acknowledged, answered within 30 days."""

    __tablename__ = "complaints"
    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    email: Mapped[Address]
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[State]
    received_at: Mapped[datetime]
    due_at: Mapped[datetime] = mapped_column(index=True)
    answered_at: Mapped[datetime | None]
