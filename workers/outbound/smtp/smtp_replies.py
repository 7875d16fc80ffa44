"""What a mail server's reply means, by the command that it answers, its code and its words: for whom it is meant, above all.

A server speaks of us when it refuses MAIL, of a recipient when it refuses RCPT, and of the text when it refuses DATA or what
follows (RFC 5321 §3.3); but many wait with a refusal of the sender until RCPT, and some say of a text that a mailbox is full.
There the words decide. A reply that fits no command tells nothing, and the connection is out of step.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from service.inbound.parsing.failures import reasons, refused_command
from service.text.characters.control import clean_line
from workers.outbound.smtp.outcome import Concern, Verdict

Command = Literal["MAIL FROM", "RCPT TO", "DATA", "end of DATA"]
COMMANDS: dict[Command, refused_command.Command] = {
    "MAIL FROM": "mail",
    "RCPT TO": "rcpt",
    "DATA": "data",
    "end of DATA": "data",
}
LONGEST_TEXT = 2_000
"""Characters of one reply that are kept; RFC 5321 §4.5.3.1.5 allows 512 octets for a line of it."""
CLOSING, OUT_OF_SEQUENCE = 421, 503
NO_MAIL_HERE = frozenset({521, 556})
"""A host, or a domain, that takes no mail at all (RFC 7504)."""
SIGN_IN_FIRST = frozenset({530, 534, 535, 538})
"""The relay wants a name and a password, or TLS (RFC 4954 §6, RFC 3207 §4)."""
OPTIONS_REFUSED = re.compile(r"\b(?:504|555)\b|\b5\.6\.7\b")
"""A server that cannot pass an address outside ASCII on, though it said that it can (RFC 6531 §3.7.4)."""
NAMES_SENDER = re.compile(r"(?<![\d.])[45]\.7\.(?:2[0-9]|3[0-2]|50[1-3]|50[89]|51[15]|6[0-4][0-9]|70[5-8]|750)(?![\d.])")
"""Enhanced codes by which RFC 7372, Gmail, Yahoo and Microsoft turn away a sender, never a recipient."""
TOO_LARGE = re.compile(r"(?<![\d.])5\.3\.4(?![\d.])")
SYSTEM = re.compile(r"(?<![\d.])[45]\.3\.\d{1,3}(?![\d.])")
"""RFC 3463 §3.4: the mail system itself is full, switched off, or set up wrongly."""
ABOUT_SENDER = frozenset({
    "authentication", "reputation", "no reverse name", "too fast", "relaying denied", "sender refused", "policy", "spam",
})  # fmt: skip
SURELY_ABOUT_SENDER = ABOUT_SENDER - {"policy", "spam"}
ABOUT_MAILBOX = frozenset({
    "mailbox full", "mailbox trouble", "account suspended", "account disabled", "greylisted", "refused with its text",
})  # fmt: skip
OF_THE_RECIPIENT = re.compile(r"recipient (?:address )?rejected|recipient (?:preferences|not allowed)", re.IGNORECASE)
FULL = frozenset({431, 452})
TOO_MANY = re.compile(r"552(?! 5\.[0-46-9])|too many recipients", re.IGNORECASE)
"""An old spelling of 452 (RFC 5321 §4.5.3.1.10), unless an enhanced code says that the mailbox is full."""


class Meaning(NamedTuple):
    verdict: Verdict
    concern: Concern | None = None


@lru_cache(maxsize=512)
def understand(command: Command, code: int, text: str, *, extended: bool = False) -> Meaning:
    """What a reply means. DATA's 354 is the caller's; any other positive answer to DATA is out of step.

    `extended`: the recipient's address is outside ASCII, and MAIL carried options for it alone.
    """
    if 200 <= code < 300 and command != "DATA":
        return Meaning("accepted")
    if code // 100 not in {4, 5}:
        return Meaning("lost" if command == "end of DATA" else "unreachable", "server")
    match command:
        case "MAIL FROM":
            return _of_mail(code, text, extended=extended)
        case "RCPT TO":
            return _of_recipient(code, text)
        case _:
            return _of_text(command, code, text)


def _of_mail(code: int, text: str, *, extended: bool) -> Meaning:
    """Nobody has been named yet: it is about us, or the server is closing."""
    if extended and OPTIONS_REFUSED.search(f"{code} {text}"):
        return Meaning("refused")
    about_us = code >= 500 or names_sender(text) or _reason("MAIL FROM", code, text).kind == "blocked"
    if code == CLOSING and not about_us:
        return Meaning("unreachable", "server")
    return Meaning("turned_away", "sender" if about_us else "server")


def _of_recipient(code: int, text: str) -> Meaning:
    if code == OUT_OF_SEQUENCE:
        return Meaning("unreachable", "server")
    if code == 552 and TOO_MANY.search(f"{code} {text}"):
        return Meaning("later")
    about = _concern(code, text, "RCPT TO")
    if code == CLOSING:  # of the whole connection
        return Meaning("turned_away", "sender") if about == "sender" else Meaning("unreachable", "server")
    return Meaning("later" if code < 500 else "refused", about)


def _of_text(command: Command, code: int, text: str) -> Meaning:
    """DATA, or the end of the text."""
    if names_sender(text):
        return Meaning("turned_away", "sender")
    if command == "DATA" and code in {CLOSING, OUT_OF_SEQUENCE}:
        return Meaning("unreachable", "server")
    about, reason = _concern(code, text, command), _reason(command, code, text)
    if code < 500:
        full = code in FULL and not _about_mailbox(reason, text)
        return Meaning("later", "server" if about is None and (code == CLOSING or full) else about)
    if about is None and reason.kind != "hard" and not _about_mailbox(reason, text):
        about = "text"
    return Meaning("refused", about)


def refuses_us(command: Command, code: int, text: str) -> bool:
    """Whether a refusal names us in so many words: a policy may be about this recipient."""
    surely = names_sender(text) or _reason(command, code, text).reason in SURELY_ABOUT_SENDER
    return code in SIGN_IN_FIRST or (surely and not OF_THE_RECIPIENT.search(text))


def _concern(code: int, text: str, command: Command) -> Concern | None:
    """Whether the words, or the enhanced code, speak of us or of the server, and not of this recipient."""
    if code in SIGN_IN_FIRST:
        return "sender"
    if OF_THE_RECIPIENT.search(text):
        return None
    reason = _reason(command, code, text)
    if command != "RCPT TO" and (reason.reason == "message too large" or TOO_LARGE.search(text)):
        return "text"
    if names_sender(text) or (reason.kind == "blocked" and reason.reason in ABOUT_SENDER):
        return "text" if reason.reason == "spam" and command != "RCPT TO" else "sender"
    return "server" if SYSTEM.search(text) and not _about_mailbox(reason, text) else None


def _about_mailbox(reason: reasons.Verdict, text: str) -> bool:
    """ "Insufficient system storage" is the words of a whole server, not of one mailbox on it (RFC 5321 §4.2.2)."""
    return reason.reason in ABOUT_MAILBOX and "system" not in text.lower()


def _reason(command: Command, code: int, text: str) -> reasons.Verdict:
    return reasons.judge("", f"{code} {text}", COMMANDS[command])


def names_sender(text: str) -> bool:
    """Whether an enhanced code turns the sender away, whoever the recipient is."""
    return NAMES_SENDER.search(text[:200]) is not None


def with_command(command: Command, code: int, text: str) -> str:
    """The words of a refusal that was not of the recipient, with what they answer, as Postfix says it; others as they are."""
    return text if code < 400 or command == "RCPT TO" else f"{text} (in reply to {command} command)".lstrip()


def readable(raw: bytes) -> str:
    """The words of a reply on one line: UTF-8 (RFC 6531 §3.5), or what servers write that never heard of it."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    return text if len(text) <= LONGEST_TEXT and text.isprintable() else clean_line(text[:LONGEST_TEXT])
