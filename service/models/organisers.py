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
    created_at: Mapped[datetime]


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
    organiser: Mapped[Organiser] = relationship()
