"""Whom we ask for names (DNS_SERVER), and what it said lately."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import dns.resolver

DNS_PORT = 53
KEPT_SECONDS = 60.0
PATIENCE_SECONDS = 3.0
"""So long one question, or one of several parts, may take; a page waits only a moment, and says what it does not know yet."""
GLANCE_SECONDS = 0.15
ASKED_AT_ONCE = 8
T = TypeVar("T")
_threads = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="dns")
_kept: dict[Hashable, tuple[float, Future[Any]]] = {}


def resolver(server: str) -> dns.resolver.Resolver:
    """Asks this server, 192.0.2.53, 127.0.0.1:5353 or [2001:db8::53]:53, or the system's where none is named."""
    own_resolver = dns.resolver.Resolver(configure=not server)
    if server:
        with_port = server.count(":") == 1 or "]:" in server
        host, _, port = server.rpartition(":") if with_port else (server, "", "")
        own_resolver.nameservers, own_resolver.port = [host.strip("[]")], int(port or DNS_PORT)
    return own_resolver


def begin(key: Hashable, ask: Callable[[], T]) -> Future[T]:
    """Asks in a thread of its own, once for all who want to know within a minute: no page waits for a slow server.

    `ask` raises nothing, ends by itself, and is known by `key`.
    """
    now = time.monotonic()
    for old in [key_kept for key_kept, (at, _) in list(_kept.items()) if now > at + KEPT_SECONDS]:
        _kept.pop(old, None)
    if key not in _kept:
        _kept[key] = now, _threads.submit(ask)
    return _kept[key][1]


def heard(asked: Future[T], seconds: float) -> T | None:
    """What it said, or None where it has not within so many seconds."""
    try:
        return asked.result(timeout=seconds)
    except TimeoutError:
        return None
