"""Is everything there that the service needs: database, Redis, a worker for each queue, a clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ConnectionError,
    NoPermissionError,
    RedisError,
    ResponseError,
    TimeoutError,
)
from rq import Worker
from sqlalchemy import case, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.core import disk_reserve, queues
from service.core.db import reading
from service.models import Delivery, Edition, Mailing, Message, Notice, Tally
from service.models.mail import IS_QUEUED, IS_SENDING
from service.operations import waiting_letters
from service.servings.documents import fonts

CLOCK = "undersigned:clock"
PROBE = "undersigned:probe"
"""Written at each look, for a Redis that refuses writes answers a PING."""
REFUSALS = {
    "OutOfMemoryError": ", because its memory is full",
    "ReadOnlyError": ", because it is a replica of another one",
    "MasterDownError": ", because it is a replica of another one",
    "MISCONF": ", because it cannot save to its disk",
    "NOREPLICAS": ", because its replicas are away",
}
"""By the error's class, or by its first word where redis-py has no class for it."""


def parts() -> dict[str, str]:
    """Each part, and `ok` or what is wrong with it in words."""
    sentences = {"database": "ok", "redis": "ok"}
    try:
        with reading() as session:
            session.execute(text("SELECT version_num FROM alembic_version")).one()
    except SQLAlchemyError:
        sentences["database"] = "cannot be read, or has not been migrated"
    sentences["mail"] = _mail(sentences["database"])
    try:
        queues.redis().set(PROBE, "", ex=10)
        for name in queues.QUEUES:
            working = Worker.count(connection=queues.redis(), queue=queues.rq_queue(name))
            sentences[f"worker {name}"] = "ok" if working else "no worker listens"
        sentences["clock"] = "ok" if queues.redis().exists(CLOCK) else "no clock has been seen for two minutes"
    except RedisError as error:
        sentences["redis"] = _redis_words(error)
    return sentences


def _redis_words(error: RedisError) -> str:
    """A Redis that answers and takes nothing is as good as none: full, a replica, or unable to save to its disk."""
    if isinstance(error, (AuthenticationError, AuthorizationError, NoPermissionError)):
        return "does not let us in; mail waits and nothing is lost"
    if isinstance(error, (ConnectionError, TimeoutError)):
        return "cannot be reached; mail waits and nothing is lost"
    sign = type(error).__name__ if type(error) is not ResponseError else str(error).partition(" ")[0]
    return f"refuses to write{REFUSALS.get(sign, '')}; mail waits and nothing is lost"


def remarks() -> dict[str, str]:
    """What is not as good as it could be, and stops nothing."""
    missing = fonts.missing()
    return disk_reserve.remarks() | _fonts(missing)


def _fonts(missing: Sequence[str]) -> dict[str, str]:
    return {"fonts": f"there is none for {', '.join(missing)}: PDFs show □, letters and CSV are whole"} if missing else {}


def _mail(database: str) -> str:
    """Whether letters leave: somebody waits for each of those on the prompt queue."""
    if database != "ok":
        return "cannot be told"
    try:
        with reading() as session:
            oldest = waiting_letters.oldest_late(session, datetime.now(UTC))
    except SQLAlchemyError:  # it went away since
        return "cannot be told"
    return "ok" if oldest is None else f"letters have waited since {oldest:%Y-%m-%d %H:%M} UTC"


def _on_their_way(session: Session) -> Iterable[tuple[str, str, int]]:
    """Queue, state and count; each asked by an index of its own, and a mailing's copies by their tallies."""
    letters = (IS_QUEUED, Message.mailing_id.is_(None))
    for name, count in session.execute(select(Message.queue, func.count()).where(*letters).group_by(Message.queue)):
        yield name, "queued", count
    for name, count in session.execute(select(Message.queue, func.count()).where(IS_SENDING).group_by(Message.queue)):
        yield name, "sending", count
    of_deliveries = Message.id.in_(select(Delivery.message_id))
    unsure = select(func.count()).select_from(Message).where(of_deliveries, Message.state == "unsure")
    yield queues.NOTICES, "unsure", session.scalar(unsure) or 0
    unsettled = select(func.sum(case((Tally.state == "total", Tally.count), else_=-Tally.count))).join(
        Mailing, Mailing.id == Tally.mailing_id
    )
    yield queues.BULK, "queued", session.scalar(unsettled.where(Mailing.state.in_(("sending", "paused")))) or 0


class FromDatabase(Collector):
    """Counted when asked, since metrics kept in each worker's memory would end with its job."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        waiting = GaugeMetricFamily("undersigned_messages", "Messages on their way", labels=["queue", "state"])
        signed = GaugeMetricFamily("undersigned_signatures", "Confirmed signatures", labels=["notice"])
        bells = GaugeMetricFamily("undersigned_bells", "Jobs waiting in Redis", labels=["queue"])
        with reading() as session:
            for name, state, count in _on_their_way(session):
                waiting.add_metric([name, state], count)
            for slug, count in session.execute(select(Notice.slug, Edition.count).join(Edition)):
                signed.add_metric([slug], count)
        for name in queues.QUEUES:
            bells.add_metric([name], queues.waiting(name))
        return [waiting, signed, bells]


def metrics() -> bytes:
    registry = CollectorRegistry()
    registry.register(FromDatabase())
    return generate_latest(registry)
