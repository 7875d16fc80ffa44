"""create_app(settings): blueprints with their guards, CSRF, error pages, headers, template folder."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, g, render_template, request, session
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, DBAPIError, NoResultFound
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix

from service import cli
from service.confirmations.confirmation_requests import Settled
from service.core import config
from service.core.db import reading
from service.emails.compose import environment
from service.emails.links import again_address
from service.errors import NotFound, Refused, SpoiltLink, TooMany
from service.organisers import accounts
from service.states import NotThatWay
from service.web import BLUEPRINTS, filters, forgotten_proxy, robots
from service.web.guards import KEY, may, now
from service.web.letter_links import LetterToken
from service.web.organise.imports import LARGEST as LARGEST_FILE

log = logging.getLogger(__name__)

CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), browsing-topics=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
LARGEST_FORM = 256 * 1024
csrf = CSRFProtect()


def create_app(settings: config.Settings) -> Flask:
    """The web application. Links never come from the request's Host; unknown hosts are refused."""
    config.use(settings)
    root = Path(__file__).parent.parent
    app = Flask("service", root_path=str(root / "service"), template_folder=str(root / "templates"), static_folder="static")
    app.config.update(_flask_settings(settings))
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=0)  # type: ignore[method-assign]
    app.url_map.converters["letter"] = LetterToken
    app.before_request(_room_for_files)
    csrf.init_app(app)
    for entry in BLUEPRINTS:
        if entry.csrf_exempt:
            csrf.exempt(entry.blueprint)
        app.register_blueprint(entry.blueprint, url_prefix=entry.prefix)
    app.jinja_env.filters.update(environment().filters | filters.FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(lambda: {"settings": settings, "organiser": g.get("organiser"), "offices": filters.OFFICES})
    app.context_processor(lambda: {"may": may, "at": filters.at, "again_address": again_address})
    app.context_processor(
        lambda: {"people": filters.people, "count_of": filters.count_of, "counted_note": filters.counted_note}
    )
    guards = {entry.blueprint.name: entry.guard for entry in BLUEPRINTS if entry.guard is not None}
    forgotten_proxy.watch(app)
    app.before_request(_no_nul)
    app.before_request(lambda: guards[request.blueprint]() if request.blueprint in guards else None)
    app.after_request(_headers)
    app.after_request(robots.keep_names_out)
    _error_pages(app)
    cli.register(app)
    return app


def _room_for_files() -> None:
    """An organiser's file of people is larger than any form. Asked before the form is read, and of nobody else."""
    if request.endpoint == "imports.upload" and request.method == "POST":
        with reading() as database:
            if accounts.signed_in(database, session.get(KEY), now()) is not None:
                request.max_content_length = LARGEST_FILE


def _no_nul() -> None:
    """PostgreSQL stores no NUL; nothing of ours has one in its address. From the token of a letter's link it is taken off."""
    if "\0" in request.path and "token" not in (request.view_args or {}):
        abort(404)


def _flask_settings(settings: config.Settings) -> dict[str, Any]:
    trusted = [settings.host] + (["localhost", "127.0.0.1"] if settings.host in {"localhost", "127.0.0.1"} else [])
    return {
        "SECRET_KEY": settings.secret_key[0],
        "SECRET_KEY_FALLBACKS": list(settings.secret_key[1:]),
        "TRUSTED_HOSTS": trusted,
        "MAX_CONTENT_LENGTH": LARGEST_FORM,
        "MAX_FORM_PARTS": 100,
        "SESSION_COOKIE_NAME": "__Host-undersigned" if settings.secure else "undersigned",
        "SESSION_COOKIE_SECURE": settings.secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "WTF_CSRF_TIME_LIMIT": None,  # a form left open for a day still works
        "WTF_CSRF_SSL_STRICT": False,  # it wants a Referer, which careful browsers leave out; SameSite and the token stand
        "MAIL_SERVER": settings.mail_server,
        "MAIL_PORT": settings.mail_port,
        "MAIL_USERNAME": settings.mail_username or None,
        "MAIL_PASSWORD": settings.mail_password or None,
        "MAIL_USE_TLS": settings.mail_use_tls,
        "MAIL_USE_SSL": settings.mail_use_ssl,
        "MAIL_DEFAULT_SENDER": settings.mail_default_sender,
        "MAIL_DEBUG": 0,
        "MAIL_SUPPRESS_SEND": False,
    }


def _headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if config.settings().secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _error_pages(app: Flask) -> None:
    def page(status: int, heading: str, sentence: str) -> tuple[str, int]:
        return render_template("pages/error.html", heading=heading, sentence=sentence), status

    app.register_error_handler(SecurityError, _strange_host)
    app.register_error_handler(Settled, lambda error: (render_template("pages/settled.html", used=error.used), 410))
    app.register_error_handler(SpoiltLink, lambda _: (render_template("pages/spoilt_link.html"), 200))
    app.register_error_handler(NotFound, lambda error: page(404, "Not found", _sentence(error)))
    app.register_error_handler(NoResultFound, lambda _: page(404, "Not found", HTTP_SENTENCES[404]))
    app.register_error_handler(OverflowError, lambda _: page(404, "Not found", HTTP_SENTENCES[404]))
    app.register_error_handler(TooMany, lambda _: page(429, "Too many forms", "Wait ten minutes, then try again."))
    app.register_error_handler(Refused, lambda error: page(409, "That cannot be done", str(error)))
    app.register_error_handler(
        NotThatWay, lambda _: page(409, "That cannot be done", "It has moved on meanwhile: reload the page.")
    )
    app.register_error_handler(
        CSRFError,
        lambda _: page(
            400, "Please send the form again", "The page was open for long, or cookies are off. Go back, reload, send."
        ),
    )
    app.register_error_handler(DataError, lambda _: page(400, "Bad Request", HTTP_SENTENCES[400]))
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(
        HTTPException, lambda error: page(error.code or 500, error.name.capitalize(), HTTP_SENTENCES.get(error.code or 500, ""))
    )


HTTP_SENTENCES = {
    400: "The request could not be read.",
    403: "This needs another role.",
    404: "There is nothing at this address.",
    405: "This address does not take that.",
    413: "The form is larger than we take.",
    500: "Something went wrong on our side. Nothing that you entered was half-kept.",
}


def _strange_host(_: SecurityError) -> Response:
    """Plain words: a page has links, and there is no host to make them for."""
    return Response("There is no site of this name here.\n", 400, content_type="text/plain; charset=utf-8")


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _database_error(error: DBAPIError) -> tuple[str, int]:
    if isinstance(error, DataError):  # a NUL byte, say, that PostgreSQL does not take in text
        return render_template("pages/error.html", heading="Bad Request", sentence=HTTP_SENTENCES[400]), 400
    log.error("database: %s", type(error.orig).__name__)
    sentence = "The database is busy. Nothing was changed; try again in a minute."
    return render_template("pages/error.html", heading="Try again shortly", sentence=sentence), 503
