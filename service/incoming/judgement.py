"""What is known of a message that came in."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["bounce", "complaint", "auto-reply", "command", "reply", "other"]


@dataclass(frozen=True)
class Judgement:
    """What is known of a message; the fields of its last lines are those of a person's letter."""

    kind: Kind
    bounce_class: str | None = None
    status: str | None = None
    """x.y.z (RFC 3463)"""
    recipient: str | None = None
    action: str | None = None
    """failed, delayed, delivered, relayed, expanded (RFC 3464 §2.3.3)"""
    reason: str = ""
    text: str = ""
    """The words of the server that said no."""
    machine: str = ""
    """Why it must be neither answered nor obeyed; empty where a person may have written it."""
    quarantined: bool = False
    tokens: list[str] = field(default_factory=list)
    """What may be our own tokens, in the headers of a message that came back."""
    author: str = ""
    """The From, where it is exactly one plain address."""
    subject: str = ""
    body: str = ""
    message_id: str = ""
    failed_authentication: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
