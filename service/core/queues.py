"""Names of queues and jobs. A job is a wake-up call for a row: it may be lost, doubled or late, and nothing is lost with it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import cache

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy.orm import Session

from service.core.config import settings

log = logging.getLogger(__name__)

PROMPT = "prompt"  # letters that somebody waits for: confirmations, receipts, sign-in links
NOTICES = "notices"  # servings and their letters to officials
BULK = "bulk"  # mailings
INBOUND = "inbound"  # mail that comes in
QUEUES = (PROMPT, NOTICES, BULK, INBOUND)

JOBS = {
    "take_form": "workers.jobs.take_form",
    "deliver": "workers.jobs.deliver",
    "serve": "workers.jobs.serve",
    "stamp": "workers.jobs.stamp",
    "fan_out": "workers.jobs.fan_out",
    "shift": "workers.jobs.shift",
    "take_in": "workers.jobs.take_in",
    "read_import": "workers.jobs.read_import",
}


TIMEOUT_SECONDS = {"shift": -1, "fan_out": -1, "take_in": -1, "read_import": -1, "deliver": 1800}
"""RQ would break into a job after this; a shift ends by itself, and may wait long for a slow server's final answer."""


@dataclass(frozen=True)
class Bell:
    job: str
    row_id: int
    queue: str


@cache
def redis_for(url: str) -> Redis:
    """Short time-outs, for visitors wait on it; a worker, which blocks for jobs, makes them longer for its own process."""
    once_more = Retry(NoBackoff(), 1, supported_errors=(ConnectionError,))
    return Redis.from_url(url, socket_connect_timeout=1, socket_timeout=2, health_check_interval=30, retry=once_more)


def redis() -> Redis:
    return redis_for(settings().redis_url)


def rq_queue(name: str) -> Queue:
    return Queue(name, connection=redis(), serializer=JSONSerializer)


def wake(session: Session, job: str, row_id: int, queue: str) -> None:
    """Hangs a bell on the session; `transaction()` rings it after the commit."""
    session.info.setdefault("bells", []).append(Bell(job, row_id, queue))


AWAY_SECONDS = 5
"""A Redis that failed is left alone for so long, since each visitor would wait for it again."""
_away_until: dict[str, float] = {}


def ring(bells: list[Bell]) -> None:
    """Enqueues; a Redis that is away never reaches the visitor: the clock's sweep finds the rows."""
    url = settings().redis_url
    if time.monotonic() < _away_until.get(url, 0):
        return
    try:
        for bell in bells:
            timeout = TIMEOUT_SECONDS.get(bell.job, 600)
            options = {"job_timeout": timeout, "result_ttl": 0, "failure_ttl": 86400, "description": bell.job}
            rq_queue(bell.queue).enqueue(JOBS[bell.job], bell.row_id, **options)
    except RedisError as error:
        _away_until[url] = time.monotonic() + AWAY_SECONDS
        log.warning("redis is away, bells not rung (%d): %s", len(bells), type(error).__name__)


def rewrite_log() -> None:
    """Has our own Redis write its log anew: what has run out, visitors' addresses among it, stands there no more."""
    if settings().redis_url == f"unix://{settings().socket_path}":
        try:
            redis().bgrewriteaof()
        except RedisError as error:
            log.warning("redis does not write its log anew: %s", type(error).__name__)


def waiting(queue: str) -> int:
    """How many bells hang in a queue. Whoever hears it knows that Redis is there again."""
    count = rq_queue(queue).count
    _away_until.pop(settings().redis_url, None)
    return count
