"""Logging: one line an event, to standard error; ids, never addresses or names."""

from __future__ import annotations

import logging
import re
import sys

ADDRESS = re.compile(r"[^\s<>\"']+(?:@|%40)[^\s<>\"']+")
LINK = re.compile(r"(/(?:confirm|manage|unsubscribe|sign-in)/)[^\s<>\"'?]+")


class WithoutAddresses(logging.Formatter):
    """The last line of defence: whatever a library puts into a line, what looks like an address or the token of a link
    does not get out."""

    def format(self, record: logging.LogRecord) -> str:
        return LINK.sub(r"\1…", ADDRESS.sub("…@…", super().format(record)))


def configure() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(WithoutAddresses("%(asctime)s %(levelname)s %(name)s %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("rq.worker", "alembic", "markdown_it"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
