"""What is wrong now: one list, which the dashboard, /readyz, ALERT_URL and the e-mail to organisers share.

A new kind of problem is a function that yields its rows, named in SOURCES. Strangers read the sentences, too, because /readyz
is public: they hold numbers and public names, never an address, a person's name, or a program's own words. Those go into
`detail`, which only organisers see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.db import reading
from service.models import Mailing
from service.roles import EVERYBODY

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


def present(session: Session, now: datetime, channel: str = "") -> list[Problem]:
    """All that is wrong now, or what one channel tells of it. The parts of the service (`health.parts`) are not among them."""
    rows = [problem for source in SOURCES for problem in source(session, now)]
    return [problem for problem in rows if not channel or channel in problem.channels]


def in_words(channel: str, now: datetime) -> dict[str, str]:
    """What one channel tells, by key; a database that cannot be read is told of by `health.parts`."""
    try:
        with reading() as session:
            return {problem.key: problem.in_words for problem in present(session, now, channel)}
    except SQLAlchemyError:
        return {"database": "cannot be read"}


def without_addresses(words: str) -> str:
    """A server's words without the addresses in them."""
    return " ".join("…@…" if "@" in word else word for word in words.split())


def _paused_mailings(session: Session, _now: datetime) -> Iterable[Problem]:
    """Who paused it was told by an e-mail of its own, or did it."""
    for mailing in session.scalars(select(Mailing).where(Mailing.state == "paused").order_by(Mailing.id)):
        yield Problem(
            f"mailing {mailing.id}", "Paused", f"Paused because {without_addresses(mailing.paused_because)}.",
            title=mailing.subject, page=f"/organise/updates/{mailing.id}", channels=frozenset({ALERT}),
        )  # fmt: skip


SOURCES: tuple[Callable[[Session, datetime], Iterable[Problem]], ...] = (_paused_mailings,)
