"""Ceilings: how many copies may be claimed now, in all, for one mailing, for one receiving domain.

A sliding window of a second in Redis, shared by every worker: ten tenths, and the oldest by the share that is still covered.
Without Redis each worker keeps to the ceiling by itself.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict

from redis.exceptions import RedisError

from service import queue
from service.config import settings
from workers.outbound.exchange import Answer

BLAMES_SENDER = re.compile(r"\b[45]\.7\.(?:26|28|515|606|1[0-9]{2})\b|\b4\.7\.(?:0|23|24|27|29|32)\b")
"""Enhanced codes by which Gmail, Yahoo and Microsoft turn away a sender, not a recipient: the recipients are not to blame."""


def blames_sender(answer: Answer) -> bool:
    return answer.verdict in {"refused", "later", "unreachable"} and bool(BLAMES_SENDER.search(answer.text[:200]))


_alone: dict[str, int] = defaultdict(int)


def grant(key: str, want: int, per_second: int) -> int:
    """How many of `want` may go now under a ceiling (0: none is set)."""
    if not per_second or not want:
        return want
    tenths = time.time() * 10
    current, *earlier = [f"pace:{key}:{int(tenths) - back}" for back in range(11)]
    try:
        pipeline = queue.redis().pipeline()
        pipeline.mget(earlier)
        pipeline.incrby(current, want)
        pipeline.expire(current, 5)
        before, used, _ = pipeline.execute()
    except RedisError:
        if len(_alone) > 1000:
            _alone.clear()
        _alone[current] += want
        before, used = [_alone[one] for one in earlier], _alone[current]
    *whole, oldest = [int(count or 0) for count in before]
    covered = sum(whole) + oldest * (1 - tenths % 1)
    granted = max(0, min(want, int(per_second - covered - (used - want))))
    _give_back(current, want - granted)
    return granted


def _give_back(key: str, count: int) -> None:
    if count:
        try:
            queue.redis().decrby(key, count)
        except RedisError:
            _alone[key] -= count


def ceilings(mailing_id: int, want: int) -> int:
    """What the ceilings for everything and for one mailing leave of a wish."""
    known = settings()
    return grant(f"mailing:{mailing_id}", grant("all", want, known.limit_messages), known.limit_mailing)
