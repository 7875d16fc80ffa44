"""What a message would lead to, told without looking at a single row: for `flask inbound judge`, and for tests from outside.

Whether its token is ours, who is on which list and what has happened before decide over it still (workers/inbound/dispatch.py).
"""

from __future__ import annotations

from collections.abc import Callable

from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.replies import leaving, our_letters
from service.inbound.parsing.replies.confirmation import why_no_yes

OF_A_FAILURE = {"hard": "suppress", "soft": "score", "unknown": "inbox:unclear"}
SUCCESSES = {"delivered", "relayed", "expanded"}
BY_ADDRESS = {"subscribe": "subscribe", "leave": "unsubscribe", "again": "again"}
"""What an address asks for by itself, whatever was written to it."""


def would(judgement: Judgement, role: str) -> str:
    """confirm, subscribe, unsubscribe, status, again, help; suppress, score; inbox:FOLDER, quarantine; nothing.

    `role` is what the shape of its address asks for, as in service/inbound/recipient_addresses.py.
    """
    if role == "unsubscribe":
        return "unsubscribe"
    if judgement.quarantined:
        return "quarantine"
    if judgement.kind in {"complaint", "bounce"}:
        return "suppress" if judgement.kind == "complaint" else OF_A_FAILURE.get(judgement.bounce_class or "unknown", "nothing")
    if role in ASKS:
        return ASKS[role](judgement, role)
    return "nothing" if judgement.action in SUCCESSES else _reply(judgement, role)


def _reply(judgement: Judgement, role: str) -> str:
    if role in {"bounce", "inbox"} and _by_a_person(judgement) and leaving.asks(judgement):
        return "unsubscribe"
    return "inbox:automatic" if judgement.machine else "inbox:replies"


def _answer(judgement: Judgement, _role: str) -> str:
    if not _by_a_person(judgement):
        return _aside(judgement)
    if our_letters.away(judgement.own):
        return "inbox:automatic"
    return "inbox:replies" if why_no_yes(judgement) else "confirm"


def _command(judgement: Judgement, role: str) -> str:
    if not _by_a_person(judgement):
        return _aside(judgement)
    asked = BY_ADDRESS.get(role) or our_letters.command(judgement.subject, judgement.own)
    if not asked and our_letters.away(judgement.own):
        return "inbox:automatic"
    return {"withdraw": "status", "": "help"}.get(asked, asked)


def _by_a_person(judgement: Judgement) -> bool:
    return (
        not judgement.machine
        and judgement.kind != "auto-reply"
        and bool(judgement.author)
        and not judgement.failed_authentication
    )


def _aside(judgement: Judgement) -> str:
    if judgement.machine or judgement.kind == "auto-reply":
        return "inbox:automatic"
    return "inbox:quarantine" if judgement.failed_authentication else "inbox:replies"


ASKS: dict[str, Callable[[Judgement, str], str]] = {
    "confirm": _answer, "subscribe": _command, "leave": _command, "request": _command,
    "again": _command,
}  # fmt: skip
