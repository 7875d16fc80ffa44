"""Errors named by what to do next. None of them is an HTTP error; the web turns them into pages."""

from __future__ import annotations


class Refused(ValueError):
    """The asker must change something. `errors` maps a field's name to a sentence that says what and how."""

    def __init__(self, sentence: str = "", **errors: str) -> None:
        self.errors = errors or {"": sentence}
        super().__init__(" ".join(self.errors.values()))


class NotFound(LookupError):
    """There is no such thing, or its link is not (or no longer) good."""


class SpoiltLink(NotFound):
    """The token of a link does not verify: it was cut or changed on its way, or never was ours."""


class TooMany(RuntimeError):
    """A rate limit: later is fine."""
