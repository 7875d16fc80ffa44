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


def would(said: Judgement, role: str) -> str:
    """confirm, subscribe, unsubscribe, status, again, help; suppress, score; inbox:FOLDER, quarantine; nothing.

    `role` is what the shape of its address asks for, as in service/inbound/recipient_addresses.py.
    """
    if role == "unsubscribe":
        return "unsubscribe"
    if said.quarantined:
        return "quarantine"
    if said.kind in {"complaint", "bounce"}:
        return "suppress" if said.kind == "complaint" else OF_A_FAILURE.get(said.bounce_class or "unknown", "nothing")
    if role in ASKS:
        return ASKS[role](said, role)
    return "nothing" if said.action in SUCCESSES else _reply(said, role)


def _reply(said: Judgement, role: str) -> str:
    if role in {"bounce", "inbox"} and _by_a_person(said) and leaving.asks(said):
        return "unsubscribe"
    return "inbox:automatic" if said.machine else "inbox:replies"


def _answer(said: Judgement, _role: str) -> str:
    if not _by_a_person(said):
        return _aside(said)
    if our_letters.away(said.own):
        return "inbox:automatic"
    return "inbox:replies" if why_no_yes(said) else "confirm"


def _command(said: Judgement, role: str) -> str:
    if not _by_a_person(said):
        return _aside(said)
    asked = BY_ADDRESS.get(role) or our_letters.command(said.subject, said.own)
    if not asked and our_letters.away(said.own):
        return "inbox:automatic"
    return {"withdraw": "status", "": "help"}.get(asked, asked)


def _by_a_person(said: Judgement) -> bool:
    return not said.machine and said.kind != "auto-reply" and bool(said.author) and not said.failed_authentication


def _aside(said: Judgement) -> str:
    if said.machine or said.kind == "auto-reply":
        return "inbox:automatic"
    return "inbox:quarantine" if said.failed_authentication else "inbox:replies"


ASKS: dict[str, Callable[[Judgement, str], str]] = {
    "confirm": _answer, "subscribe": _command, "leave": _command, "request": _command,
    "again": _command,
}  # fmt: skip
