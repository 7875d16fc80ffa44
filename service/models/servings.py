"""Servings and their deliveries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from service.models.base import Base, Id, Ref, State
from service.models.mail import Message
from service.models.notices import Edition, Official


class Serving(Base):
    """One edition with the signatures up to a cut-off, for all officials."""

    __tablename__ = "servings"
    __table_args__ = (
        # At most one serving of a notice waits: what falls due meanwhile is merged into it.
        Index("uq_servings_waiting", "notice_id", unique=True, postgresql_where=text("state = 'due'"),
              sqlite_where=text("state = 'due'")),
    )  # fmt: skip
    id: Mapped[Id]
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"), type_=Ref, index=True)
    edition_id: Mapped[int] = mapped_column(ForeignKey("editions.id"), type_=Ref)
    state: Mapped[State] = mapped_column(index=True)
    causes: Mapped[list[str]] = mapped_column(JSON)
    """Why it became due: "milestone 100", "date", "organiser"."""
    rehearsal: Mapped[bool]
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    written_at: Mapped[datetime | None]
    cut_off: Mapped[int | None]
    count: Mapped[int | None]
    struck: Mapped[int] = mapped_column(default=0, server_default="0")
    """How many signatures had been struck out by the cut-off."""
    tree_size: Mapped[int | None]
    """How many leaves the edition's tree had at the cut-off."""
    waits_for_look: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether a milestone was reached with a large group of signatures, which an organiser has not looked at yet."""
    looked_at: Mapped[datetime | None]
    stopped_by: Mapped[str] = mapped_column(default="")
    without_pdf: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether letters went without their PDF, since it could not be made."""
    missing_scripts: Mapped[str] = mapped_column(default="", server_default="")
    """Scripts that no font here has, and that its PDF shows as □: "Tibetan, Thaana"."""
    edition: Mapped[Edition] = relationship()
    deliveries: Mapped[list[Delivery]] = relationship(
        viewonly=True, order_by="Delivery.id", primaryjoin="(Delivery.serving_id == Serving.id) & (Delivery.correction == 0)"
    )
    corrections: Mapped[list[Delivery]] = relationship(
        viewonly=True, order_by="Delivery.id", primaryjoin="(Delivery.serving_id == Serving.id) & (Delivery.correction > 0)"
    )


class Delivery(Base):
    """A serving's letter to one official (in rehearsal: to one organiser), or a correction of its list."""

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("serving_id", "office", "correction"),)
    id: Mapped[Id]
    serving_id: Mapped[int] = mapped_column(ForeignKey("servings.id"), type_=Ref)
    official_id: Mapped[int | None] = mapped_column(ForeignKey("officials.id"), type_=Ref)
    office: Mapped[str]
    """The office as it was called when the letter was written; the register keeps it. Unique, as the offices are."""
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), type_=Ref, unique=True)
    correction: Mapped[int] = mapped_column(default=0, server_default="0")
    """0 is the serving's letter; 1, 2, … are the corrections that followed it."""
    names_given: Mapped[int]
    """How many names its list holds; in a correction, how many signatures it takes back."""
    struck: Mapped[int] = mapped_column(default=0, server_default="0")
    """Of a correction's signatures, those that were struck out."""
    key: Mapped[str | None] = mapped_column(unique=True)
    """The opaque identifier inside the links of its letter."""
    direct: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the server that answered is the recipient's own, not our relay."""
    notified_at: Mapped[datetime | None]
    """When a delivery status notification said that it arrived (RFC 3464)."""
    acknowledged_at: Mapped[datetime | None]
    """When somebody who had the letter pressed its button."""
    serving: Mapped[Serving] = relationship()
    official: Mapped[Official | None] = relationship()
    message: Mapped[Message] = relationship()
