"""What we hand to a mail server, what it says, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from service.text.characters import clean

Verdict = Literal["began", "accepted", "later", "refused", "lost", "unreachable", "gone"]
"""began: a letter to an official is about to leave. accepted: a server took it. later: it asked us to come back. refused: for
good. lost: the text went out and the final answer did not come back. unreachable: we never got as far as this recipient, which
says nothing about it. gone: its reader left, or must not be written to, before the text did."""


class Copy(NamedTuple):
    """One e-mail, ready for the wire: envelope, and bytes that end in CRLF and need no dot-stuffing."""

    message_id: int
    sender: str
    recipient: str
    content: bytes
    official: bool = False
    """A letter to an official: a lost final answer would hold it until a person decides, so it is awaited for longer; and
    delivery status notifications are asked for, where the server offers to pass that on (RFC 3461)."""


class Answer(NamedTuple):
    """What came of one message."""

    message_id: int
    verdict: Verdict
    code: int | None
    text: str


@dataclass
class Outcome:
    """One attempt: its verdict, the deciding reply, and the whole conversation."""

    verdict: Verdict
    code: int | None = None
    text: str = ""
    host: str = ""
    replies: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    """What is known of the connection and the text: address, TLS, capabilities, the text's SHA-256; for the evidence."""


def judge(code: int) -> Verdict:
    """RFC 5321 §4.2.1: 2yz done, 4yz come back, 5yz never the same again; anything else is a server gone wrong."""
    return "accepted" if 200 <= code < 300 else "refused" if 500 <= code < 600 else "later"


def spoken(reply: bytes) -> str:
    """A server's words without control characters: PostgreSQL stores no NUL, and no feed may hold an ESC."""
    return clean(reply.decode("utf-8", "replace"))


def answering(command: str, code: int, text: str) -> str:
    """The words of a refusal that was not of the recipient, with what they answer, as Postfix says it; others as they are."""
    return text if code < 400 or command == "RCPT TO" else f"{text} (in reply to {command} command)"
