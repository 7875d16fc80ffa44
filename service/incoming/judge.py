"""What a message is: one verdict from its bytes and its envelope, in the order of certainty."""

from __future__ import annotations

import logging
import re
from dataclasses import asdict, dataclass, field, replace
from email import message_from_bytes
from functools import lru_cache
from typing import Any, Literal

from flufl.bounce import all_failures

from service.incoming import automatic, commands, failures, letters, reasons, reports
from service.incoming.reading import Hostile, Part, embedded, glimpse, read
from service.incoming.reasons import Verdict
from service.incoming.reports import Recipient

logging.getLogger("flufl.bounce").setLevel(logging.ERROR)

Kind = Literal["bounce", "complaint", "auto-reply", "command", "reply", "other"]
COMPLAINTS = {"abuse", "fraud", "opt-out", "opt-out-list", "virus", "other", "miscategorized", ""}
"""Feedback types that mean: not this again. `not-spam` and `auth-failure` mean something else (RFC 5965 §7.3, RFC 6591)."""
WORST = ("hard", "blocked", "soft", "unknown", "delayed")


LONGEST_FOR_FLUFL = 16_384


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


def judge(raw: bytes, sender: str | None = None, authserv_id: str = "") -> Judgement:
    """Never raises for what a message holds; `sender` is the envelope's, None where nobody knows it."""
    try:
        message = read(raw)
    except Hostile as hostile:
        return _unread(raw, str(hostile))
    found = of(message, sender, raw)
    return replace(
        found, tokens=_tokens(message), author=letters.author(message), subject=message.subject, body=letters.text(message),
        message_id=letters.message_id(message), failed_authentication=letters.failed_authentication(message, authserv_id),
    )  # fmt: skip


def _unread(raw: bytes, reason: str) -> Judgement:
    """What cannot be read is shown with whose it seems to be, and about what."""
    seen = glimpse(raw)
    said = Judgement("other", reason=reason, machine="it is quarantined", quarantined=True)
    return replace(said, author=letters.author(seen), subject=seen.subject)


def _tokens(message: Part) -> list[str]:
    """Of the message that a report returns; and of the report's own fields (RFC 5965 §3.2: Original-Mail-From)."""
    returned = reports.original(message)
    inner = embedded(returned) if returned else None
    named = letters.TOKEN.findall((reports.feedback(message) or {}).get("original-mail-from", ""))
    return [one.lower() for one in named] + (letters.tokens(inner) if inner else [])


def of(message: Part, sender: str | None, raw: bytes) -> Judgement:
    machine = automatic.machine(message, sender)
    found = _complaint(message) or _challenge(message) or _report(message, raw) or _receipt(message)
    found = found or _failure(message, sender, raw) or _answer(message)
    if found is not None:
        return replace(found, machine=machine or found.kind)
    if (hostile := suspicious(message)) is not None:
        return Judgement("other", reason=hostile, machine="it is quarantined", quarantined=True)
    if machine and machine != automatic.NOBODY_READS:
        kind: Kind = "auto-reply" if machine in {"Auto-Submitted", "the null return path"} else "other"
        return Judgement(kind, reason=machine, machine=machine)
    is_answer = message.has("in-reply-to", "references") or message.subject[:3].lower() in {"re:", "aw:", "sv:"}
    return Judgement("reply" if is_answer else "other", reason=machine, machine=machine)


def _complaint(message: Part) -> Judgement | None:
    said = reports.feedback(message)
    if said is None:
        return _complaint_of_hotmail(message)
    kind = re.sub(r"[^a-z-]", "", said.get("feedback-type", "").lower())[:40]
    address = reports.ADDRESS.search(said.get("original-rcpt-to", "") or said.get("removal-recipient", ""))
    given: dict[str, Any] = {"recipient": address[0] if address else None, "reason": kind or "abuse"}
    return Judgement("complaint" if kind in COMPLAINTS else "other", **given)


def _complaint_of_hotmail(message: Part) -> Judgement | None:
    """Microsoft's junk mail reports return the message alone, with the reader's address in a header of theirs."""
    returned = reports.original(message)
    inner = embedded(returned) if returned else None
    reader = inner.get("x-hmxmroriginalrecipient") if inner else ""
    return Judgement("complaint", recipient=reader, reason="abuse") if reader else None


def _report(message: Part, raw: bytes) -> Judgement | None:
    """A delivery status (RFC 3464): the worst that it says of any recipient."""
    said = reports.recipients(message)
    if not said:
        return None
    judged = [_of_recipient(one, message, raw) for one in said]
    return min(judged, key=lambda one: WORST.index(one.bounce_class) if one.bounce_class else len(WORST))


def _of_recipient(said: Recipient, message: Part, raw: bytes) -> Judgement:
    action = said.action or ("delayed" if said.status[:1] == "4" else "failed")
    given: dict[str, Any] = {"recipient": said.address or None, "action": action, "text": said.diagnostic}
    if action in {"delivered", "relayed", "expanded"} or said.status[:1] == "2":
        return Judgement("other", status=said.status or None, reason=f"delivery status: {action}", **given)
    if action == "delayed":
        return Judgement("bounce", "delayed", said.status or None, reason="the server goes on trying", **given)
    written = failures.words(message)
    verdict = reasons.judge(said.status, said.diagnostic, commands.refused(written))
    status = reasons.specific(said.status, said.diagnostic)
    if verdict.reason in VAGUE or not said.diagnostic:
        given["text"] = said.diagnostic or _line(written)
        more = _by_text(written, status)
        if more.kind != "unknown" and not (more.kind == "hard" and status[:1] == "4"):
            verdict = more
    if verdict.kind == "unknown" and not reports.REPLY.search(said.diagnostic):
        verdict = _last_resort(raw, written) or verdict
    return Judgement("bounce", verdict.kind, status or None, reason=verdict.reason, **given)


VAGUE = {"nobody could say why", "server trouble", "policy", "mailbox trouble", "content"}


def _receipt(message: Part) -> Judgement | None:
    if reports.is_disposition(message):
        return Judgement("auto-reply", reason="a receipt (RFC 8098)")
    return None


def _answer(message: Part) -> Judgement | None:
    """An automatic answer of a reader's program."""
    why = automatic.vacation(message)
    return Judgement("auto-reply", reason=why) if why else None


def _challenge(message: Part) -> Judgement | None:
    """A program that asks us to prove that we are people; some dress it as a delivery status."""
    if automatic.CHALLENGE.search(message.subject) or automatic.CHALLENGE.search(failures.words(message)[:3_000]):
        return Judgement("auto-reply", reason="a challenge")
    return None


def _failure(message: Part, sender: str | None, raw: bytes) -> Judgement | None:
    """A bounce of a form of its own: by the SMTP replies in its text, its phrases, and flufl.bounce at last."""
    if not failures.seems(message, sender):
        return None
    text = failures.words(message)
    given: dict[str, Any] = {"recipient": failures.recipient(message, text) or None, "text": _line(text)}
    status = reasons.specific("", text)
    if failures.delayed(text, message.subject):
        return Judgement("bounce", "delayed", status or None, action="delayed", reason="the server goes on trying", **given)
    verdict = _by_text(text, status)
    if verdict.kind == "unknown":
        verdict = _last_resort(raw, text) or verdict
    return Judgement("bounce", verdict.kind, status or None, action="failed", reason=verdict.reason, **given)


@lru_cache(maxsize=4)
def _by_text(text: str, status: str) -> Verdict:
    """The servers' own replies first, the worst of them; then all the words."""
    command = commands.refused(text)
    said = [reasons.judge(reasons.specific("", reply), reply, command) for reply in failures.replies(text)]
    clear = [one for one in said if one.kind != "unknown" and one.reason not in VAGUE]
    if clear:
        return min(clear, key=lambda one: WORST.index(one.kind))
    verdict = reasons.judge(status, text, command)
    return LEFT_OPEN if verdict.kind == "hard" and not status and failures.PERHAPS.search(text) else verdict


LEFT_OPEN = Verdict("unknown", "it may be that there is no such user, or that we may not write to it")


def _last_resort(raw: bytes, text: str) -> Verdict | None:
    """flufl.bounce knows many odd forms, and calls nearly all of them permanent: it is asked where no word says anything."""
    temporary, permanent = _flufl(raw[:LONGEST_FOR_FLUFL])
    if temporary:
        return Verdict("soft", "come back later")
    return Verdict("hard", "given up without a reason") if permanent and not failures.HEDGED.search(text) else None


@lru_cache(maxsize=2)
def _flufl(raw: bytes) -> tuple[bool, bool]:
    temporary, permanent = all_failures(message_from_bytes(raw))
    return bool(temporary), bool(permanent)


def _line(text: str) -> str:
    """The line that says the most: one with a server's reply, else the beginning."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    replies = [line for line in lines if failures.TRANSCRIPT.search(line)]
    return (replies or [" ".join(lines)[:400]])[0][:400] if lines else ""


def suspicious(message: Part) -> str | None:
    """What nobody writes by accident, in a message that asks something of us."""
    if len(message.all("from")) > 1:
        return "it has two From headers"
    if sum(value.count("@") for name in ("to", "cc") for value in message.all(name)) > 1_000:
        return "it names more than 1,000 recipients"
    if any(not part.known_charset and not letters.is_file(part) for part in message.walk()):
        return "its charset is not known"
    return None
