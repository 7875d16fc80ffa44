"""Who handed a message over, as far as our own mail server tells: the only thing about it that its author did not write.

A mail server writes a Received line above those that were there (RFC 5321 §4.4), and Authentication-Results under its own name,
after it took out any that a stranger had put there (RFC 8601 §5). Both mean something only behind such a server.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from service.incoming.reading import Part

UNKNOWN = "unknown"
LONGEST = 1_000
FROM = re.compile(r"^\s*from\s", re.IGNORECASE)
BY = re.compile(r"\sby\s", re.IGNORECASE)
IP = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})(?![\w.:])", re.IGNORECASE)
PASSED = re.compile(r"\b(dkim|spf)\s*=\s*pass\b([^;]{0,500})", re.IGNORECASE)
DOMAIN = re.compile(
    r"\b(?:header\.d|header\.i|smtp\.helo|smtp\.mailfrom)\s*=\s*\"?(?:[^\s@;\"]{0,100}@)?([a-z0-9.-]{1,253})", re.IGNORECASE
)


def handed_over_by(message: Part) -> str:
    """The address of the machine that gave it to ours; empty for a message that a program here wrote; UNKNOWN."""
    for line in message.all("received"):
        if not FROM.match(line):
            continue
        address = _address(BY.split(line[:LONGEST], maxsplit=1)[0])
        if address == UNKNOWN or not ip_address(address).is_loopback:
            return address
    return ""


def _address(words: str) -> str:
    """Mail servers write it last, in brackets: from what.it.says (its.name [192.0.2.1])."""
    found = [text for text in IP.findall(words.replace("IPv6:", "")) if _is_address(text)]
    return found[-1] if found else UNKNOWN


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def vouched_for(message: Part, authserv_id: str) -> list[str]:
    """The domains that it is proved to come from, by SPF or DKIM, as our own mail server says."""
    domains: list[str] = []
    for said in message.all("authentication-results"):
        identity, _, results = said.partition(";")
        if identity.strip().split(" ")[0].lower() != authserv_id.lower():
            continue
        for passed in PASSED.finditer(results[:4_000]):
            domains += [name.lower().rstrip(".") for name in DOMAIN.findall(passed[2])]
    return list(dict.fromkeys(domains))[:20]
