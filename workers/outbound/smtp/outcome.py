"""What we hand to a mail server, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Verdict = Literal["began", "accepted", "later", "refused", "turned_away", "lost", "unreachable", "gone"]
"""began: a letter to an official is about to leave. accepted: a server took it. later: it asked us to come back. refused: for
good. turned_away: it refuses us, which settles nobody. lost: the text went out and the final answer did not come back.
unreachable: we never got as far as this recipient, which says nothing about it. gone: its reader left, or must not be written
to, before the text did."""
Concern = Literal["sender", "text", "server", "encryption"]
"""Whom an answer is about where it is not the recipient. sender: us. text: what we wrote. server: the mail server itself, which
is full, broken or away. encryption: a server without TLS, to which a letter with names does not go."""

Encryption = Literal["needed", "where offered", "where it works"]
"""What a letter asks of an official's own server. needed: it holds names. where it works: all that it holds is public."""


class Copy(NamedTuple):
    """One e-mail, ready for the wire: envelope, and bytes that end in CRLF and need no dot-stuffing."""

    message_id: int
    sender: str
    recipient: str
    content: bytes
    official: bool = False
    """A letter to an official: a lost final answer would hold it until a person decides, so it is awaited for longer; and
    delivery status notifications are asked for, where the server offers to pass that on (RFC 3461)."""
    encryption: Encryption = "where offered"


class Answer(NamedTuple):
    """What came of one message."""

    message_id: int
    verdict: Verdict
    code: int | None
    text: str
    concern: Concern | None = None


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
    concern: Concern | None = None
