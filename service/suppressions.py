"""Whom we must not write to: kept as a keyed hash, so that it outlives the erasure of the address (UK GDPR Art 17(3))."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from service.config import settings
from service.errors import Refused
from service.models import Bounce, Suppression


def keyed_hash(mailbox: str) -> str:
    return hmac.digest(settings().hash_key.encode(), f"suppression {mailbox}".encode(), "sha256").hex()


def is_suppressed(session: Session, mailbox: str) -> bool:
    return session.get(Suppression, keyed_hash(mailbox)) is not None


def suppressed_among(session: Session, mailboxes: Iterable[str]) -> set[str]:
    """Which of these (at most a few thousand) must not be written to."""
    if session.scalar(select(Suppression.hash).limit(1)) is None:
        return set()
    by_hash = {keyed_hash(mailbox): mailbox for mailbox in mailboxes}
    found = session.scalars(select(Suppression.hash).where(Suppression.hash.in_(by_hash)))
    return {by_hash[one] for one in found}


def suppression_of(session: Session, mailbox: str) -> Suppression | None:
    return session.get(Suppression, keyed_hash(mailbox))


def said_no(found: Suppression) -> bool:
    """Whether the person did themselves: they were erased, or called a message spam."""
    return not found.reason.startswith(("bounced", "an organiser"))


def lift(session: Session, mailbox: str, now: datetime, *, asked: bool) -> None:
    """We may write to it again, and its score of failures starts anew; whoever decides it says why, in the audit.

    Raises Refused where nothing is in the way, and where the person said no themselves and has not `asked` to come back.
    """
    found = suppression_of(session, mailbox)
    if found is None:
        raise Refused("Nothing keeps us from writing to this mailbox.")
    if said_no(found) and not asked:
        raise Refused(asked="This person said no themselves: lift it only where they ask to come back, and say that they did.")
    session.delete(found)
    session.add(Bounce(hash=found.hash, kind="lifted", status="", text="an organiser lifted the suppression", at=now))


def suppress(session: Session, mailbox: str, reason: str, now: datetime) -> None:
    if not is_suppressed(session, mailbox):
        session.add(Suppression(hash=keyed_hash(mailbox), reason=reason, at=now))


def suppress_all(session: Session, reasons: Mapping[str, str], now: datetime) -> None:
    """Many at once: the reason by the mailbox's keyed hash; in one order, so that two workers never wait in a circle."""
    known = set(session.scalars(select(Suppression.hash).where(Suppression.hash.in_(reasons)))) if reasons else set()
    if fresh := [{"hash": hash, "reason": reason, "at": now} for hash, reason in sorted(reasons.items()) if hash not in known]:
        session.execute(insert(Suppression), fresh)
