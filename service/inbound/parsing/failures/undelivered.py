"""A message that came back: what its report, or its text where it has none, means for the one reader to whom it went."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from service.inbound.parsing.failures import dsn_and_arf, nonstandard_bounces, reasons, refused_command
from service.inbound.parsing.failures.dsn_and_arf import Recipient
from service.inbound.parsing.failures.reasons import Verdict
from service.inbound.parsing.failures.smtp_replies import Reply, replies, without_summaries
from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.mime.mime_parser import Part

WORST = ("hard", "blocked", "soft", "unknown", "delayed")
SUCCESSES = {"delivered", "relayed", "expanded"}
VAGUE = {"nobody could say why", "server trouble", "policy", "mailbox trouble", "content"}
LIVING = {"mailbox full", "message too large", "greylisted", "account suspended", "account disabled"}
"""Reasons of a mailbox that is there."""
LEFT_OPEN = Verdict("unknown", "it may be that there is no such user, or that we may not write to it")


def by_report(message: Part) -> Judgement | None:
    """A delivery status (RFC 3464): the worst that it says of any reader, the best that it says of one reader's copies."""
    recipients = dsn_and_arf.recipients(message)
    copies = [(copy, _of_copy(copy, message, alone=len(recipients) == 1)) for copy in recipients]
    if not copies:
        return None
    return min((_best(copy, copies) for copy, _ in copies), key=_rank)


def _rank(judgement: Judgement) -> int:
    return WORST.index(judgement.bounce_class) if judgement.bounce_class else len(WORST)


def _best(copy: Recipient, copies: Sequence[tuple[Recipient, Judgement]]) -> Judgement:
    """A reader may have mail sent on to several places: one that is gone says nothing of one that took it, or may yet."""
    theirs = [
        judgement for other, judgement in copies
        if other.reader == copy.reader or (judgement.bounce_class is None and not (other.original and copy.original))
    ]  # fmt: skip
    return max(theirs, key=_rank)


def _of_copy(recipient: Recipient, message: Part, *, alone: bool) -> Judgement:
    action = recipient.action or ("delayed" if recipient.status[:1] == "4" else "failed")
    given: dict[str, Any] = {"recipient": recipient.address or None, "action": action, "text": recipient.diagnostic}
    if action in SUCCESSES or recipient.status[:1] == "2":
        return Judgement("other", status=recipient.status or None, reason=f"delivery status: {action}", **given)
    if action == "delayed":
        return Judgement("bounce", "delayed", recipient.status or None, reason="the server goes on trying", **given)
    written = nonstandard_bounces.words(message)
    verdict = reasons.judge(recipient.status, recipient.diagnostic, refused_command.refused(written), recipient.address)
    status = reasons.specific(recipient.status, recipient.diagnostic)
    if verdict.reason in VAGUE or not recipient.diagnostic:
        about = nonstandard_bounces.prose(message) if alone else _about(recipient.address, nonstandard_bounces.prose(message))
        given["text"] = recipient.diagnostic or line(about)
        numbered = verdict.kind == "hard"  # prose for people does not outweigh a number, as a server's own words do
        more = by_replies(about, recipient.address) if numbered else by_text(about, status, recipient.address)
        verdict = _clearer(verdict, more, status, bool(recipient.diagnostic))
    return Judgement("bounce", verdict.kind, status or None, reason=verdict.reason, **given)


def by_disposition(message: Part) -> Judgement | None:
    """Old servers of Dovecot say with a disposition notification (RFC 8098) that a mailbox had no room for a message."""
    group = next(iter(dsn_and_arf.dispositions(message)), {})
    if not DELETED.search(group.get("disposition", "")):
        return None
    text = nonstandard_bounces.words(message)
    verdict = reasons.judge("", text)
    if verdict.kind != "soft" or verdict.reason not in NO_ROOM:
        return None
    given: dict[str, Any] = {"recipient": nonstandard_bounces.recipient(message, text) or None, "text": line(text)}
    return Judgement("bounce", "soft", action="failed", reason=verdict.reason, **given)


DELETED = re.compile(r"automatic-action\b.{0,80};\s*(?:deleted|denied|failed)", re.IGNORECASE)
NO_ROOM = {"mailbox full", "message too large"}


def _clearer(verdict: Verdict, more: Verdict | None, status: str, answered: bool) -> Verdict:
    """The verdict of the report's text, where that says more than its fields, but for a death where a server gave a reason."""
    if more is None or more.kind == "unknown":
        return verdict
    dead = more.kind == "hard" and (status[:1] == "4" or (answered and verdict.kind == "blocked"))
    return verdict if dead else more


def _about(address: str, written: str) -> str:
    """Of a text for several recipients, the replies that name this one; all of it where none does."""
    named = [reply.text for reply in replies(written) if address and address.lower() in {reply.about, *_named(reply.text)}]
    return "\n".join(named) or written


def by_words(message: Part, sender: str | None) -> Judgement | None:
    """A bounce of a form of its own: by the SMTP replies in its text, and its phrases."""
    if not nonstandard_bounces.seems(message, sender):
        return None
    text = nonstandard_bounces.words(message)
    address = nonstandard_bounces.recipient(message, text)
    given: dict[str, Any] = {"recipient": address or None, "text": line(text)}
    status = reasons.specific("", text)
    if nonstandard_bounces.delayed(text, message.subject):
        return Judgement("bounce", "delayed", status or None, action="delayed", reason="the server goes on trying", **given)
    verdict = by_text(text, status, address)
    return Judgement("bounce", verdict.kind, status or None, action="failed", reason=verdict.reason, **given)


@lru_cache(maxsize=4)
def by_text(text: str, status: str, address: str) -> Verdict:
    """The servers' own replies first, the worst of them; then all the words."""
    if (worst := by_replies(text, address)) is not None:
        return worst
    verdict = reasons.judge(status, without_summaries(text), refused_command.refused(text), address)
    return (
        LEFT_OPEN if verdict.kind in {"hard", "soft"} and not status and nonstandard_bounces.PERHAPS.search(text) else verdict
    )


def by_replies(text: str, address: str) -> Verdict | None:
    """The worst of the servers' replies in a text; none where one says that the same reader's mailbox is there."""
    command = refused_command.refused(text)
    judged = [(reply, reasons.judge(reasons.specific("", reply.text), reply.text, command, address)) for reply in replies(text)]
    clear = [(reply, verdict) for reply, verdict in judged if verdict.kind != "unknown" and verdict.reason not in VAGUE]
    if not clear:
        return None
    reply, worst = min(clear, key=lambda row: WORST.index(row[1].kind))
    lives = worst.kind == "hard" and any(verdict.reason in LIVING and _same(reply, other) for other, verdict in clear)
    return LEFT_OPEN if lives else worst


def _same(reply: Reply, other: Reply) -> bool:
    """Whether two replies may be about one reader: where both tell whom they are about, they agree."""
    first, second = (_named(said_by.text) or {said_by.about} - {""} for said_by in (reply, other))
    return not first or not second or bool(first & second)


def _named(text: str) -> set[str]:
    return {address.lower() for address in dsn_and_arf.ADDRESS.findall(text)}


def line(text: str) -> str:
    """The line that says the most: one with a server's reply, else the beginning."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    answers = [line for line in lines if nonstandard_bounces.TRANSCRIPT.search(line)]
    return (answers or [" ".join(lines)[:400]])[0][:400] if lines else ""
