"""Counting a signature and taking it out again: the count, the number, the leaf of the tree and the correction go together.

Whoever counts holds the notice's row first (`hold_notice`), and the edition's after it, as a serving does.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import corrections, schedule, states, trees
from service.models import Edition, Notice, Signature
from service.proof import leaves


def hold_notice(session: Session, signature: Signature) -> Notice:
    """The notice that was signed; its row is ours until the commit."""
    statement = select(Notice).join(Edition).where(Edition.id == signature.edition_id)
    return session.scalars(statement.with_for_update(of=Notice)).one()


def count(session: Session, signature: Signature, before: str, now: datetime, **values: object) -> bool:
    """Counts a signature that is in the state `before`, under the next number of its edition; `values` are set with it.

    False where it is in another state.
    """
    mine = Signature.id == signature.id
    if not states.claim(session, Signature, before, "confirmed", mine, confirmed_at=now, **values):
        return False
    session.refresh(signature)
    edition = trees.hold(session, signature.edition_id)
    edition.last_sequence += 1
    edition.count += 1
    signature.sequence, signature.nonce = edition.last_sequence, trees.nonce()
    signature.withdrawal_leaf = signature.withdrawal_nonce = None
    statement = leaves.signed(edition.hash, signature.sequence, signature.name, signature.clp)
    signature.leaf = trees.append(session, edition, leaves.entry("sign", signature.nonce, statement))
    schedule.crossed(session, edition, edition.count, now)
    return True


def take_out(session: Session, signature: Signature, now: datetime) -> bool:
    """A signature that counts is withdrawn; it counts no more from this moment. False where it did not count."""
    if not states.claim(session, Signature, "confirmed", "withdrawn", Signature.id == signature.id, withdrawn_at=now):
        return False
    session.refresh(signature)
    edition = trees.hold(session, signature.edition_id)
    edition.count -= 1
    signature.withdrawal_nonce = trees.nonce()
    statement = leaves.withdrawn(edition.hash, signature.sequence or 0)
    signature.withdrawal_leaf = trees.append(session, edition, leaves.entry("withdraw", signature.withdrawal_nonce, statement))
    corrections.owe(session, signature, now)
    return True
