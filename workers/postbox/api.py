"""Mailpit's HTTP API, as far as tests and scripts need it (https://mailpit.axllent.org/docs/api-v1/)."""

from io import BytesIO

from flask import Blueprint, abort, current_app, request, send_file
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from workers.postbox import letter, summary
from workers.postbox.store import Store
from workers.postbox.summary import Json

api = Blueprint("api", __name__, url_prefix="/api/v1")
PAGE_LENGTH = 50
LARGEST = 2**31


def the_store() -> Store:
    store: Store = current_app.extensions["store"]
    return store


def bound(name: str, default: int) -> int:
    """A number of the query string; nonsense means the default."""
    value = request.args.get(name, default, type=int)
    return min(value, LARGEST) if value >= 0 else default


def message_id(id: str) -> str:
    return (the_store().latest() or "") if id == "latest" else id


def the_raw(id: str) -> bytes:
    raw = the_store().raw(message_id(id))
    return abort(404, "There is no such message.") if raw is None else raw


def the_message(id: str) -> Json:
    """The message for a reader, who has thereby read it."""
    stored = the_store().message(message_id(id))
    if stored is None:
        abort(404, "There is no such message.")
    if request.method == "GET":
        the_store().mark_read(stored["ID"])
    return stored


def listing(query: str) -> Json:
    start = bound("start", 0)
    page = the_store().page(query, start, bound("limit", PAGE_LENGTH))
    return {
        "total": page.total,
        "unread": page.unread,
        "count": len(page.messages),
        "messages_count": page.matching,
        "messages_unread": page.matching_unread,
        "start": start,
        "tags": [],
        "messages": page.messages,
    }


@api.get("/messages")
def messages() -> Json:
    return listing("")


@api.get("/search")
def search() -> Json:
    return listing(request.args.get("query", "").strip() or abort(400, "Say what to search for: ?query=…"))


@api.delete("/messages")
def delete() -> ResponseReturnValue:
    the_store().delete(chosen_ids() or None)
    return "ok", {"Content-Type": "text/plain; charset=utf-8"}


def chosen_ids() -> list[str]:
    """No body, or one without IDs, means all of them; a body that cannot be read must not."""
    body = request.get_json(force=True) if request.get_data() else {}
    ids = body.get("IDs") or [] if isinstance(body, dict) else None
    if not isinstance(ids, list):
        raise BadRequest('Send {"IDs": ["1", "2"]}, or nothing to delete every message.')
    return [str(id) for id in ids]


@api.get("/message/<id>")
def message(id: str) -> Json:
    return the_message(id)


@api.get("/message/<id>/headers")
def headers(id: str) -> Json:
    return summary.headers(letter.read(the_raw(id)))


@api.get("/message/<id>/raw")
def raw(id: str) -> ResponseReturnValue:
    return the_raw(id), {"Content-Type": "text/plain; charset=utf-8"}


@api.get("/message/<id>/part/<number>")
def part(id: str, number: str) -> ResponseReturnValue:
    parts = letter.read(the_raw(id)).parts
    chosen = next((part for part in parts if part.number == number), None) or abort(404, "There is no such part.")
    name = chosen.file_name or f"part-{number}"
    return send_file(BytesIO(chosen.content), chosen.content_type, as_attachment=True, download_name=name)
