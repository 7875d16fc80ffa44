"""Named rate limits. Windows live in Redis; without Redis they live in this process, and the page never fails.

Per visitor: windows. Per mailbox, whatever tag it is written with: counted in SQL, since it must survive a wiped Redis, and
silent: the page looks the same and the letter is held back, not dropped.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

from limits import parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.core.keyed_hashes import keyed_hash
from service.errors import TooMany
from service.models import Message
from service.models.mail import REACTIVATE
from service.rate_limits import asked_letters, domain_breakers, visitors
from service.text.email_addresses import counted_as, domain

log = logging.getLogger(__name__)

ASKING = ("confirm", "already", "manage_link", "complaint", "commands", "leaving", REACTIVATE)
"""Kinds of letter that a stranger can make us send to an address."""


@cache
def _storage(uri: str) -> Storage:
    quick: dict[str, Any] = {"socket_timeout": 1, "socket_connect_timeout": 1, "retry": Retry(NoBackoff(), 0)}
    return cast(Storage, storage_from_string(uri, wrap_exceptions=True, **(quick if "redis" in uri else {})))


AWAY_SECONDS = 10
"""A Redis that failed is left alone for so long: each visitor would wait for it again, some with the database locked."""
_away_until: dict[str, float] = {}
_memory = MemoryStorage()


def _hit(limit: str, *key: str) -> bool:
    """Whether there was room; counts this one."""
    window, uri = parse(limit), settings().limits_storage
    if time.monotonic() >= _away_until.get(uri, 0):
        try:
            return MovingWindowRateLimiter(_storage(uri)).hit(window, *key)
        except (StorageError, RedisError, OSError) as error:
            log.warning("redis is away, counting in this process: %s", type(error).__name__)
            _storage.cache_clear()
            _away_until[uri] = time.monotonic() + AWAY_SECONDS
    return MovingWindowRateLimiter(_memory).hit(window, *key)


def visitor(remote_address: str) -> None:
    """A meeting shares one address, so the ceiling is high; over it a plain refusal. Raises TooMany."""
    if not _hit(settings().limit_visitor, "visitor", visitors.network(remote_address)):
        raise TooMany("visitor")


def confirm(remote_address: str) -> None:
    """One person who has a domain of their own could confirm hundreds. Raises TooMany."""
    if not _hit(settings().limit_confirm, "confirm", visitors.network(remote_address)):
        raise TooMany("confirm")


def verify(remote_address: str) -> None:
    """Reading a file takes a process of its own, and all leaves of a tree may be a million. Raises TooMany."""
    if not _hit(settings().limit_verify, "verify", visitors.network(remote_address)):
        raise TooMany("verify")


def sign_in(remote_address: str) -> None:
    if not _hit(settings().limit_sign_in, "sign-in", visitors.network(remote_address)):
        raise TooMany("sign-in")


def commands(server: str, host: str, now: datetime) -> datetime:
    """When the answer to a command by e-mail may go: later, where a server, or a domain that is claimed, asks too much."""
    asked_too_much = not _hit(settings().limit_commands, "commands of a server", server)
    asked_too_much |= not _hit(settings().limit_commands, "commands of a domain", keyed_hash(host))
    return now + timedelta(hours=1) if asked_too_much else now


def code(organiser_id: int) -> None:
    """Codes of six digits are soon tried out. Raises TooMany."""
    if not _hit(settings().limit_code, "code", str(organiser_id)):
        raise TooMany("code")


def password(mailbox: str) -> None:
    """Counted for every address, whether somebody signs in under it or not. Raises TooMany."""
    if not _hit(settings().limit_code, "password", keyed_hash(mailbox)):
        raise TooMany("password")


def one_at_a_time(session: Session, mailbox: str) -> None:
    """Forms for one mailbox wait for each other until the commit: counting and storing are two steps. SQLite has one writer."""
    if session.get_bind().dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(counted_as(mailbox).encode()).digest()[:8], "big", signed=True)
        session.execute(select(func.pg_advisory_xact_lock(number)))


def hold_until(session: Session, email: str, mailbox: str, now: datetime) -> datetime:
    """When the next letter that somebody asked for may go to this address: now, or later.

    At most one in LIMIT_GAP_MINUTES and LIMIT_DAY in 24 hours, over everything asked for that went or may still go; and none
    while its domain is left in peace, or whoever asks has asked for LIMIT_ASKED that nobody answered.
    """
    gap, day = timedelta(minutes=settings().limit_gap_minutes), timedelta(days=1)
    times = list(
        session.scalars(
            select(Message.due_at)
            .where(*_asked_for(mailbox), Message.created_at > now - 2 * day)
            .where(Message.state.not_in(("cancelled", "suppressed")))
            .order_by(Message.due_at.desc())
            .limit(settings().limit_day)
        )
    )
    earliest = now
    if times:
        earliest = max(earliest, times[0] + gap)
    if len(times) == settings().limit_day:
        earliest = max(earliest, times[-1] + day)
    if settings().limit_domain and not _hit(settings().limit_domain, "domain", domain(email)):
        earliest = max(earliest, now + timedelta(minutes=10))
    if domain_breakers.is_open(session, domain(email), now):
        earliest = max(earliest, now + domain_breakers.LOOK_AGAIN)
    if domain_breakers.waits_with_all(session, domain(email), now) or asked_letters.asks_too_much(
        session, asked_letters.of(session), now
    ):
        earliest = max(earliest, now + asked_letters.LOOK_AGAIN)
    return earliest


def waits_still(session: Session, message: Message, now: datetime) -> bool:
    """Whether a letter that somebody asked for waits on, though its time has come: asked again as it is to leave."""
    if message.kind not in ASKING:
        return False
    too_much = asked_letters.asks_too_much(session, message.asked_by, now, message.id)
    return too_much or domain_breakers.is_open(session, domain(message.email or ""), now)


def room_at(session: Session, email: str, mailbox: str, now: datetime) -> datetime | None:
    """When an answer that somebody asked for by e-mail may go; None where too many wait, and this one is left unsent."""
    one_at_a_time(session, mailbox)
    if held_back(session, mailbox, now) >= settings().limit_day:
        return None
    return hold_until(session, email, mailbox, now)


def _asked_for(mailbox: str, kinds: Sequence[str] = ASKING) -> tuple[ColumnElement[bool], ...]:
    """All that was asked for one mailbox, under whatever tag. Never a mailing's copy, which has no such mark."""
    return Message.counted_as == counted_mark(mailbox), Message.kind.in_(kinds)


def counted_mark(address: str) -> str:
    """A keyed hash of whose letters are counted together."""
    return keyed_hash(counted_as(address))


def held_back(session: Session, mailbox: str, now: datetime, kinds: Sequence[str] = ASKING) -> int:
    """How many letters that this address asked for still wait for their time."""
    waiting = (*_asked_for(mailbox, kinds), Message.state == "queued", Message.due_at > now)
    return session.scalar(select(func.count()).select_from(Message).where(*waiting)) or 0
