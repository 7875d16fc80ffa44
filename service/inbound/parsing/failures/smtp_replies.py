"""A server's reply as it is judged: which lines of a report belong to it, without a relay's label, without names.

A relay that hands a refusal on may put words of its own before it, which are the same whatever was said; and addresses, hosts
and pages may be called anything: spam@, blocked.example, /errors/unknown-user.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from service.inbound.parsing.failures.refused_command import NOBODY_LEFT

REPLIED = re.compile(r"(?:^|[\s:(<'])(?:(5[0-7]\d|4[2-7]\d)([ -])\S)|(?<![\d.])[45]\.\d{1,2}\.\d{1,2}(?![\d.])")
NAMED = re.compile(r"[<\"'(\[* -]{0,4}([^\s<>\"'(),:;@]{1,100}@[^\s<>\"'(),:;@]{1,200})[>\"')\]:.* -]{0,6}")
"""A line that holds an address and nothing else."""
COMMANDED = re.compile(r"\W*>>>")
MOST_LINES, MOST_REPLIES = 12, 30
LABEL = re.compile(r"[45]\.\d{1,3}\.\d{1,3} - [A-Za-z][A-Za-z ,/]{3,60}? (?=[45]\d\d[ -])|5\.1\.0 - Unknown address error")
"""IronPort's: `5.1.0 - Unknown address error 550-'5.7.1 Access denied'`, whatever the server said."""
SUMMARY = re.compile(r"^[ \t]*5\d\d 5\.\d\.\d{1,3} .{1,200}?\.\.\. .*$", re.MULTILINE)
OURS = re.compile(r"[^\s<>()\"';,\[\]]{0,100}\bbounce\+[^\s<>()\"':;,\[\]]{1,160}", re.IGNORECASE)
"""Our envelope sender, also inside the address that a forwarder made of it (SRS, BATV)."""
BLOCKLISTS = re.compile(
    r"https?://\S{0,80}?(?:spamhaus|sorbs|spamcop|barracudacentral|uceprotect|proofpoint|cloudmark|mail-abuse|abuseat|dnsbl"
    r"|senderbase|senderscore|invaluement|mailspike|surbl|uribl|abusix|spamrats|backscatterer|/rbl|blacklist|blocklist)\S{0,200}"
    r"|\b(?:[\w-]{1,40}\.){0,4}(?:dnsbl|rbl|bl|sbl|xbl|pbl|zen|blacklist|blocklist|ubl|cbl)\.[a-z][\w-]{1,40}"
    r"(?:\.[\w-]{1,40}){1,3}",
    re.IGNORECASE,
)
"""Pages and zones of well-known blocklists: often all that a server says."""
NAMES = re.compile(
    r"https?://\S+|[^\s<>()\"':;,\[\]]{1,80}@[^\s<>()\"':;,\[\]]{1,100}|\b(?:[\w-]{1,63}\.){2,8}[a-z]{2,24}\b", re.IGNORECASE
)
BRACKETS = re.compile(r"[<\[(' ]{0,3}(<sender>|<>|<blocklist>)[>\])' ]{0,3}")


class Reply(NamedTuple):
    """What one server said; `about` is the address under which a report writes it, if it does."""

    about: str
    text: str


def replies(text: str) -> list[Reply]:
    """The servers' replies in a text, each with all its lines (RFC 5321 §4.2.1), a folded one with the line behind it.

    Of a transcript, what the other server said alone: neither that no recipient is left, nor a summary of the one that asked.
    """
    lines = [line.strip() for line in NOBODY_LEFT.sub("", text).splitlines()]
    if any(line.startswith("<<<") for line in lines):
        lines = [line for line in lines if line.startswith(("<<<", "(reason:"))]
    return [reply for reply in _joined(lines) if not COMMANDED.match(reply.text)][:MOST_REPLIES]


def _joined(lines: list[str]) -> list[Reply]:
    """The lines in which a reply begins, each with what goes on in the next ones."""
    joined: list[Reply] = []
    about, going_on, room = "", "", 0
    for line in lines:
        started = REPLIED.search(line)
        if going_on and room and _goes_on(joined[-1].text, line, going_on, bool(started)):
            joined[-1] = Reply(about, f"{joined[-1].text} {line}")
            room -= 1
        elif started:
            joined.append(Reply(about, line))
            going_on = started[1] if started[2] == "-" else ""
            room = MOST_LINES if going_on else 1
        else:
            if named := NAMED.fullmatch(line):
                about = named[1].lower()
            elif room and not going_on and line:  # folded
                joined[-1] = Reply(about, f"{joined[-1].text} {line}")
            going_on, room = "", 0
    return joined


def _goes_on(reply: str, line: str, code: str, starts: bool) -> bool:
    """Whether a line belongs to a reply that began with its code and a dash: until the code stands with a space."""
    if line.startswith((f"{code}-", f"{code} ")):
        return True
    at_an_end = f" {code} " in reply[4:]
    return bool(line) and not at_an_end and (not starts or f"{code}-" in line or f"{code} " in line)


def without_summaries(text: str) -> str:
    """A text without what Sendmail makes of a reply that it quotes: "User unknown" of whatever was said to RCPT."""
    return SUMMARY.sub("", text) if "<<<" in text else text


def unlabelled(text: str) -> str:
    return LABEL.sub("", text)


def flat(text: str) -> str:
    """One line, in which names are what they are: <sender> our own address, <blocklist> a blocklist's page, <> any other."""
    marked = NAMES.sub(" <> ", BLOCKLISTS.sub(" <blocklist> ", OURS.sub(" <sender> ", text[:6_000])))
    return " ".join(BRACKETS.sub(r" \1 ", marked).split())
