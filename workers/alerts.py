"""Calls ALERT_URL with what is wrong: when it begins and when it is over; also where mail, Redis or the database broke.

The body is JSON: {"service": BASE_URL, "problems": {…}, "over": [names of what is well again]}.
"""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from datetime import UTC, datetime

from service.core.config import settings
from service.operations import health, problems

log = logging.getLogger(__name__)
EVERY_SECONDS = 30
PATIENCE_SECONDS = 5
TWICE = 2
"""How often in a row it must be seen: a worker that starts again is no alarm."""


class Alarm:
    """What was told already; a clock that starts again tells again."""

    def __init__(self) -> None:
        self.next_at = 0.0
        self.seen: dict[str, int] = {}
        self.told: dict[str, str] = {}

    def look(self, monotonic: float) -> None:
        if not settings().alert_url or monotonic < self.next_at:
            return
        self.next_at = monotonic + EVERY_SECONDS
        parts = {part: sentence for part, sentence in health.parts().items() if sentence != "ok"}
        self.hear(parts | problems.in_words(problems.ALERT, datetime.now(UTC)))

    def hear(self, sentences: dict[str, str]) -> None:
        """Tells what is new and lasts, and what is over; what could not be told is told at the next look."""
        self.seen = {name: self.seen.get(name, 0) + 1 for name in sentences}
        lasting = {name: sentence for name, sentence in sentences.items() if self.seen[name] >= TWICE or name in self.told}
        over = [name for name in self.told if name not in sentences]
        if (set(lasting) - set(self.told) or over) and self._call({"problems": lasting, "over": over}):
            self.told = lasting

    def _call(self, document: dict[str, object]) -> bool:
        body = json.dumps({"service": settings().base_url, **document}).encode()
        request = urllib.request.Request(settings().alert_url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS):
                return True
        except (OSError, urllib.error.URLError, ValueError) as error:
            log.warning("the alert was not taken: %s", type(error).__name__)
            return False
