"""How gunicorn runs: processes with threads, for pages wait for the database; no control socket, no log with links in it."""

from __future__ import annotations

import gc
import os
from typing import Any

bind = f"{os.environ.get('WEB_HOST', '127.0.0.1')}:{os.environ.get('WEB_PORT') or os.environ.get('PORT') or '8000'}"
worker_class = "service.web.worker.BufferingWorker"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 4
timeout = 60
graceful_timeout = 3
accesslog = None
control_socket_disable = True


def post_worker_init(_worker: Any) -> None:
    """What was made at the start is never garbage; without this one page in five waits 0.1 s while it is looked through."""
    gc.collect()
    gc.freeze()
