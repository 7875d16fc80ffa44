"""Why a server did not deliver: its words and its status (RFC 3463), judged together.

Words come before numbers, for many servers say 5.1.1 of a full mailbox, or 5.7.1 of one that does not exist; among the words
those that speak of us (policy, reputation) come first, since a server that refuses us may say "user" in the same breath.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, cast

from service.inbound.parsing.failures.blame import Object, object_of
from service.inbound.parsing.failures.dsn_and_arf import REPLY, STATUS
from service.inbound.parsing.failures.refused_command import Command
from service.inbound.parsing.failures.smtp_replies import flat, unlabelled
from service.inbound.parsing.replies.phrases import sections

Class = Literal["hard", "soft", "blocked", "delayed", "unknown"]


class Verdict(NamedTuple):
    """A class and its reason in a word or two."""

    kind: Class
    reason: str


class Rule(NamedTuple):
    kind: Class
    reason: str
    words: re.Pattern[str]


RULES = tuple(
    Rule(cast(Class, title.partition(": ")[0]), title.partition(": ")[2], re.compile(words, re.IGNORECASE))
    for title, words in sections("reasons.txt")
)
"""Looked through from the top; the first words found decide."""

BY_STATUS: dict[str, Verdict] = {
    **dict.fromkeys(("1.1", "1.3", "1.6", "1.10"), Verdict("hard", "no such user")),
    "1.2": Verdict("hard", "no such domain"),
    "1.4": Verdict("soft", "server trouble"),
    **dict.fromkeys(("1.7", "1.8", "1.9"), Verdict("blocked", "sender refused")),
    "2.1": Verdict("soft", "account disabled"),
    "2.2": Verdict("soft", "mailbox full"),
    "2.3": Verdict("soft", "message too large"),
    "3.1": Verdict("soft", "mailbox full"),
    "3.4": Verdict("soft", "message too large"),
    **dict.fromkeys(("4.1", "4.2", "4.4", "4.7"), Verdict("soft", "no answer")),
    "4.6": Verdict("soft", "server trouble"),
}
"""RFC 3463 and its registry: subject and detail of a permanent status (class 5)."""
BY_SUBJECT: dict[str, Verdict] = {
    "2": Verdict("soft", "mailbox trouble"), "3": Verdict("soft", "server trouble"), "4": Verdict("soft", "no answer"),
    "5": Verdict("soft", "server trouble"), "6": Verdict("soft", "content"), "7": Verdict("blocked", "policy"),
}  # fmt: skip
ABOUT_THE_SENDER = {"1.7", "1.8"}
BORROWED = re.compile(r"user unknown|unknown user|no such user|^\W*5\d\d[ :-]*user not found", re.IGNORECASE)
"""Words of a RCPT refusal that servers say of a text, too, that they or their reader do not want."""
DEFINITE = re.compile(r"recipient address rejected|not exist|n[o'’]t have|closed|deleted|terminated", re.IGNORECASE)
"""Words that say more: then there is no such user, whatever was answered with them."""
UNAVAILABLE = re.compile(r"mail ?box (?:is )?(?:currently )?unavailable", re.IGNORECASE)
"""What RFC 5321 §4.2.3 writes beside 550, also for a policy: another number of the server's own counts for more."""
NEVER = re.compile(r"(?<![\d.])556[ -]|(?<![\d.])521[ -]5\.3\.2\b")
"""The codes of a domain, or a host, that takes no mail (RFC 7504); 521 alone is also said to those who are turned away."""
NO_DOMAIN = re.compile(r"\bNXDOMAIN\b|null ?mx|domain name not found|domain .{0,80}doesn.t receive e?-?mail", re.IGNORECASE)
"""Facts of the DNS, which a relay that gave up states although its own status calls them temporary."""
LOOKED_UP = re.compile(r"(?:\bname=|\blookup of |\bresolve |\bhost )([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8})", re.IGNORECASE)
"""The name that could not be looked up."""
ELSEWHERE: dict[Object, Verdict] = {
    "sender": Verdict("blocked", "sender refused"),
    "text": Verdict("soft", "refused with its text"),
    "time": Verdict("soft", "come back later"),
    "policy": Verdict("blocked", "policy"),
    "open": Verdict("unknown", "it is left open what is the matter"),
}
SAID_OF_MANY = {"no such user", "no such domain", "unknown domain"}
"""Hard where they are said of the reader."""
OF_DOMAINS = {"no such domain", "unknown domain"}
UNCLEAR = Verdict("unknown", "nobody could say why")
WEAK = {"server trouble", "account disabled"}
"""Words so common that a clear number outweighs them."""


def judge(status: str, text: str, command: Command = "", recipient: str = "") -> Verdict:
    """Class and reason of one refusal: `status` as x.y.z or empty, `text` the server's words, `command` what they answer.

    It is hard only where words or the server's own number say so of the mailbox, or the domain, of this very recipient.
    """
    text = unlabelled(text)
    reason, status = _said(text, command), specific(status, text)
    kind, _, detail = status.partition(".")
    if kind == "4" or (not kind and temporary(text)):
        return _temporary(reason, text, recipient)
    if detail in ABOUT_THE_SENDER:
        return BY_STATUS[detail]
    if NEVER.search(text[:500]) and (reason is None or reason.reason in {"no answer", "server trouble", "no such user"}):
        return Verdict("hard", "takes no mail")
    reason_by_number = _by_number(status, text)
    if reason is None or (reason.reason in WEAK and reason_by_number is not None and reason_by_number.kind == "hard"):
        return reason_by_number or UNCLEAR
    if reason.reason in OF_DOMAINS:
        return _of_domain(detail, text, recipient) or reason
    return (_outweighed(reason, detail, text, command) if reason.reason == "no such user" else None) or reason


def _said(text: str, command: Command) -> Verdict | None:
    """What the words say, and of whom."""
    shown = flat(text)
    rule, match = _search(shown)
    if rule is None or match is None:
        return None
    if rule.reason in SAID_OF_MANY:
        if command == "mail":
            return ELSEWHERE["sender"]
        about = object_of(shown, match, _is_other)
        if about != "reader":
            return ELSEWHERE[about]
    return Verdict(rule.kind, rule.reason)


def _search(shown: str) -> tuple[Rule, re.Match[str]] | tuple[None, None]:
    for rule in RULES:
        if match := rule.words.search(shown):
            return rule, match
    return None, None


def _is_other(words: str) -> bool:
    """Whether they give a reason that is no dead mailbox."""
    rule, _ = _search(words)
    return rule is not None and rule.kind != "hard"


def _of_domain(detail: str, text: str, recipient: str) -> Verdict | None:
    """What a domain that does not exist means where it need not be the recipient's; None where it is theirs."""
    if detail != "1.2" and _of_another_domain(text, recipient):
        return Verdict("soft", "another name could not be looked up")
    about_nobody = not detail.startswith(("1.", "4.4")) and _names_nobody(text, recipient)
    return ELSEWHERE["open"] if about_nobody and not OF_A_HOST.search(flat(text)) else None


OF_A_HOST = re.compile(r"\b(?:host|mx|name service|mail exchanger|nxdomain|dns)\b", re.IGNORECASE)
"""Words of the server that looked for the recipient's, and of no other."""


def _of_another_domain(text: str, recipient: str) -> bool:
    """Whether the name that could not be looked up is none of the recipient's: that of our own relay, for one."""
    domain = recipient.rpartition("@")[2].lower().rstrip(".")
    names = [name.lower().rstrip(".") for name in LOOKED_UP.findall(text[:2_000])]
    theirs = any(name == domain or name.endswith(f".{domain}") or domain.endswith(f".{name}") for name in names)
    return bool(domain and names) and not theirs


def _names_nobody(text: str, recipient: str) -> bool:
    """Whether a server's reply speaks of a domain without saying whose: the sender's, as likely as not."""
    domain, text = recipient.rpartition("@")[2].lower(), text.lower()
    named = "@" in text or "recipient" in text or (bool(domain) and domain in text)
    return REPLY.search(text[:500]) is not None and not named


def _by_number(status: str, text: str) -> Verdict | None:
    """What the number alone says. One that the relay made up for a reply without any is no proof of a dead mailbox."""
    detail = status.partition(".")[2]
    reason = BY_STATUS.get(detail) or BY_SUBJECT.get(detail.partition(".")[0])
    made_up = REPLY.search(text[:500]) is not None and status not in text
    return None if reason is not None and reason.kind == "hard" and made_up else reason


def _outweighed(verdict: Verdict, detail: str, text: str, command: Command) -> Verdict | None:
    """What words that sound like a dead address mean where the number, or the command that they answer, speaks against it."""
    text = flat(text)
    if UNAVAILABLE.search(text) and detail[:2] in {"2.", "7."} and not DEFINITE.search(text):
        return BY_STATUS.get(detail) or BY_SUBJECT.get(detail[:1])
    only_words = verdict.reason == "no such user" and BORROWED.search(text) and not DEFINITE.search(text)
    of_the_text = command == "data" or (detail == "2.0" and command != "rcpt")
    return ELSEWHERE["text"] if only_words and of_the_text and not detail.startswith("1.") else None


def _temporary(verdict: Verdict | None, text: str, recipient: str) -> Verdict:
    """A server that asks us to come back never says that a reader is gone; the DNS may have said so before it was asked."""
    if verdict is not None and verdict.kind in {"soft", "blocked"}:
        return verdict
    fact = (
        verdict is not None
        and verdict.kind == "hard"
        and NO_DOMAIN.search(text[:2_000])
        and not _of_another_domain(text, recipient)
    )
    return verdict if verdict is not None and fact else Verdict("soft", "come back later")


def specific(status: str, text: str) -> str:
    """The status that says the most: the report's own, or where that is vague (x.0.0) or missing, the one in the words."""
    if status and not status.endswith(".0.0"):
        return status
    match = STATUS.search(unlabelled(text)[:2_000])
    if match and not match[0].endswith(".0.0"):
        return match[0]
    return status or (match[0] if match else "")


def temporary(text: str) -> bool:
    match = REPLY.search(text[:500])
    return match is not None and match[1] == "4"
