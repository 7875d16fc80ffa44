"""People who sign in, and how they do."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from service.models.base import Address, Base, Id, Mailbox, Ref


class Organiser(Base):
    """Somebody who signs in; roles: author, approver, administrator."""

    __tablename__ = "organisers"
    id: Mapped[Id]
    email: Mapped[Address]
    mailbox: Mapped[Mailbox] = mapped_column(unique=True)
    role: Mapped[str]
    zone: Mapped[str] = mapped_column(default="Europe/London")
    """In which times are shown and entered (IANA)."""
    password_hash: Mapped[str | None]
    totp_sealed: Mapped[str | None]
    """The secret of the second factor (RFC 6238), sealed: a copy of the database makes no codes."""
    totp_since: Mapped[datetime | None]
    totp_step: Mapped[int] = mapped_column(default=0)
    """The last time step whose code was taken: each code works once (RFC 6238 §5.2)."""
    created_at: Mapped[datetime]
    invited_by_id: Mapped[int | None] = mapped_column(Ref)
    """Who proposed this organiser, or this role; None: a command, as for the first two."""
    role_since: Mapped[datetime | None]
    """When an approved proposal gave the role."""
    removed_at: Mapped[datetime | None]
    """Since when they sign in no more; the row stays, for what they wrote and approved names it."""


class RecoveryCode(Base):
    """Stands in for the second factor once, for whoever lost it."""

    __tablename__ = "recovery_codes"
    id: Mapped[Id]
    organiser_id: Mapped[int] = mapped_column(ForeignKey("organisers.id", ondelete="CASCADE"), type_=Ref, index=True)
    hash: Mapped[str]
    used_at: Mapped[datetime | None]


class SignInLink(Base):
    """A single-use link that signs an organiser in, confirmed by POST."""

    __tablename__ = "sign_in_links"
    id: Mapped[Id]
    key: Mapped[str] = mapped_column(unique=True)
    organiser_id: Mapped[int] = mapped_column(ForeignKey("organisers.id", ondelete="CASCADE"), type_=Ref)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class OrganiserSession(Base):
    """A signed-in browser: kept on the server, so that it can end here at once."""

    __tablename__ = "organiser_sessions"
    id: Mapped[Id]
    key_hash: Mapped[str] = mapped_column(unique=True)
    organiser_id: Mapped[int] = mapped_column(ForeignKey("organisers.id", ondelete="CASCADE"), type_=Ref)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    proved_at: Mapped[datetime | None]
    """When a second factor was last shown here; None: still to be shown."""
    address: Mapped[str] = mapped_column(default="")
    browser: Mapped[str] = mapped_column(default="")
    organiser: Mapped[Organiser] = relationship()
