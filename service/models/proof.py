"""What anyone can check: leaves and nodes of the editions' trees, manifests, evidence, the keys that sign. Append-only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.models.base import Base, Id, Ref


class Leaf(Base):
    """One leaf of an edition's tree: its kind, and a commitment that only its nonce opens."""

    __tablename__ = "leaves"
    __table_args__ = ({"sqlite_with_rowid": False},)
    edition_id: Mapped[int] = mapped_column(ForeignKey("editions.id"), type_=Ref, primary_key=True)
    position: Mapped[int] = mapped_column(Ref, primary_key=True, autoincrement=False)
    entry: Mapped[bytes] = mapped_column(LargeBinary)


class TreeNode(Base):
    """A complete subtree of two leaves or more, written once."""

    __tablename__ = "tree_nodes"
    __table_args__ = ({"sqlite_with_rowid": False},)
    edition_id: Mapped[int] = mapped_column(ForeignKey("editions.id"), type_=Ref, primary_key=True)
    place: Mapped[int] = mapped_column(Ref, primary_key=True, autoincrement=False)
    """Level and position in one number, so that one condition finds many: level · 2⁴⁰ + position."""
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class Manifest(Base):
    """A serving's manifest as the file that was signed, attached and published."""

    __tablename__ = "manifests"
    __table_args__ = (UniqueConstraint("notice_id", "number"),)
    id: Mapped[Id]
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"), type_=Ref)
    serving_id: Mapped[int] = mapped_column(ForeignKey("servings.id"), type_=Ref, unique=True)
    number: Mapped[int | None]
    """Counts a notice's manifests from 1; None for a rehearsal's, which are in no chain."""
    content: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[str]
    issued_at: Mapped[datetime]
    timestamp: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    """A token of a timestamp service about `hash` (RFC 3161), once it has answered."""


class Evidence(Base):
    """One record of a notice's evidence chain: an attempt, what its server said later, what an official or organiser did."""

    __tablename__ = "evidence"
    __table_args__ = (UniqueConstraint("notice_id", "number"),)
    id: Mapped[Id]
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"), type_=Ref)
    number: Mapped[int]
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"), type_=Ref, index=True)
    record: Mapped[str] = mapped_column(Text)
    """JSON in the one spelling of service/proof/encoding.py, with the hash of the record before."""
    hash: Mapped[str]


class ProofKey(Base):
    """A public key that signs manifests, in use until the next one begins."""

    __tablename__ = "proof_keys"
    id: Mapped[Id]
    fingerprint: Mapped[str] = mapped_column(unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    since: Mapped[datetime]
    endorsement: Mapped[str]
    """The signature of the key before it; the first signs its own."""
