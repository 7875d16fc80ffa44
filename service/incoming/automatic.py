"""Whether a machine wrote a message, and how we know: such a message confirms nothing, asks for nothing, and gets no answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from service.incoming import letters, mailboxes
from service.incoming.contents import contents
from service.incoming.phrases import phrase
from service.incoming.reading import Part

DAEMON = phrase("a mail system's address", r"{}(?:[+=-].*)?")
NAMED_DAEMON = phrase("a mail system by name", r"\b{}\b")
BEFORE_A_SUBJECT = phrase("an automatic answer, before what it answers", r"(?:\[[^\]]{0,20}\]\s*)?{}\s*(?:[:：,\-–(]|re\b|$)")
OF_ITS_OWN = phrase("begins the subject of an automatic answer", r"{}")
NO_REPLY = phrase("nobody reads this address", r"(?:^|_){}(?:_|\d|$)")
ITS_SUBJECT = "its subject"
NOBODY_READS = "nobody reads its address"
AGGREGATE = re.compile(r"(?:\[[\w -]{0,20}\]\s*)?report domain:\s*\S{1,255}\s+submitter:\s*\S", re.IGNORECASE)
"""The subject of DMARC's and TLS' nightly reports (RFC 7489 §7.2.1.1, RFC 8460 §5.3)."""
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


def is_daemon(message: Part) -> bool:
    """Whether the address of its From (or Sender) is a mail system's own. A name proves nothing: people are called Bounce."""
    return any(DAEMON.fullmatch(local) for local in _locals(message))


def _locals(message: Part) -> Iterator[str]:
    for name in ("from", "sender", "x-original-from"):
        value = message.get(name)[:2_000]
        found = mailboxes.addresses(value) if "@" in value else [value.partition("(")[0].strip('<>" ')]
        yield from (address.partition("@")[0] for address in found)


def comes_from_daemon(message: Part) -> bool:
    """Whether a mail system wrote it, by its address, or by its name where it answers nobody: for what looks like a bounce."""
    if is_daemon(message):
        return True
    answers = message.has("in-reply-to", "references") or letters.REPLY_MARK.match(message.subject)
    named = [message.get(name).partition("<")[0] for name in ("from", "sender", "x-original-from")]
    return not answers and any(NAMED_DAEMON.search(name) for name in named)


def nobody_reads(message: Part) -> bool:
    """Whether its author's address says itself that an answer is read by nobody: no-reply@, ne-pas-repondre@."""
    mailbox = mailboxes.only(message.get("from"))
    return mailbox is not None and bool(NO_REPLY.search(re.sub(r"[.\-+]", "_", mailbox.address.partition("@")[0])))


def has_automatic_subject(message: Part) -> bool:
    """Out of office: …, in any language. Behind "Re:" stands the subject that somebody answers, and says nothing of them."""
    subject = message.subject
    bare = letters.REPLY_MARK.sub("", subject).lstrip(NO_WORDS)
    if BEFORE_A_SUBJECT.match(bare):
        return True
    return not letters.REPLY_MARK.match(subject) and bool(OF_ITS_OWN.match(bare)) and says_away(message)


def says_away(message: Part) -> bool:
    """Whether its own words are those of somebody away, or of a program that thanks for a message."""
    own = " ".join(contents(message).own.splitlines()[: letters.MOST_LINES])
    return bool(letters.AWAY.search(own) or letters.ACKNOWLEDGES.search(own))


NO_WORDS = " \t-*_.,;:!#[](){}<>\"'|~=+/\\"


def null_sender(message: Part, sender: str | None) -> bool:
    """The null return path, told by the envelope or by the server that took it (RFC 5321 §4.5.5)."""
    if sender is not None:
        return not sender.strip("<> ")
    paths = [path.strip() for path in message.all("return-path")]
    return bool(paths) and (paths[0] in {"<>", "<#@[]>", ""} or "MAILER-DAEMON" in paths[0])


def vacation(message: Part) -> str:
    """Why this is somebody's automatic answer (RFC 3834 §5), or an empty text."""
    submitted = _submitted(message)
    suppressed = message.has(
        "x-auto-response-suppress"
    )  # asks others not to answer by themselves; people's programs write it, too
    signs = {
        "Auto-Submitted: auto-replied": submitted.startswith("auto-replied") or "vacation" in submitted,
        "a header of its own": message.has(*VACATION_HEADERS),
        "Precedence: auto_reply": _precedence(message) in {"auto_reply", "autoreply", "vacation"},
        "the program that wrote it": VACATION_PROGRAM.search(message.get("x-mailer") + message.get("delivered-to")),
        "X-Auto-Response-Suppress": suppressed and says_away(message),
        "X-POST-MessageClass": "autoresponder" in message.get("x-post-messageclass").lower(),
        ITS_SUBJECT: has_automatic_subject(message),
    }
    return next((sign for sign, there in signs.items() if there), "")


def machine(message: Part, sender: str | None) -> str:
    """Why this message must not be answered, nor obeyed (RFC 3834 §2); empty where a person may have written it."""
    signs = {
        "the null return path": null_sender(message, sender),
        "Auto-Submitted": _submitted(message) not in {"", "no"},
        "a mail system wrote it": is_daemon(message),
        "its Precedence": _precedence(message) in BULK,
        "it comes from a list": message.has(*LIST_HEADERS),
        "it is a report": message.content_type == "multipart/report" or bool(AGGREGATE.match(message.subject)),
        NOBODY_READS: nobody_reads(message),
    }
    return next((sign for sign, there in signs.items() if there), "") or vacation(message)


def _submitted(message: Part) -> str:
    return message.get("auto-submitted").partition(";")[0].strip().lower()


def _precedence(message: Part) -> str:
    return message.get("precedence").strip().lower().replace("-", "_")
