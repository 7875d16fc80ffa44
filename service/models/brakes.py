"""The brake on suppressions: what was counted, where too much failed, whom it holds, and what organisers decided."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from service.models.base import Base, Id, Ref, State

OPEN = text("state = 'open'")


class ReplyPattern(Base):
    """The words of a refusal without all that varies: one cause, however many mailboxes it explains."""

    __tablename__ = "reply_patterns"
    id: Mapped[Id]
    key: Mapped[str] = mapped_column(unique=True)
    reason: Mapped[str] = mapped_column(default="")
    """What the rules make of it, in a word or two; empty for what was noted before there were patterns."""
    status: Mapped[str] = mapped_column(String(16), default="")
    example: Mapped[str] = mapped_column(Text)
    """One such reply, without addresses."""
    first_at: Mapped[datetime]


class OutcomeCount(Base):
    """How many messages a mail server answered for good, and how many of them failed hard, by what they have in common.

    A failure that a brake holds, or that an organiser judged, is counted here no more.
    """

    __tablename__ = "outcome_counts"
    __table_args__ = (Index(None, "at"),)
    scope: Mapped[str] = mapped_column(String(16), primary_key=True)
    """mailing | domain | cause | hour"""
    subject: Mapped[str] = mapped_column(primary_key=True)
    """"12" | "2026-11-26 example.org" | the number of a pattern | "2026-11-26T10"; times in UTC."""
    settled: Mapped[int] = mapped_column(default=0)
    hard: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime]
    """When it was last changed."""


class Brake(Base):
    """Where far more failed than is usual: while it is open, nobody is suppressed for a failure there."""

    __tablename__ = "brakes"
    __table_args__ = (
        Index("uq_brakes_open", "scope", "subject", unique=True, postgresql_where=OPEN, sqlite_where=OPEN),
        Index(None, "state", "decided_at"),
    )
    id: Mapped[Id]
    scope: Mapped[str] = mapped_column(String(16))
    """mailing | domain | cause | hour"""
    subject: Mapped[str]
    """The mailing's number | the domain | the number of a pattern | the hour; one for an hour holds whatever fails."""
    state: Mapped[State]
    hard: Mapped[int]
    settled: Mapped[int]
    """Both as they were when it was pulled."""
    pulled_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(Ref)
    """None: a command."""


class Hold(Base):
    """A mailbox that a brake keeps from being suppressed: it is not written to meanwhile, and what is meant for it waits."""

    __tablename__ = "holds"
    __table_args__ = (Index(None, "brake_id", "pattern_id"),)
    hash: Mapped[str] = mapped_column(primary_key=True)
    """The keyed hash of the mailbox, as a suppression has it."""
    brake_id: Mapped[int] = mapped_column(ForeignKey("brakes.id"), type_=Ref)
    pattern_id: Mapped[int] = mapped_column(Ref)
    cause: Mapped[State]
    """As its suppression would say it: hard | soft"""
    domain: Mapped[str]
    at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    """As a suppression has it."""


class BrakeDecision(Base):
    """What an organiser said of one cause under one brake; for some days it goes for whatever fails there for that cause."""

    __tablename__ = "brake_decisions"
    brake_id: Mapped[int] = mapped_column(ForeignKey("brakes.id", ondelete="CASCADE"), type_=Ref, primary_key=True)
    pattern_id: Mapped[int] = mapped_column(Ref, primary_key=True)
    verdict: Mapped[State]
    """dead: they are suppressed | lift: it was not their fault"""
    mailboxes: Mapped[int]
    """How many the organiser saw."""
    followed: Mapped[int] = mapped_column(default=0)
    """How many have failed since for the same cause, and followed it."""
    at: Mapped[datetime] = mapped_column(index=True)
