"""Whether a machine wrote a message, and how we know: such a message confirms nothing, asks for nothing, and gets no answer."""

from __future__ import annotations

import re

from service.incoming.phrases import phrase
from service.incoming.reading import Part

DAEMON = phrase("a mail system's address", r"(?:^|[<\s\"'(]){}(?=[@+>\s\"')=-]|$)")
NAMED_DAEMON = phrase("a mail system by name", r"\b{}\b")
AUTOMATIC_SUBJECT = phrase("begins the subject of an automatic answer", r"^\W*(?:(?:re|aw|sv|antw|wg|fwd?)\s*:\s*)*\W*{}")
CHALLENGE = phrase("a challenge")
VACATION_HEADERS = (
    "x-autoreply", "x-autorespond", "x-autoresponse", "x-autoresponder", "x-auto-reply-from", "x-autoreply-from",
    "x-mail-autoreply", "x-autoreply-message-id", "x-vacation", "x-oof", "x-ms-exchange-inbox-rules-loop",
    "x-opentext-autoreply",
)  # fmt: skip
LIST_HEADERS = (
    "list-id", "list-post", "list-unsubscribe", "list-help", "list-owner", "list-subscribe", "list-archive", "mailing-list",
    "x-mailman-version", "x-mailing-list", "x-beenthere", "x-ml-name",
)  # fmt: skip
VACATION_PROGRAM = re.compile(r"vacation|auto-?re(?:ply|spon)|autoanswer", re.IGNORECASE)
BULK = {"bulk", "junk", "list"}


def comes_from_daemon(message: Part) -> bool:
    """Whether the From (or Sender) is a mail system's own."""
    senders = [message.get("from"), message.get("sender"), message.get("x-original-from")]
    return any(DAEMON.search(one) or NAMED_DAEMON.search(one.partition("<")[0]) for one in senders if one)


def null_sender(message: Part, sender: str | None) -> bool:
    """The null return path, told by the envelope or by the server that took it (RFC 5321 §4.5.5)."""
    if sender is not None:
        return not sender.strip("<> ")
    paths = [path.strip() for path in message.all("return-path")]
    return bool(paths) and (paths[0] in {"<>", "<#@[]>", ""} or "MAILER-DAEMON" in paths[0])


def vacation(message: Part) -> str:
    """Why this is somebody's automatic answer (RFC 3834 §5), or an empty text."""
    submitted = _submitted(message)
    suppressed = message.has("x-auto-response-suppress") and message.has("in-reply-to") and not submitted
    signs = {
        "Auto-Submitted: auto-replied": submitted.startswith("auto-replied") or "vacation" in submitted,
        "a header of its own": message.has(*VACATION_HEADERS),
        "Precedence: auto_reply": _precedence(message) in {"auto_reply", "autoreply", "vacation"},
        "the program that wrote it": VACATION_PROGRAM.search(message.get("x-mailer") + message.get("delivered-to")),
        "X-Auto-Response-Suppress": suppressed,
        "X-POST-MessageClass": "autoresponder" in message.get("x-post-messageclass").lower(),
        "its subject": AUTOMATIC_SUBJECT.search(message.subject),
    }
    return next((sign for sign, there in signs.items() if there), "")


def machine(message: Part, sender: str | None) -> str:
    """Why this message must not be answered, nor obeyed (RFC 3834 §2); empty where a person may have written it."""
    signs = {
        "the null return path": null_sender(message, sender),
        "Auto-Submitted": _submitted(message) not in {"", "no"},
        "a mail system wrote it": comes_from_daemon(message),
        "its Precedence": _precedence(message) in BULK,
        "it comes from a list": message.has(*LIST_HEADERS),
        "it is a report": message.content_type == "multipart/report",
    }
    return next((sign for sign, there in signs.items() if there), "") or vacation(message)


def _submitted(message: Part) -> str:
    return message.get("auto-submitted").partition(";")[0].strip().lower()


def _precedence(message: Part) -> str:
    return message.get("precedence").strip().lower().replace("-", "_")
