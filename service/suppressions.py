"""Whom we must not write to: kept as a keyed hash, so that it outlives the erasure of the address (UK GDPR Art 17(3))."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.config import settings
from service.db import among, insert_new
from service.errors import Refused
from service.models import Bounce, Suppression

Cause = Literal["hard", "soft", "judged", "organiser", "complaint", "erased"]
CAUSES: tuple[Cause, ...] = ("hard", "soft", "judged", "organiser", "complaint", "erased")
"""Why we stopped writing, the weakest first: a later cause takes an earlier one's place, never the other way round.

hard: a mail server said that there is no such mailbox. soft: too many failures for a time. judged: an organiser judged a
failure. organiser: an organiser decided it. complaint: its owner called a message spam. erased: its owner asked for it.
"""
AFTER_FAILURE: tuple[Cause, ...] = ("hard", "soft", "judged")
"""Nobody said no: the mailbox failed, or seemed to."""
SAID_NO: tuple[Cause, ...] = ("complaint", "erased")
"""Its owner did: only their own word takes it back."""


def keyed_hash(mailbox: str) -> str:
    return hmac.digest(settings().hash_key.encode(), f"suppression {mailbox}".encode(), "sha256").hex()


def is_suppressed(session: Session, mailbox: str) -> bool:
    return session.get(Suppression, keyed_hash(mailbox)) is not None


def suppressed_among(session: Session, mailboxes: Iterable[str]) -> set[str]:
    """Which of these (at most a few thousand) must not be written to."""
    if session.scalar(select(Suppression.hash).limit(1)) is None:
        return set()
    by_hash = {keyed_hash(mailbox): mailbox for mailbox in mailboxes}
    hashes = session.scalars(select(Suppression.hash).where(among(session, Suppression.hash, by_hash)))
    return {by_hash[hash] for hash in hashes}


def suppression_of(session: Session, mailbox: str) -> Suppression | None:
    return session.get(Suppression, keyed_hash(mailbox))


def said_no(suppression: Suppression) -> bool:
    """Whether the person did themselves: they were erased, or called a message spam."""
    return suppression.cause in SAID_NO


def lift(session: Session, mailbox: str, now: datetime, *, asked: bool) -> None:
    """We may write to it again, and its score of failures starts anew; whoever decides it says why, in the audit.

    Raises Refused where nothing is in the way, and where the person said no themselves and has not `asked` to come back.
    """
    suppression = suppression_of(session, mailbox)
    if suppression is None:
        raise Refused("Nothing keeps us from writing to this mailbox.")
    if said_no(suppression) and not asked:
        raise Refused(asked="This person said no themselves: lift it only where they ask to come back, and say that they did.")
    session.delete(suppression)
    session.add(Bounce(hash=suppression.hash, kind="lifted", status="", text="an organiser lifted the suppression", at=now))


def suppress(session: Session, mailbox: str, reason: str, now: datetime, cause: Cause = "complaint") -> None:
    """We write to it no more. A person's own no takes the place of a failure's, and is then lifted at their word only."""
    row = {"hash": keyed_hash(mailbox), "cause": cause, "reason": reason, "at": now}
    insert_new(session, Suppression, [row])
    weaker = (Suppression.hash == row["hash"], Suppression.cause.in_(CAUSES[: CAUSES.index(cause)]))
    if cause not in AFTER_FAILURE:
        session.execute(update(Suppression).where(*weaker).values(cause=cause, reason=reason, at=now))


def suppress_all(session: Session, causes: Mapping[str, Cause], reasons: Mapping[Cause, str], now: datetime) -> None:
    """Many at once, after failures: the cause by the mailbox's keyed hash; what is suppressed already stays as it is.

    In one order, so that two workers never wait for each other in a circle.
    """
    rows = [
        {"hash": hash, "cause": cause, "reason": reasons[cause], "at": now} for hash, cause in sorted(causes.items())
    ]  # fmt: skip
    insert_new(session, Suppression, rows)
