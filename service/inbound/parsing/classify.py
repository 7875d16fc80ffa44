"""What a message is: one verdict from its bytes and its envelope, in the order of certainty."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import Any

from service.inbound.parsing import origin
from service.inbound.parsing.failures import dsn_and_arf, nonstandard_bounces, undelivered
from service.inbound.parsing.judgement import Judgement, Kind
from service.inbound.parsing.mime.mime_parser import Hostile, Part, embedded, glimpse, read
from service.inbound.parsing.replies import auto_replies, our_letters
from service.inbound.parsing.replies.contents import contents, is_file

COMPLAINTS = {"abuse", "fraud", "opt-out", "opt-out-list", "virus", "other", "miscategorized", ""}
"""Feedback types that mean: not this again. `not-spam` and `auth-failure` mean something else (RFC 5965 §7.3, RFC 6591)."""


def judge(raw: bytes, sender: str | None = None, authserv_id: str = "") -> Judgement:
    """Never raises for what a message holds; `sender` is the envelope's, None where nobody knows it."""
    try:
        message = read(raw)
    except Hostile as hostile:
        return _unread(raw, str(hostile))
    judgement = replace(of(message, sender), **_letter(message), **_text(message))
    tokens = _tokens(message) or (our_letters.tokens_below(message) if judgement.kind == "bounce" else [])
    return replace(
        judgement, tokens=tokens, answered=our_letters.answered_tokens(message),
        failed_authentication=our_letters.failed_authentication(message, authserv_id),
        hops=origin.hops(message), vouched_for=origin.vouched_for(message, authserv_id, sender),
        feedback_ids=_feedback_ids(message),
    )  # fmt: skip


def _unread(raw: bytes, reason: str) -> Judgement:
    """What cannot be read is shown with whose it seems to be, and about what."""
    return Judgement("other", reason=reason, machine="it is quarantined", quarantined=True, **_letter(glimpse(raw)))


def _letter(message: Part) -> dict[str, Any]:
    author = our_letters.author(message)
    return {
        "author": author.address if author else "", "author_name": author.name if author else "",
        "written_by": our_letters.written_by(message), "subject": message.subject,
        "message_id": our_letters.message_id(message),
    }  # fmt: skip


def _text(message: Part) -> dict[str, Any]:
    return asdict(contents(message))


def _tokens(message: Part) -> list[str]:
    """Of the message that a report returns; and of the report's own fields (RFC 5965 §3.2: Original-Mail-From)."""
    inner = _returned(message)
    named = our_letters.TOKEN.findall((dsn_and_arf.feedback(message) or {}).get("original-mail-from", ""))
    return [token.lower() for token in named] + (our_letters.tokens(inner) if inner else [])


def _feedback_ids(message: Part) -> list[str]:
    inner = _returned(message)
    return our_letters.feedback_ids(inner) if inner else []


def of(message: Part, sender: str | None) -> Judgement:
    machine = auto_replies.machine(message, sender)
    judgement = _complaint(message) or _challenge(message, sender) or undelivered.by_report(message)
    judgement = judgement or undelivered.by_disposition(message) or _receipt(message)
    judgement = judgement or undelivered.by_words(message, sender) or _answer(message)
    if judgement is not None:
        return replace(judgement, machine=machine or judgement.kind)
    if (hostile := suspicious(message)) is not None:
        return Judgement("other", reason=hostile, machine="it is quarantined", quarantined=True)
    if machine and machine != auto_replies.NOBODY_READS:
        kind: Kind = "auto-reply" if machine in {"Auto-Submitted", "the null return path"} else "other"
        return Judgement(kind, reason=machine, machine=machine)
    return Judgement("reply" if auto_replies.is_answer(message) else "other", reason=machine, machine=machine)


def _complaint(message: Part) -> Judgement | None:
    feedback = dsn_and_arf.feedback(message)
    if feedback is None:
        return _complaint_of_hotmail(message)
    kind = re.sub(r"[^a-z-]", "", feedback.get("feedback-type", "").lower())[:40]
    address = dsn_and_arf.ADDRESS.search(feedback.get("original-rcpt-to", "") or feedback.get("removal-recipient", ""))
    given: dict[str, Any] = {"recipient": address[0] if address else None, "reason": kind or "abuse"}
    return Judgement("complaint" if kind in COMPLAINTS else "other", **given)


def _complaint_of_hotmail(message: Part) -> Judgement | None:
    """Microsoft's junk mail reports return the message alone, attached or as it was, with the reader in a header of theirs."""
    inner = _returned(message)
    reader = inner.get(HOTMAIL) if inner else ""
    return Judgement("complaint", recipient=reader, reason="abuse") if reader else None


HOTMAIL = "x-hmxmroriginalrecipient"


def _returned(message: Part) -> Part | None:
    """The message that a report returns; or the report itself, where that is our own message with a header more."""
    if message.has(HOTMAIL):
        return message
    returned = dsn_and_arf.original(message)
    return embedded(returned) if returned else None


def _receipt(message: Part) -> Judgement | None:
    if dsn_and_arf.is_disposition(message):
        return Judgement("auto-reply", reason="a receipt (RFC 8098)")
    return None


def _answer(message: Part) -> Judgement | None:
    """An automatic answer of a reader's program."""
    why = auto_replies.vacation(message)
    return Judgement("auto-reply", reason=why) if why else None


def _challenge(message: Part, sender: str | None) -> Judgement | None:
    """Some are dressed as a delivery status."""
    is_one = auto_replies.is_challenge(message, nonstandard_bounces.words(message)[:3_000], sender)
    return Judgement("auto-reply", reason="a challenge") if is_one else None


def suspicious(message: Part) -> str | None:
    """What nobody writes by accident, in a message that asks something of us."""
    if len(message.all("from")) > 1:
        return "it has two From headers"
    if sum(value.count("@") for name in ("to", "cc") for value in message.all(name)) > 1_000:
        return "it names more than 1,000 recipients"
    if any(not part.known_charset and not is_file(part) for part in message.walk()):
        return "its charset is not known"
    return None


__all__ = ["Judgement", "judge"]
