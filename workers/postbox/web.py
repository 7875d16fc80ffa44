"""The pages for people, and the app that serves them together with the API."""

import re
from datetime import datetime
from pathlib import Path

from flask import Flask, Response, render_template, request, send_from_directory
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape
from werkzeug.exceptions import HTTPException

from workers.postbox import letter
from workers.postbox.api import PAGE_LENGTH, api, bound, listing, the_message, the_raw
from workers.postbox.store import Store

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "postbox"
VIEWS = {"html": "HTML", "text": "Text", "headers": "Headers", "raw": "Raw", "attachments": "Files"}
LONGEST_SHOWN = 200_000
LINK = re.compile(r"""(https?://[^\s<>"]*[^\s<>"'.,;:!?)\]])""")
PAGE_POLICY = "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'"
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


def create_app(store: Store) -> Flask:
    app = Flask(__name__, template_folder=str(TEMPLATES), static_folder=None)
    app.extensions["store"] = store
    # Any other name is a web page elsewhere that points its own domain at this machine to read the mail.
    app.config["TRUSTED_HOSTS"] = ["localhost", "127.0.0.1"]
    app.jinja_env.filters.update(linked=linked, moment=moment, size=size)
    app.register_blueprint(api)
    app.add_url_rule("/", "inbox", inbox)
    app.add_url_rule("/message/<id>", "message", message)
    app.add_url_rule("/message/<id>/html", "html", html)
    app.add_url_rule("/postbox.css", "style", lambda: send_from_directory(TEMPLATES, "postbox.css"))
    app.add_url_rule("/readyz", "ready", lambda: "ok")
    app.register_error_handler(HTTPException, explain)
    app.after_request(protect)
    return app


def inbox() -> str:
    query = request.args.get("query", "").strip()
    return render_template("inbox.html", query=query, page=listing(query), limit=bound("limit", PAGE_LENGTH))


def message(id: str) -> str:
    stored = the_message(id)
    view = request.args.get("view", "html" if stored["HTML"] else "text")
    raw = the_raw(stored["ID"])
    return render_template(
        "message.html",
        message=stored,
        views=VIEWS,
        view=view if view in VIEWS else "text",
        headers=letter.read(raw).headers,
        raw=letter.decode(raw[:LONGEST_SHOWN]),
        longest=LONGEST_SHOWN,
    )


def html(id: str) -> ResponseReturnValue:
    """The HTML body alone. Before the doctype, the base element would put browsers into quirks mode."""
    body = letter.read(the_raw(id)).html
    doctype = re.match(r"\s*(?:<!doctype[^>]*>)?", body, re.IGNORECASE)
    place = doctype.end() if doctype else 0
    page = f'{body[:place]}<base target="_blank">{body[place:]}'
    return page, {"Content-Security-Policy": MAIL_POLICY}


def explain(error: HTTPException) -> ResponseReturnValue:
    code = error.code or 500
    if request.path.startswith("/api/"):
        return {"Error": error.description}, code
    return render_template("error.html", error=error), code


def protect(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def linked(text: str) -> Markup:
    """Text as HTML, its web addresses as links."""
    pieces = [escape(piece) for piece in LINK.split(text)]
    pieces[1::2] = [Markup('<a href="{0}">{0}</a>').format(link) for link in pieces[1::2]]
    return Markup("").join(pieces)


def moment(time: str, *, dated: bool = False) -> str:
    """An RFC 3339 time for people, on this machine's clock; today's times go without a date unless asked for."""
    at, now = datetime.fromisoformat(time), datetime.now().astimezone()
    try:
        at = at.astimezone()
    except OverflowError:
        return time
    return f"{at:%H:%M:%S}" if at.date() == now.date() and not dated else f"{at.day} {at:%b %Y, %H:%M}"


def size(octets: int) -> str:
    for unit in ("bytes", "kB"):
        if octets < 1000:
            return f"{octets:.0f} {unit}"
        octets = round(octets / 1000)
    return f"{octets} MB"
