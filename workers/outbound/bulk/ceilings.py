"""Ceilings: how many texts may leave in any second, in all, for one mailing, for one receiving domain.

Each copy is counted when it is about to leave, in a log of the last second that all workers share in Redis; without it each
keeps to the ceilings by itself. A claim only spreads: what a receiving domain cannot take soon is given back, due later.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from redis.exceptions import RedisError

from service.core import queues
from service.core.config import settings
from service.text.email_addresses import domain
from workers.outbound.message.stencil import Person, Recipient

WINDOW_SECONDS = 1.05
"""A little over a second, since a text leaves some moments after it was counted, the next one perhaps sooner after."""
AHEAD_SECONDS = 2
"""Of what a ceiling allows, so much is claimed ahead."""
AWAY_SECONDS = 10

TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
for at, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - ARGV[2])
  redis.call('ZREMRANGEBYSCORE', key, string.format('(%.6f', now), '+inf')
  if redis.call('ZCARD', key) >= tonumber(ARGV[at + 2]) then
    local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    return {at, tostring(oldest[2] + ARGV[2] - now)}
  end
end
for _, key in ipairs(KEYS) do
  redis.call('ZADD', key, now, ARGV[1])
  redis.call('EXPIRE', key, 5)
end
return {0, '0'}
"""
"""One place under every ceiling or under none: {0, 0}, or which ceiling is reached, and in how many seconds there is room.

What was counted in the future, before the clock was put back, counts for nothing: it would close a ceiling for that long.
"""


class Pace:
    """The ceilings of one shift. Where none is set, nothing is asked."""

    def __init__(self, mailing_id: int) -> None:
        config = settings()
        fixed = {"pace:all": config.limit_messages, f"pace:mailing:{mailing_id}": config.limit_mailing}
        self.fixed = {key: most for key, most in fixed.items() if most}
        self.per_domain = config.limit_receiving_domain
        self.closed_until: dict[str, float] = {}
        self.next_at: dict[str, float] = {}
        self.alone: dict[str, deque[float]] = defaultdict(deque)
        self.alone_until = 0.0

    def batch(self, most: int) -> int:
        """How many messages a claim should take at most."""
        return max(1, min([most, *(AHEAD_SECONDS * rate for rate in self.fixed.values())]))

    def spread(self, people: Sequence[Person], now: datetime) -> tuple[list[Person], dict[datetime, list[int]]]:
        """Those whose domain has room soon; and the message ids of the others by the second when their turn comes."""
        if not self.per_domain:
            return list(people), {}
        soon, later = [], defaultdict(list)
        began = now.timestamp()
        for person in people:
            message_id, _, _, email, *_ = person
            name = domain(email)
            at = self.next_at[name] = max(self.next_at.get(name, 0), began) + 1 / self.per_domain
            if at - began <= AHEAD_SECONDS:
                soon.append(person)
            else:
                later[now + timedelta(seconds=int(at - began))].append(message_id)
        return soon, later

    def wait(self, reader: Recipient) -> float:
        """Counts one copy; or says in how many seconds to ask again, if a ceiling is reached."""
        ceilings = self.fixed
        if self.per_domain:
            ceilings = self.fixed | {f"pace:domain:{domain(reader.email)}": self.per_domain}
        if not ceilings:
            return 0.0
        now = time.monotonic()
        if (until := max(self.closed_until.get(key, 0) for key in ceilings)) > now:
            return until - now
        reached, seconds = self._take(ceilings)
        if reached:
            self.closed_until[list(ceilings)[reached - 1]] = now + seconds
        return seconds

    def _take(self, ceilings: dict[str, int]) -> tuple[int, float]:
        if time.monotonic() < self.alone_until:
            return self._take_alone(ceilings)
        try:
            member = secrets.token_hex(8)
            reached, seconds = queues.redis().eval(TAKE, len(ceilings), *ceilings, member, WINDOW_SECONDS, *ceilings.values())
            return int(reached), float(seconds)
        except RedisError:  # it may hang, and must not hang us at every copy
            self.alone_until = time.monotonic() + AWAY_SECONDS
            return self._take_alone(ceilings)

    def _take_alone(self, ceilings: dict[str, int]) -> tuple[int, float]:
        now = time.monotonic()
        for at, (key, most) in enumerate(ceilings.items(), 1):
            log = self.alone[key]
            while log and log[0] <= now - WINDOW_SECONDS:
                log.popleft()
            if len(log) >= most:
                return at, log[0] + WINDOW_SECONDS - now
        for key in ceilings:
            self.alone[key].append(now)
        return 0, 0.0
