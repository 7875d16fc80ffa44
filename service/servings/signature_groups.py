"""Signatures that have more in common than a crowd of members has: one visitor, one rare domain, one minute.

Looked for among the newest SEEN signatures of an edition, so that it costs the same at a million as at two thousand. A group is
a reason to look, not a proof: a meeting shares one address, and an organisation its domain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from statistics import median
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.models import Edition, Signature
from service.text.email_addresses import ALIASES, PLUS_TAGS, domain

SEEN = 2_000
TIMES_USUAL = 10
"""A minute is unusual that has so many times the signatures of a usual one."""
COMMON = {*PLUS_TAGS, *ALIASES, "yahoo.com", "yahoo.co.uk", "aol.com", "btinternet.com", "sky.com", "virginmedia.com",
          "talktalk.net", "ntlworld.com", "blueyonder.co.uk", "tiscali.co.uk", "gmx.com", "gmx.net", "gmx.de", "web.de",
          "mail.com", "tutanota.com", "zoho.com", "example.org", "example.com", "example.net"}  # fmt: skip
"""Domains at which anybody has an address; and those at which nobody has (RFC 2606)."""


class Group(NamedTuple):
    """`kind`: visitor | domain | minute; `share`: per cent of the newest signatures; `numbers`: of signatures."""

    kind: str
    value: str
    size: int
    share: int
    numbers: tuple[int, ...]


class Seen(NamedTuple):
    number: int
    email: str
    visitor: str | None
    confirmed_at: datetime


def find(session: Session, edition: Edition) -> list[Group]:
    """The groups of at least GROUP_SIZE signatures, the largest first."""
    newest = (
        select(Signature.id, Signature.email, Signature.visitor, Signature.confirmed_at)
        .where(Signature.edition_id == edition.id, Signature.state == "confirmed", Signature.sequence.is_not(None))
        .order_by(Signature.sequence.desc())
        .limit(SEEN)
    )
    seen = [Seen(number, email, visitor, at) for number, email, visitor, at in session.execute(newest) if at is not None]
    return sorted([*_common(seen, "visitor"), *_common(seen, "domain"), *_bursts(seen)], key=lambda group: -group.size)


def largest_share(session: Session, edition: Edition) -> int:
    """Per cent of the newest signatures that the largest group has; 0 where there is none."""
    return max((group.share for group in find(session, edition)), default=0)


def _key(signer: Seen, kind: str) -> str | None:
    if kind == "visitor":
        return signer.visitor
    host = domain(signer.email)
    return None if host in COMMON else host or None


def _common(seen: list[Seen], kind: str) -> Iterator[Group]:
    counts = Counter(key for signature in seen if (key := _key(signature, kind)))
    for value, count in counts.items():
        if count >= settings().group_size:
            yield _group(seen, kind, value, tuple(signature.number for signature in seen if _key(signature, kind) == value))


def _bursts(seen: list[Seen]) -> Iterator[Group]:
    counts = Counter(f"{signature.confirmed_at:%Y-%m-%d %H:%M}" for signature in seen)
    usual = median(counts.values()) if counts else 0
    for minute, count in counts.items():
        if len(counts) > 1 and count >= max(settings().group_size, usual * TIMES_USUAL):
            numbers = tuple(signature.number for signature in seen if f"{signature.confirmed_at:%Y-%m-%d %H:%M}" == minute)
            yield _group(seen, "minute", minute, numbers)


def _group(seen: list[Seen], kind: str, value: str, numbers: tuple[int, ...]) -> Group:
    return Group(kind, value, len(numbers), round(100 * len(numbers) / len(seen)), numbers)
