"""Bounces that follow no standard: qmail, Exim, old Sendmail and Exchange, Notes, GroupWise, and home-made ones.

What tells them from mail that merely talks of bounces: a mail system wrote them, or they came from the null return path; and
the text itself, not a quotation, says that a message could not be delivered.
"""

from __future__ import annotations

import re
from functools import lru_cache

from service.inbound.parsing.failures.dsn_and_arf import ADDRESS, ORIGINAL_TYPES
from service.inbound.parsing.mime.mime_parser import Part, embedded
from service.inbound.parsing.replies import auto_replies, our_letters
from service.inbound.parsing.replies.phrases import phrase

FAILED_SUBJECT = phrase("subject of a bounce")
FAILED_TEXT = phrase("a failure")
COPY_BEGINS = re.compile(rf"^[ >\t]*{phrase('where the returned message begins').pattern}$", re.IGNORECASE | re.MULTILINE)
"""Where the returned message begins; what stands behind it is our own text, and says nothing of the failure."""
NAMES_IT = re.compile(r"with the following header fields:\s*\Z")
"""Sun's and PMDF's servers first name the message by a few of its headers, and tell the reason behind them."""
TRANSCRIPT = re.compile(r"<<<|>>>|\b(?:55[0-4]|571|45[0-2]|421)[ -](?:- )?(?:\d\.\d\.\d|[A-Za-z<\"'(:])")
QUOTED = re.compile(
    r"^[ \t]{0,4}(?!>>> (?:MAIL|RCPT|DATA)\b)[>|].*$"
    r"|^[ \t]*(?:subject|betreff|objet|asunto|assunto|oggetto|onderwerp|temat|тема|件名|主题)[ \t]*:.*$",
    re.IGNORECASE | re.MULTILINE,
)
"""Quotations, but for the commands of a transcript; and our own subject, which may speak of spam and quotas."""
DELAYED_TEXT = phrase("a delay")
GAVE_UP = phrase("given up")
DELAYED_SUBJECT = re.compile(r"delay|warning|still|verzög|retard|遅延", re.IGNORECASE)
LONGEST = 20_000
LONGEST_PROSE = 6_000


@lru_cache(maxsize=2)
def words(message: Part) -> str:
    """What the bounce itself says: its text parts before the returned message, without quotations."""
    paragraphs: list[str] = []
    for part in message.walk():
        if part.content_type in ORIGINAL_TYPES and paragraphs:
            break
        if part.content_type in {"text/plain", "text/html", "message/delivery-status", "text"} and not part.parts:
            paragraphs.append(part.text[:LONGEST])
        elif part.content_type.startswith("multipart/") and not part.parts:
            paragraphs.append(part.content[:LONGEST].decode("utf-8", "replace"))
    text = "\n".join(paragraphs[:4])
    copies = (match.start() for match in COPY_BEGINS.finditer(text) if match.start() > 40)
    copy = next((start for start in copies if not NAMES_IT.search(text[max(0, start - 100) : start])), None)
    return QUOTED.sub("", text[:copy])[:LONGEST]


def prose(message: Part) -> str:
    """What it says to people: its words without the fields of its report."""
    return REPORT_FIELD.sub("", words(message))[:LONGEST_PROSE]


REPORT_FIELD = re.compile(
    r"^(?:reporting-mta|received-from-mta|dsn-gateway|arrival-date|original-envelope-id|final-recipient|original-recipient|action|status"
    r"|remote-mta|last-attempt-date|will-retry-until|final-log-id|x-[\w-]{1,40})[ \t]*:.*$",
    re.IGNORECASE | re.MULTILINE,
)


def seems(message: Part, sender: str | None) -> bool:
    """Whether this is a bounce without a report of the standard kind."""
    if message.has("x-failed-recipients"):
        return True
    text = words(message)
    if auto_replies.has_automatic_subject(message):
        return False
    subject, says_so = bool(FAILED_SUBJECT.search(message.subject)), bool(FAILED_TEXT.search(text))
    null = auto_replies.null_sender(message, sender)
    by_daemon = auto_replies.is_daemon(message) or message.get("from").strip() == "<>"
    proven = null or _returns_something(message)  # by more than what its sender is called
    by_daemon = by_daemon or (proven and auto_replies.comes_from_daemon(message))
    if auto_replies.vacation(message) and not (by_daemon or subject):
        return False
    if by_daemon or null:
        empty_report = message.parameters.get("report-type", "").lower() == "delivery-status"
        strong = subject or empty_report or bool(TRANSCRIPT.search(text)) or _surely(text)
        return (strong and says_so) or (by_daemon and (subject or (says_so and _returns_something(message))))
    return _report_of_a_gateway(message, text)


def _report_of_a_gateway(message: Part, text: str) -> bool:
    """Some gateways sign with a person's address: then subject, text and a returned message, all three, must say so."""
    answered = message.has("in-reply-to") and not message.has("auto-submitted")
    if answered or our_letters.REPLY_MARK.match(message.subject):
        return False
    return bool(FAILED_SUBJECT.search(message.subject)) and _surely(text) and _returns_something(message)


def _surely(text: str) -> bool:
    return bool(STRONG_TEXT.search(" ".join(text[:3_000].split())[:1_500]))


STRONG_TEXT = phrase("surely a failure")


def _returns_something(message: Part) -> bool:
    if any(part.content_type in ORIGINAL_TYPES for part in message.walk()):
        return True
    return any(COPY_BEGINS.search(part.text[:LONGEST]) for part in message.walk() if part.content_type.startswith("text/"))


def delayed(text: str, subject: str) -> bool:
    """Whether a server only says that it goes on trying."""
    if DELAYED_SUBJECT.search(subject) and "fail" not in subject.lower():
        return bool(DELAYED_TEXT.search(text))
    return bool(DELAYED_TEXT.search(text)) and not GAVE_UP.search(text)


def recipient(message: Part, text: str) -> str:
    """The address that failed, as the bounce names it: for people to read, never to decide by."""
    named = message.get("x-failed-recipients")
    if match := ADDRESS.search(named or text):
        return match[0].rstrip(".")
    original = next((part for part in message.walk() if part.content_type in ORIGINAL_TYPES), None)
    inner = embedded(original) if original else None
    match = ADDRESS.search(inner.get("to")) if inner else None
    return match[0] if match else ""


PERHAPS = phrase("perhaps no such user")
