"""Is everything there that the service needs: database, Redis, a worker for each queue, a clock."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import RedisError
from rq import Worker
from sqlalchemy import Select, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from service import queue
from service.db import reading
from service.models import Delivery, Edition, Message, Notice

CLOCK = "undersigned:clock"


def parts() -> dict[str, str]:
    """Each part, and `ok` or what is wrong with it in words."""
    found = {"database": "ok", "redis": "ok"}
    try:
        with reading() as session:
            session.execute(text("SELECT version_num FROM alembic_version")).one()
    except SQLAlchemyError:
        found["database"] = "cannot be read, or has not been migrated"
    try:
        queue.redis().ping()
        for name in queue.QUEUES:
            working = Worker.count(connection=queue.redis(), queue=queue.rq_queue(name))
            found[f"worker {name}"] = "ok" if working else "no worker listens"
        found["clock"] = "ok" if queue.redis().exists(CLOCK) else "no clock has been seen for two minutes"
    except RedisError:
        found["redis"] = "cannot be reached; mail waits and nothing is lost"
    return found


def _on_their_way(state: str) -> Select[str, int]:
    """Asked state by state, since each has an index of its own; what is unsure is a delivery."""
    counted = select(Message.queue, func.count()).where(Message.state == state).group_by(Message.queue)
    return counted.where(Message.id.in_(select(Delivery.message_id))) if state == "unsure" else counted


class FromDatabase(Collector):
    """Counted when asked, since metrics kept in each worker's memory would end with its job."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        waiting = GaugeMetricFamily("undersigned_messages", "Messages on their way", labels=["queue", "state"])
        signed = GaugeMetricFamily("undersigned_signatures", "Confirmed signatures", labels=["notice"])
        bells = GaugeMetricFamily("undersigned_bells", "Jobs waiting in Redis", labels=["queue"])
        with reading() as session:
            for state in ("queued", "sending", "unsure"):
                for name, count in session.execute(_on_their_way(state)):
                    waiting.add_metric([name, state], count)
            for slug, count in session.execute(select(Notice.slug, Edition.count).join(Edition)):
                signed.add_metric([slug], count)
        for name in queue.QUEUES:
            bells.add_metric([name], queue.waiting(name))
        return [waiting, signed, bells]


def metrics() -> bytes:
    registry = CollectorRegistry()
    registry.register(FromDatabase())
    return generate_latest(registry)
