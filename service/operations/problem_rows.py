"""What one problem says, and where it is told. Strangers read the sentences, too, because /readyz is public."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from service.organisers.roles import EVERYBODY

READYZ, ALERT, MAIL = "readyz", "alert", "mail"
EVERYWHERE = frozenset({READYZ, ALERT, MAIL})
"""Where a problem is told beside the dashboard."""


@dataclass(frozen=True)
class Button:
    """`act` is what the form sends, with the problem's key, to `path`."""

    act: str
    label: str
    path: str = "/organise/problems"
    danger: bool = False


LETTER_BUTTONS = (Button("try letters", "Try again now"), Button("stop letters", "Stop these letters", danger=True))


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, the same `key` for as long as it lasts."""

    key: str
    """What it is about: "serving 4", "import 2"."""
    kicker: str
    """Two or three words above it: "Paused"."""
    sentence: str
    """A whole sentence, or two."""
    since: datetime | None = None
    title: str = ""
    """For organisers only, the name of what it is about, as a link to `page`."""
    page: str = ""
    """The path in the studio where it can be looked at."""
    detail: str = ""
    """For organisers only: a server's words, an error's kind and place."""
    buttons: tuple[Button, ...] = ()
    roles: frozenset[str] = EVERYBODY
    """Who can press its buttons, and is therefore written to."""
    channels: frozenset[str] = EVERYWHERE
    urgent: bool = True

    @property
    def in_words(self) -> str:
        """The sentence with its time, for readers who have no time zone of their own."""
        return f"{self.sentence} Since {self.since:%Y-%m-%d %H:%M} UTC." if self.since else self.sentence
