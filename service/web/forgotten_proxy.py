"""A reverse proxy that TRUSTED_PROXIES does not count: all visitors would have its address, and share one visitor's limits."""

from __future__ import annotations

import ipaddress
import logging
import threading

from flask import Flask, current_app, request

from service.core.config import settings

log = logging.getLogger(__name__)
REMARK = "requests come through a proxy that TRUSTED_PROXIES does not count, so all visitors share the limits of one"
NAME = "forgotten_proxy"


def watch(app: Flask) -> None:
    app.extensions[NAME] = threading.Event()
    app.before_request(_look)


def _look() -> None:
    seen: threading.Event = current_app.extensions[NAME]
    if seen.is_set() or settings().trusted_proxies or "X-Forwarded-For" not in request.headers:
        return
    if _is_near(request.remote_addr or ""):
        seen.set()
        log.warning(REMARK)


def _is_near(remote_address: str) -> bool:
    """Whether a proxy of ours could have this address; a stranger who sends the header has another."""
    try:
        return ipaddress.ip_address(remote_address).is_private
    except ValueError:
        return False


def remarks() -> dict[str, str]:
    """For /readyz, as long as this process lives."""
    return {"proxy": REMARK} if current_app.extensions[NAME].is_set() else {}
