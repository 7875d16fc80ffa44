"""The connections of this process, kept open from shift to shift, and the selector that listens to them."""

from __future__ import annotations

import gc
import selectors
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

from flask import current_app

from service.core.config import settings
from service.text.email_addresses import domain
from workers.outbound.bulk.fill_threads import Signing
from workers.outbound.message import dkim
from workers.outbound.smtp import trouble
from workers.outbound.smtp.outcome import Answer
from workers.outbound.smtp.pipelined import Pipe
from workers.outbound.smtp.transport import VerifiedConnection, VerifiedMail
from workers.outbound.smtp.trouble import ENDED, LATE

IDLE_SECONDS = 20
"""Servers hang up on connections that wait for long; one that waited so long is closed before it is used."""
RETRY_SECONDS = 1.0
TIRED_SECONDS = 10.0
STUMBLES = 3
"""Connections in a row that did not get through what was sent together, before nothing is sent together any more."""
WAIT_SECONDS = 0.02
"""After so long we ask again whether a connection to a receiving domain has ended what it does."""


class Pool:
    """Opens connections on threads of their own, since greeting and TLS block; the loop goes on meanwhile."""

    def __init__(self, size: int, signing_threads: int) -> None:
        self.size = size
        self.selector = selectors.DefaultSelector()
        self.pipes: set[Pipe] = set()
        self.opening: set[Future[Pipe]] = set()
        self.openers = ThreadPoolExecutor(min(size, 32), "opener")
        self.signing = Signing(signing_threads) if dkim.load(settings()) else None
        self.most_to_domain = settings().limit_domain_connections
        self.stumbles = 0
        self.why = ""
        self.failing_since: float | None = None
        self.retry_at = self.late_at = 0.0
        self.used_at = time.monotonic()
        """When a shift last looked here; within a second, for it need not be exact."""

    def listen(self, seconds: float) -> list[Pipe]:
        """Waits a moment for replies; the connections that have something to say, or room to write."""
        self._top_up()
        if not self.pipes:
            time.sleep(min(seconds, 0.01))
            return []
        return [key.data for key, _ in self.selector.select(seconds)]

    def idle(self) -> Iterable[Pipe]:
        return [pipe for pipe in self.pipes if not pipe.awaited and pipe.idle]

    def wait(self, pipe: Pipe, email: str) -> float:
        """How many seconds to wait before one more connection writes to this receiving domain; 0: none."""
        if not self.most_to_domain:
            return 0.0
        receiving_domain = domain(email)
        others = sum(receiving_domain in other.domains for other in self.pipes if other is not pipe)
        return WAIT_SECONDS if others >= self.most_to_domain else 0.0

    def write_on(self) -> list[Answer]:
        """Goes on with texts that the kernel did not take whole; ends connections that are gone or late."""
        answers: list[Answer] = []
        look_for_late = time.monotonic() > self.late_at
        if look_for_late:
            self.late_at = time.monotonic() + 0.25
        for pipe in [pipe for pipe in self.pipes if pipe.unsent or pipe.closed or look_for_late]:
            if pipe.unsent:
                pipe.write()
            if pipe.closed or pipe.late:
                pipe.ended = ENDED if pipe.closed else LATE
                self._watch_step(pipe)
                answers += self.drop(pipe)
        return answers

    def _watch_step(self, pipe: Pipe) -> None:
        """A server that offers PIPELINING and loses what comes together is asked one thing at a time from then on."""
        if pipe.keeps_step:
            self.stumbles = 0
        elif pipe.pipelining and (pipe.awaited or pipe.stumbled):
            self.stumbles += 1

    def drop(self, pipe: Pipe) -> list[Answer]:
        """Ends a connection; what it leaves behind."""
        if pipe in self.pipes:
            self.pipes.discard(pipe)
            self.selector.unregister(pipe.sock) if pipe.sock.fileno() >= 0 else self._forget(pipe)
        pipe.close()
        return pipe.lost()

    def hang_up(self) -> None:
        """Ends every connection, in whatever it is: nobody would understand the rest of its conversation."""
        for pipe in list(self.pipes):
            self.drop(pipe)

    def _forget(self, pipe: Pipe) -> None:
        for key in list(self.selector.get_map().values()):
            if key.data is pipe:
                self.selector.unregister(key.fileobj)

    def _top_up(self) -> None:
        """Most turns find every connection open and in use, and go on."""
        now = time.monotonic()
        if len(self.pipes) == self.size and now - self.used_at < 1:
            return
        if now - self.used_at > IDLE_SECONDS:
            for pipe in list(self.pipes):
                if pipe.idle:
                    self.drop(pipe)
        self.used_at = now
        for future in [opened for opened in self.opening if opened.done()]:
            self.opening.discard(future)
            self._opened(future, now)
        while len(self.pipes) + len(self.opening) < self.size and now >= self.retry_at:
            mail = current_app.extensions["undersigned.mail"]
            assert isinstance(mail, VerifiedMail)
            self.opening.add(self.openers.submit(_open, mail.connect(), self.stumbles < STUMBLES))

    def _opened(self, future: Future[Pipe], now: float) -> None:
        error = future.exception()
        if error is None:
            pipe = future.result()
            self.pipes.add(pipe)
            self.selector.register(pipe.sock, selectors.EVENT_READ, pipe)
            self.why, self.failing_since = "", None
        else:
            self.why = f"our mail server cannot be used: {trouble.words(error)}"
            self.failing_since = self.failing_since or now
            self.retry_at = now + (RETRY_SECONDS if now - self.failing_since < TIRED_SECONDS else TIRED_SECONDS)


def _open(connection: VerifiedConnection, may_pipeline: bool) -> Pipe:
    """Greets, starts TLS, signs in: all that `configure_host` does; then the socket goes to the loop."""
    host = connection.configure_host()
    assert host.sock is not None
    return Pipe(
        host.sock, pipelining=may_pipeline and host.has_extn("pipelining"), smtputf8=host.has_extn("smtputf8"),
        command_seconds=connection.known.mail_timeout_seconds,
    )  # fmt: skip


@cache
def pool() -> Pool:
    """Made once in a process. What lives by then lives on, and is not looked through for garbage at every hundredth copy."""
    gc.freeze()
    gc.set_threshold(50_000)
    return Pool(settings().mail_connections, settings().signing_threads)
