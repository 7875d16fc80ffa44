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
    """The address of its From, where that is exactly one mailbox."""
    author_name: str = ""
    written_by: str = ""
    """Its From as it stands there."""
    subject: str = ""
    body: str = ""
    own: str = ""
    """The lines of the body that the author wrote."""
    answers: list[str] = field(default_factory=list)
    """The author's own lines in each form of the text."""
    files: list[dict[str, Any]] = field(default_factory=list)
    """What came with it: name, kind, size."""
    unread: str = ""
    """Why not all of it was understood."""
    beside: str = ""
    """A file or a picture that came with the text."""
    message_id: str = ""
    feedback_ids: list[str] = field(default_factory=list)
    """What may be our own secrets for complaints, in the headers of a message that came back (RFC 9477)."""
    answered: list[str] = field(default_factory=list)
    """What may be our own tokens, in the headers that say what it answers."""
    failed_authentication: bool = False
    hops: list[str] = field(default_factory=list)
    """Who connected to each server on its way, the nearest first: an IP address, "unknown", or empty for what began there."""
    vouched_for: list[str] = field(default_factory=list)
    """The domains that our mail server says it is proved to come from."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
