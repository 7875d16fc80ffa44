"""How fast a mailing goes now: its workers count in Redis, by slots of five seconds; without it nobody can say."""

from __future__ import annotations

from datetime import datetime

from redis.exceptions import RedisError

from service.core import queues

SLOT_SECONDS = 5
SLOTS = 12


def note(mailing_id: int, settled: int, now: datetime) -> bool:
    """Counts messages that were settled. False where Redis does not answer."""
    key = _key(mailing_id, _slot(now))
    try:
        queues.redis().incrby(key, settled)
        queues.redis().expire(key, 2 * SLOTS * SLOT_SECONDS)
    except RedisError:
        return False
    return True


def per_second(mailing_id: int, now: datetime) -> float | None:
    """Messages a second over the last minute, or since it went on within it; None where nobody can say."""
    slots = range(_slot(now) - SLOTS + 1, _slot(now) + 1)
    try:
        counts = [int(value or 0) for value in queues.redis().mget([_key(mailing_id, slot) for slot in slots])]
    except RedisError:
        return None
    first = next((slot for slot, count in zip(slots, counts, strict=True) if count), None)
    return None if first is None else sum(counts) / max(now.timestamp() - first * SLOT_SECONDS, 1)


def _slot(now: datetime) -> int:
    return int(now.timestamp() // SLOT_SECONDS)


def _key(mailing_id: int, slot: int) -> str:
    return f"speed:{mailing_id}:{slot}"
