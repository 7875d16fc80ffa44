"""Is it alive, is it ready, how is it doing."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from service.core.config import settings
from service.operations import health, problems
from service.web import forgotten_proxy

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> ResponseReturnValue:
    return Response("ok\n", content_type="text/plain")


@blueprint.get("/readyz")
def ready() -> ResponseReturnValue:
    """Each part in words, what else is wrong, and remarks; 503 while something is wrong."""
    parts = health.parts()
    parts |= problems.in_words(problems.READYZ, datetime.now(UTC))
    return jsonify(parts | health.remarks() | forgotten_proxy.remarks()), 200 if all(
        sentence == "ok" for sentence in parts.values()
    ) else 503


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Prometheus text, from SQL and Redis; only with the bearer token of METRICS_TOKEN."""
    token = settings().metrics_token
    given = request.headers.get("Authorization", "").encode()
    if not token or not hmac.compare_digest(given, f"Bearer {token}".encode()):
        raise NotFound
    return Response(health.metrics(), content_type="text/plain; version=0.0.4; charset=utf-8")
