"""Why a server did not deliver: its words and its status (RFC 3463), judged together.

Words come before numbers, for many servers say 5.1.1 of a full mailbox, or 5.7.1 of one that does not exist; among the words
those that speak of us (policy, reputation) come first, since a server that refuses us may say "user" in the same breath.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, cast

from service.incoming.commands import Command
from service.incoming.phrases import sections
from service.incoming.reports import REPLY, STATUS

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
    **dict.fromkeys(("1.0", "1.1", "1.3", "1.4", "1.5", "1.6", "1.10"), Verdict("hard", "no such user")),
    **dict.fromkeys(("1.2", "4.4"), Verdict("hard", "no such domain")),
    **dict.fromkeys(("1.7", "1.8", "1.9"), Verdict("blocked", "sender refused")),
    "2.1": Verdict("soft", "account disabled"),
    "2.2": Verdict("soft", "mailbox full"),
    "2.3": Verdict("soft", "message too large"),
    "3.1": Verdict("soft", "mailbox full"),
    "3.4": Verdict("soft", "message too large"),
    **dict.fromkeys(("4.1", "4.2", "4.7"), Verdict("soft", "no answer")),
    "4.6": Verdict("soft", "server trouble"),
}
"""RFC 3463 and its registry: subject and detail of a permanent status (class 5)."""
BY_SUBJECT: dict[str, Verdict] = {
    "2": Verdict("soft", "mailbox trouble"), "3": Verdict("soft", "server trouble"), "4": Verdict("soft", "no answer"),
    "5": Verdict("soft", "server trouble"), "6": Verdict("soft", "content"), "7": Verdict("blocked", "policy"),
}  # fmt: skip
SURE = {"1.1", "1.2", "1.3", "1.6", "1.10"}
ABOUT_THE_SENDER = {"1.7", "1.8"}
BORROWED = re.compile(r"user unknown|unknown user|no such user|^\W*5\d\d[ :-]*user not found", re.IGNORECASE)
"""Words of a RCPT refusal that servers say of a text, too, that they or their reader do not want."""
DEFINITE = re.compile(r"recipient address rejected|not exist|n[o'’]t have|closed|deleted|terminated", re.IGNORECASE)
"""Words that say more: then there is no such user, whatever was answered with them."""
NEVER = re.compile(r"(?<![\d.])(?:521|556)[ -]")
"""The codes of a host, or a domain, that takes no mail (RFC 7504)."""

NAMES = re.compile(
    r"https?://\S+|[^\s<>()\"':;,\[\]]{1,80}@[^\s<>()\"':;,\[\]]{1,100}|\b(?:[\w-]{1,63}\.){2,8}[a-z]{2,24}\b", re.IGNORECASE
)
"""Web pages, addresses and hosts, whose names may say anything: spam@, blocked.example, /errors/unknown-user."""


def by_words(text: str) -> Verdict | None:
    """What the words alone say."""
    flat = _flat(text)
    for rule in RULES:
        if rule.words.search(flat):
            return Verdict(rule.kind, rule.reason)
    return None


def _flat(text: str) -> str:
    return " ".join(NAMES.sub(" <> ", text[:6_000]).split())


def judge(status: str, text: str, command: Command = "") -> Verdict:
    """Class and reason of one refusal: `status` as x.y.z or empty, `text` the server's words, `command` what they answer."""
    said = by_words(text)
    status = specific(status, text)
    kind, _, detail = status.partition(".")
    if kind == "4" or (not kind and temporary(text)):
        return _temporary(said)
    if said is not None and said.kind == "hard":
        said = _of_another(said, detail, text, command) or said
    elif NEVER.search(text[:500]) and (said is None or said.reason in {"no answer", "server trouble"}):
        return Verdict("hard", "takes no mail")
    known = BY_STATUS.get(detail)
    if detail in ABOUT_THE_SENDER:
        return BY_STATUS[detail]
    if detail in SURE and (said is None or said.reason in {"account disabled", "policy", "no answer", "server trouble"}):
        return known or Verdict("hard", "no such user")
    if said is not None:
        return said
    return known or BY_SUBJECT.get(detail.partition(".")[0]) or Verdict("unknown", "nobody could say why")


def _of_another(said: Verdict, detail: str, text: str, command: Command) -> Verdict | None:
    """What words that sound like a dead address mean where the number, or the command that they answer, speaks against it."""
    if command == "mail":
        return Verdict("blocked", "sender refused")
    text = _flat(text)
    only_words = said.reason == "no such user" and BORROWED.search(text) and not DEFINITE.search(text)
    of_the_text = command == "data" or (detail == "2.0" and command != "rcpt")
    return Verdict("soft", "refused with its text") if only_words and of_the_text and not detail.startswith("1.") else None


def _temporary(said: Verdict | None) -> Verdict:
    """A server that asks us to come back never says that a reader is gone."""
    if said is not None and said.kind in {"soft", "blocked"}:
        return said
    return Verdict("soft", "come back later")


def specific(status: str, text: str) -> str:
    """The status that says the most: the report's own, or where that is vague (x.0.0) or missing, the one in the words."""
    if status and not status.endswith(".0.0"):
        return status
    found = STATUS.search(text[:2_000])
    if found and not found[0].endswith(".0.0"):
        return found[0]
    return status or (found[0] if found else "")


def temporary(text: str) -> bool:
    found = REPLY.search(text[:500])
    return found is not None and found[1] == "4"
