"""Whether a machine wrote a message, and how we know: such a message confirms nothing, asks for nothing, and gets no answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from service.inbound.parsing.mime import mailboxes
from service.inbound.parsing.mime.mime_parser import Part
from service.inbound.parsing.replies import our_letters
from service.inbound.parsing.replies.contents import contents
from service.inbound.parsing.replies.phrases import phrase

DAEMON = phrase("a mail system's address", r"{}(?:[+=-].*)?")
NAMED_DAEMON = phrase("a mail system by name", r"\b{}\b")
BEFORE_A_SUBJECT = phrase("an automatic answer, before what it answers", r"(?:\[[^\]]{0,20}\]\s*)?{}\s*(?:[:：,\-–(]|re\b|$)")
FORWARDED = phrase("before the subject of a forwarded message", r"\s*{}\s*[:：]")
OF_SOMEBODY_AWAY = phrase("begins the subject of an automatic answer", r"{}")
OF_THANKS = phrase("begins the subject of an acknowledgement", r"{}")
NO_REPLY = phrase("nobody reads this address", r"(?:^|_){}(?:_|\d|$)")
ITS_SUBJECT = "its subject"
NOBODY_READS = "nobody reads its address"
AGGREGATE = re.compile(r"(?:\[[\w -]{0,20}\]\s*)?report domain:\s*\S{1,255}\s+submitter:\s*\S", re.IGNORECASE)
"""The subject of DMARC's and TLS' nightly reports (RFC 7489 §7.2.1.1, RFC 8460 §5.3)."""
CHALLENGE = phrase("a challenge")
CHALLENGER = phrase("a service that challenges")
CHALLENGE_ANSWERED = phrase("a challenge is answered")
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
        addresses = mailboxes.addresses(value) if "@" in value else [value.partition("(")[0].strip('<>" ')]
        yield from (address.partition("@")[0] for address in addresses)


def comes_from_daemon(message: Part) -> bool:
    """Whether a mail system wrote it, by its address, or by its name where it answers nobody: for what looks like a bounce."""
    if is_daemon(message):
        return True
    named = [message.get(name).partition("<")[0] for name in ("from", "sender", "x-original-from")]
    return not is_answer(message) and any(NAMED_DAEMON.search(name) for name in named)


def is_answer(message: Part) -> bool:
    """Whether it answers something, by its headers or by what stands before its subject."""
    marked = our_letters.REPLY_MARK.match(message.subject) and not FORWARDED.match(message.subject)
    return message.has("in-reply-to", "references") or bool(marked)


def nobody_reads(message: Part) -> bool:
    """Whether its author's address says itself that an answer is read by nobody: no-reply@, ne-pas-repondre@."""
    mailbox = mailboxes.only(message.get("from"))
    return mailbox is not None and bool(NO_REPLY.search(re.sub(r"[.\-+]", "_", mailbox.address.partition("@")[0])))


def has_automatic_subject(message: Part) -> bool:
    """Out of office: …, in any language. Behind "Re:" stands the subject that somebody answers, and says nothing of them."""
    subject = message.subject
    bare = our_letters.REPLY_MARK.sub("", subject).lstrip(NO_WORDS)
    if FORWARDED.match(subject):  # people forward, machines answer
        return False
    if BEFORE_A_SUBJECT.match(bare):
        return True
    if our_letters.REPLY_MARK.match(subject):
        return False
    note = _note(message)
    away = our_letters.AWAY_NOW.search(note) or (our_letters.AWAY.search(note) and our_letters.UNTIL.search(note))
    thanks = our_letters.ACKNOWLEDGES.search(note)
    return "?" not in note and bool((away and OF_SOMEBODY_AWAY.match(bare)) or (thanks and OF_THANKS.match(bare)))


def is_challenge(message: Part, text: str, sender: str | None) -> bool:
    """A program that asks us to prove that we are people. People, who ask "can you confirm that you sent this?", write without
    a machine's header, without the name of such a service, and without telling which link to press.
    """
    if CHALLENGER.search(message.get("from")) or CHALLENGER.search(message.subject):
        return True
    says_so = CHALLENGE.search(message.subject) or CHALLENGE.search(text)
    return bool(says_so) and bool(machine(message, sender) or CHALLENGE_ANSWERED.search(text) or CHALLENGER.search(text))


def is_away_now(message: Part) -> bool:
    """Whether it begins by saying so."""
    return bool(our_letters.AWAY_NOW.search(_note(message)))


def _note(message: Part) -> str:
    return " ".join(contents(message).own.splitlines()[: our_letters.MOST_LINES])[:LONGEST_NOTE]


LONGEST_NOTE = 2_000
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
        "X-Auto-Response-Suppress": suppressed and is_away_now(message),
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
