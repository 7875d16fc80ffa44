"""How much of a request is taken in before the application sees it: forms, and files where they are expected.

What comes in lies on disk until it is whole, so all of it together is bounded as well: a stranger's connections hold half a
megabyte each, and few at a time more.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from types import SimpleNamespace
from typing import Any
from weakref import WeakSet

from flask import Flask
from itsdangerous import BadData
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError

from service.web.guards import KEY
from service.web.organise.imports import LARGEST as LARGEST_FILE
from service.web.public.proof import LARGEST_UPLOAD

LARGEST = 512 * 1024
"""Twice what a form may have, so that the application itself says what is a little too large."""
SOME = 64 * 1024
MOST_LARGE = 8
FIRST_SECONDS, BYTES_PER_SECOND = 30.0, 1_000
FOLDED = re.compile(rb"\r\n[ \t]")
_large: WeakSet[Request] = WeakSet()


class Request(HTTPRequestParser):  # type: ignore[misc]
    """One request as it comes in, read strictly: what two servers could read in two ways is refused (RFC 9112 §5.2, §6.1)."""

    is_organiser: Callable[[str], bool] = staticmethod(lambda _cookie: False)

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.adj: Any = adj
        self.began = time.monotonic()

    def parse_header(self, header_plus: bytes) -> None:
        if FOLDED.search(header_plus):
            raise ParsingError("A header is folded")
        super().parse_header(header_plus)
        if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
            raise ParsingError("Its length is given twice")
        self.adj = SimpleNamespace(max_request_body_size=self._largest() + 1)

    def _largest(self) -> int:
        """For this path, and this visitor."""
        of_file = self.path == "/organise/imports" and self.is_organiser(self.headers.get("COOKIE", ""))
        largest = LARGEST_FILE if of_file else LARGEST_UPLOAD if self.path == "/verify" else LARGEST
        if largest > LARGEST and (self.chunked or self.content_length > LARGEST):
            if len(_large) >= MOST_LARGE:
                return LARGEST
            _large.add(self)
        return largest

    def is_late(self, now: float) -> bool:
        """Whether it drips: a head of more than half a minute, or a body that comes more slowly than any line."""
        began, received = float(self.began), int(self.body_bytes_received)
        return now - began > FIRST_SECONDS + received / BYTES_PER_SECOND


class Channel(HTTPChannel):  # type: ignore[misc]
    parser_class = Request

    def let_go_if_late(self, now: float) -> None:
        request = self.request
        if request is not None and not self.requests and request.is_late(now):
            self.will_close = True


def organisers_cookie(app: Flask) -> Callable[[str], bool]:
    """Whether a Cookie header holds a session of an organiser's that we have signed, lately or long ago."""

    def is_organiser(header: str) -> bool:
        serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
        try:
            ours = SimpleCookie(header).get(app.config["SESSION_COOKIE_NAME"])
            return ours is not None and KEY in serializer.loads(ours.value)
        except (BadData, CookieError):
            return False

    return is_organiser
