"""Start a worker: `python -m workers.run QUEUE`. One queue for each process: a worker on two queues can lose a popped job.

Jobs run in this process, without a fork: connections and stencils live on from job to job, there is no orphan to outlive its
parent, and recovery rests on our own leases, never on RQ's registries.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from itertools import count
from types import FrameType

from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.exceptions import AbandonedJobError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus
from sqlalchemy.exc import OperationalError

from service.app import create_app
from service.core import queues
from service.core.config import SettingRefused, settings
from service.core.logs import configure
from service.operations import failures
from workers.outbound import journal
from workers.outbound.bulk import shifts
from workers.outbound.letter import hang_up
from workers.outbound.smtp.transport import VerifiedMail

log = logging.getLogger(__name__)


PATIENCE = 1.5
"""Seconds that a mail server has for its answer once we were asked to end; then it counts as lost, and that is recorded."""


def _end() -> None:
    """The last resort, where hanging up was not enough: leases lapse, which is what they are for."""
    log.warning("ended in the middle of a job")
    os._exit(0)


def note_abandoned(job: Job, kind: type[BaseException], _error: BaseException, _traceback: object) -> bool:
    """Of a job whose worker was killed RQ tells another worker, minutes later; any other failure is written down by the job."""
    if kind is AbandonedJobError:
        name = str(job.func_name).rpartition(".")[2]
        failures.record_as(name, int(job.args[0]), "killed", "its worker was killed")
    return True


class Worker(SimpleWorker):
    """Ends cleanly on the first SIGTERM or SIGINT, within a message and 4 s; comes back soon after Redis does."""

    max_connection_wait_time = 5.0

    def request_stop(self, signum: int, _frame: FrameType | None) -> None:
        shifts.stopping.append(True)
        self._stop_requested = True
        for seconds, act in ((PATIENCE, hang_up), (PATIENCE + 2, _end)):
            timer = threading.Timer(seconds, act)
            timer.daemon = True
            timer.start()
        if self.get_state() != WorkerStatus.BUSY:
            raise SystemExit(0)

    def teardown(self) -> None:
        try:
            super().teardown()  # type: ignore[no-untyped-call]
        except RedisError:
            log.warning("redis is away, the worker's registration is left to run out")


def main(name: str) -> None:
    faulthandler.enable()  # a crash below Python names its place
    configure()
    app = create_app(settings())
    app.extensions["undersigned.mail"] = VerifiedMail(app)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with app.app_context():
        journal.own()
        for life in count(1):
            try:
                journal.replay()
                work(name, life)
            except (RedisError, OperationalError) as error:
                log.warning("redis or the database is away: %s", type(error).__name__)
            if shifts.stopping:
                break
            time.sleep(1)


def work(name: str, life: int) -> None:
    """Until we are asked to end; or until RQ gives up on a Redis that is away, which it does in some places, not in others."""
    worker = Worker(
        [queues.rq_queue(name)], connection=queues.redis(), serializer=JSONSerializer, worker_ttl=30, maintenance_interval=15,
        job_monitoring_interval=5, exception_handlers=[note_abandoned],
        name=f"{name}-{os.uname().nodename[:30]}-{os.getpid()}-{life}",
    )  # fmt: skip
    worker.log_job_description = False
    worker.work(logging_level="WARNING", with_scheduler=False)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in queues.QUEUES:
        sys.exit(f"Name one queue: {', '.join(queues.QUEUES)}.")
    try:
        main(sys.argv[1])
    except SettingRefused as refused:
        sys.exit(str(refused))
