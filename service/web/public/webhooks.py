"""What mail providers report: proved, stored as it came, answered 200; read by the worker like any other mail that came in."""

from __future__ import annotations

import json

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue

from service.core.db import transaction
from service.inbound import spool
from service.inbound.webhooks import PROVIDERS, Forged
from service.web.guards import now

blueprint = Blueprint("hooks", __name__)


@blueprint.post("/<name>")
def take(name: str) -> ResponseReturnValue:
    """A replay changes nothing, and an event of a message that we do not know is answered alike: they would only come again."""
    provider = PROVIDERS.get(name)
    if provider is None or not provider.enabled():
        abort(404)
    body = request.get_data()
    try:
        provider.prove(dict(request.headers), body)
        events = provider.read(body)
    except Forged:
        abort(403)
    with transaction() as session:
        for event in events:
            if not spool.known(session, event.external_id):
                content = json.dumps(event.judgement.as_json()).encode()
                spool.store(session, [spool.Mail(name, None, [""], content, event.external_id)], now())
        spool.ring(session)
    return {"taken": len(events)}
