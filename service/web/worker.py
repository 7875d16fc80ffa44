"""gunicorn's processes, with waitress inside: a request is taken in whole before a thread has to do with it, and an answer is
handed out without one. Connections that are silent, or send and take a byte now and then, keep nobody else from being answered.
"""

from __future__ import annotations

import logging
import os
import resource
import time
from typing import Any

from gunicorn.workers.base import Worker
from waitress import create_server, wasyncore

from service.web.requests_in import LARGEST, SOME, Channel, Request, organisers_cookie

CONNECTIONS, SPARE_FILES = 1_000, 200
"""Most connections of one process, where the machine allows so many open files; what a process opens beside them."""
IDLE_SECONDS = 60
LOOK_SECONDS = 5.0
LONGEST_HEAD = 64 * 1024


class BufferingWorker(Worker):  # type: ignore[misc]
    """One process: waitress' loop takes requests in, `threads` threads of its own act on them."""

    server: Any = None

    def run(self) -> None:
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns of each request that waits for a moment
        Request.is_organiser = staticmethod(organisers_cookie(self.app.wsgi()))
        options = {
            "threads": self.cfg.threads, "connection_limit": _connections(), "backlog": self.cfg.backlog,
            "channel_timeout": IDLE_SECONDS, "cleanup_interval": LOOK_SECONDS, "asyncore_use_poll": True,
            "max_request_header_size": LONGEST_HEAD, "max_request_body_size": LARGEST, "inbuf_overflow": SOME,
            "outbuf_overflow": SOME, "clear_untrusted_proxy_headers": False, "ident": None, "log_socket_errors": False,
        }  # fmt: skip
        self.server = create_server(self.wsgi, sockets=[socket.sock for socket in self.sockets], **options)
        self.server.channel_class = Channel
        looked_at = 0.0
        while self.alive and self.ppid == os.getppid():
            self.notify()
            self._turn(1.0)
            if (now := time.monotonic()) > looked_at + LOOK_SECONDS:
                looked_at = now
                for channel in self._channels():
                    channel.let_go_if_late(now)
        self._finish()

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=self.server._map, count=1)

    def _finish(self) -> None:
        """What has begun is answered, for `graceful_timeout` at most; nothing new is taken."""
        self.alive = self.server.accepting = False
        until = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < until and any(channel.requests or channel.total_outbufs_len for channel in self._channels()):
            self.notify()
            self._turn(0.05)
        self.server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self.server._map)

    def _channels(self) -> list[Any]:
        return list(self.server.active_channels.values())

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Asked twice, by its master and by a supervisor that asks the whole group, it ends once."""
        was_alive = self.alive
        super().handle_exit(sig, frame)
        if was_alive and self.server is not None:
            self.server.pull_trigger()  # ends the turn that waits


def _connections() -> int:
    """As many as the machine allows, up to CONNECTIONS; asks for the files that they need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files_needed = CONNECTIONS + SPARE_FILES
    if hard != resource.RLIM_INFINITY:
        files_needed = min(files_needed, hard)
    if soft < files_needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files_needed, hard))
    return max(min(CONNECTIONS, max(soft, files_needed) - SPARE_FILES), 100)
