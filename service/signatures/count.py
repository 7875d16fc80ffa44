"""Counting a signature and taking it out again: the count, the number, the leaf of the tree and the correction go together.

Whoever counts or strikes out holds the notice's row first (`hold_notice`), and the edition's after it, as a serving does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import states
from service.models import Edition, Notice, Signature
from service.proof import leaves
from service.proof.encoding import Document
from service.proof_store import trees
from service.servings import corrections, schedule


def hold_notice(session: Session, signature: Signature) -> Notice:
    """The notice that was signed; its row is ours until the commit."""
    statement = select(Notice).join(Edition).where(Edition.id == signature.edition_id)
    return session.scalars(statement.with_for_update(of=Notice)).one()


def count(session: Session, signature: Signature, before: str, now: datetime, **values: object) -> bool:
    """Counts a signature that is in the state `before`, under the next number of its edition; `values` are set with it.

    False where it is in another state.
    """
    condition = Signature.id == signature.id
    if not states.claim(session, Signature, before, "confirmed", condition, confirmed_at=now, **values):
        return False
    session.refresh(signature)
    edition = trees.hold(session, signature.edition_id)
    edition.last_sequence += 1
    edition.count += 1
    signature.sequence, signature.nonce = edition.last_sequence, trees.nonce()
    signature.withdrawal_leaf = signature.withdrawal_nonce = signature.struck_at = None
    statement = leaves.signed(edition.hash, signature.sequence, signature.name, signature.clp)
    signature.leaf = trees.append(session, edition, leaves.entry("sign", signature.nonce, statement))
    if edition.notice.state == "live" and edition is edition.notice.edition:
        schedule.crossed(session, edition, edition.count, now)
    return True


def withdraw(session: Session, signature: Signature, now: datetime) -> bool:
    """It counts no more from this moment. False where it did not count."""
    condition = Signature.id == signature.id
    if not states.claim(session, Signature, "confirmed", "withdrawn", condition, withdrawn_at=now):
        return False
    _take_out(session, signature, leaves.withdrawn, now)
    return True


def strike(session: Session, signature: Signature, now: datetime) -> bool:
    """As `withdraw`, for one that is false or abusive; a milestone that only such signatures reached is to be reached again."""
    condition = Signature.id == signature.id
    if not states.claim(session, Signature, "confirmed", "struck", condition, struck_at=now):
        return False
    edition = _take_out(session, signature, leaves.struck, now)
    edition.struck += 1
    schedule.fell(session, edition, edition.count)
    return True


def _take_out(session: Session, signature: Signature, state: Callable[[str, int], Document], now: datetime) -> Edition:
    session.refresh(signature)
    edition = trees.hold(session, signature.edition_id)
    edition.count -= 1
    statement, signature.withdrawal_nonce = state(edition.hash, signature.sequence or 0), trees.nonce()
    entry = leaves.entry(statement["act"], signature.withdrawal_nonce, statement)
    signature.withdrawal_leaf = trees.append(session, edition, entry)
    corrections.owe(session, signature, now)
    return edition
