"""Who handed a message over, as far as our own mail server tells: the only thing about it that its author did not write.

A mail server writes a Received line above those that were there (RFC 5321 §4.4), and Authentication-Results under its own name,
after it took out any that a stranger had put there (RFC 8601 §5). Both mean something only behind such a server.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address

from service.inbound.parsing.mime.mime_parser import Part

UNKNOWN = "unknown"
MOST_HOPS = 20
LONGEST = 1_000
FROM = re.compile(r"\s*from\s+(\S{1,300})(?:\s+\(([^()]{0,400})\))?", re.IGNORECASE)
SEEN = re.compile(r"(?!(?:helo|ehlo)\b)(?:[^\s\[\]=]{1,300}\s+)?\[(?:IPv6:)?([0-9a-f.:]{3,45})\]", re.IGNORECASE)
LITERAL = re.compile(r"\[(?:IPv6:)?([0-9a-f.:]{3,45})\]", re.IGNORECASE)
GREETING = re.compile(r"(?:port=\d{1,5}\s+)?helo=", re.IGNORECASE)
RESULT = re.compile(r"\s*(dkim|spf)\s*=\s*pass\b(.{0,600})", re.IGNORECASE | re.DOTALL)
PROPERTY = re.compile(r"\b(header\.[di]|smtp\.helo|smtp\.mailfrom)\s*=\s*(?:[^\s@]{0,200}@)?([a-z0-9.-]{1,253})", re.IGNORECASE)
DECIDES = {"dkim": ("header.d", "header.i"), "spf": ("smtp.mailfrom", "smtp.helo")}
"""What a result is about: the first of these that is there. The other was not proved by it (RFC 7208 §2.3, RFC 8601 §2.7)."""
LOOKS_LIKE_A_RESULT = re.compile(r"[\s;\"()]")


def hops(message: Part) -> list[str]:
    """Of each Received line, the newest first, who connected: an IP address, UNKNOWN, or nothing for what was written there."""
    return [_hop(line[:LONGEST]) for line in message.all("received")[:MOST_HOPS]]


def handed_over_by(hops: Sequence[str]) -> str:
    """The first of them on another machine; empty for what a program here wrote."""
    return next((hop for hop in hops if hop == UNKNOWN or (hop and not ip_address(hop).is_loopback)), "")


def _hop(line: str) -> str:
    """What the server saw stands in brackets behind what the client called itself, which may look like an address:
    `from name (name [192.0.2.1])` (Postfix, Sendmail), `from name ([192.0.2.1] helo=…)` and `from [192.0.2.1] (helo=…)` (Exim).
    """
    clause = FROM.match(line)
    if clause is None:
        return "" if not re.match(r"\s*from\b", line, re.IGNORECASE) else UNKNOWN
    greeting, seen = clause[1], clause[2] or ""
    match = LITERAL.fullmatch(greeting) if GREETING.match(seen) else SEEN.match(seen)
    try:
        return str(ip_address(match[1])) if match else UNKNOWN
    except ValueError:
        return UNKNOWN


def vouched_for(message: Part, authserv_id: str, sender: str | None) -> list[str]:
    """The domains that it is proved to come from, by SPF or DKIM, as our own mail server says.

    None where the envelope's sender could be read as a result of its own: servers quote it there, some without quotes.
    """
    if not authserv_id or LOOKS_LIKE_A_RESULT.search(sender or ""):
        return []
    domains: list[str] = []
    for line in message.all("authentication-results"):
        identity, *results = _plain(line[:4_000]).split(";")
        if identity.strip().split(" ")[0].lower() == authserv_id.lower():
            domains += [domain for result in results if (domain := _proved(result))]
    return list(dict.fromkeys(domains))[:20]


def _proved(result: str) -> str:
    """The domain that one result proves; empty where it proves none."""
    passed = RESULT.match(result)
    if passed is None:
        return ""
    properties = {name.lower(): domain.lower().rstrip(".") for name, domain in PROPERTY.findall(passed[2])}
    return next((properties[name] for name in DECIDES[passed[1].lower()] if name in properties), "")


def _plain(line: str) -> str:
    """Without comments and quoted strings, which may hold a stranger's words (RFC 5322 §3.2.2, §3.2.4)."""
    kept, depth, is_quoted, is_escaped = [], 0, False, False
    for character in line:
        if is_escaped:
            is_escaped = False
        elif character == "\\" and (depth or is_quoted):
            is_escaped = True
        elif character == '"' and not depth:
            is_quoted = not is_quoted
        elif not is_quoted and character in "()":
            depth = max(0, depth + (1 if character == "(" else -1))
        elif not depth and not is_quoted:
            kept.append(character)
    return "".join(kept)
