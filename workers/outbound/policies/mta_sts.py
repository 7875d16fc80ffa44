"""MTA-STS (RFC 8461): a domain says over HTTPS which mail servers are its own, and that they speak verified TLS."""

from __future__ import annotations

import logging
import re
import time
from datetime import datetime, timedelta
from typing import NamedTuple

import dns.exception
import dns.resolver

from service.core.db import insert_into, reading, transaction
from service.models import MailPolicy
from workers.outbound.policies import policy_file

log = logging.getLogger(__name__)

LONGEST_SECONDS = 31_557_600
REFRESHED = timedelta(days=1)
ASK_AGAIN_SECONDS = 300.0
"""After a policy could not be fetched (RFC 8461 §3.3)."""
VERSION = re.compile(r"v=STSv1[ \t]*;")
IDENTIFIER = re.compile(r"(?:^|;)[ \t]*id[ \t]*=[ \t]*([A-Za-z0-9]{1,32})[ \t]*(?:;|$)")
_failed: dict[str, float] = {}


class Policy(NamedTuple):
    mode: str
    """enforce | testing | none"""
    mx: tuple[str, ...]
    seconds: int

    def names(self, host: str) -> bool:
        """Whether a server is one of the domain's; `*.` stands for one label (RFC 8461 §4.1)."""
        return any(host == pattern or (pattern[:2] == "*." and host.partition(".")[2] == pattern[2:]) for pattern in self.mx)


def of(resolver: dns.resolver.Resolver, domain: str, now: datetime) -> Policy | None:
    """The policy that holds for a domain: what it says now, else what it said and is still good for."""
    identifier = _identifier(resolver, domain)
    with reading() as session:
        kept = session.get(MailPolicy, domain)
        valid = kept is not None and kept.ends_at > now
        fresh = (
            kept is not None and valid and (not identifier or identifier == kept.version) and kept.fetched_at > now - REFRESHED
        )
        held = Policy(kept.mode, tuple(kept.mx), 0) if kept is not None and valid else None
    if fresh or not identifier or _failed.get(domain, 0.0) > time.monotonic():
        return held
    return _fetched(domain, identifier, now) or held


def _identifier(resolver: dns.resolver.Resolver, domain: str) -> str:
    """The number of the policy in force; empty where the domain has none, or nobody can say (RFC 8461 §3.1)."""
    try:
        answer = resolver.resolve(f"_mta-sts.{domain}", "TXT", search=False)
    except dns.exception.DNSException:
        return ""
    texts = [b"".join(record.strings).decode("ascii", "replace") for record in answer]
    ours = [text for text in texts if VERSION.match(text)]
    match = IDENTIFIER.search(ours[0]) if len(ours) == 1 else None
    return match[1] if match else ""


def _fetched(domain: str, identifier: str, now: datetime) -> Policy | None:
    try:
        policy = parse(policy_file.fetch(domain))
    except (OSError, ValueError) as error:
        log.warning("a policy of encryption could not be fetched: %s", type(error).__name__)
        _failed[domain] = time.monotonic() + ASK_AGAIN_SECONDS
        return None
    values = {"version": identifier, "mode": policy.mode, "mx": list(policy.mx), "fetched_at": now}
    values["ends_at"] = now + timedelta(seconds=policy.seconds)
    with transaction() as session:
        adding = insert_into(session, MailPolicy).values(domain=domain, **values)
        session.execute(adding.on_conflict_do_update(index_elements=["domain"], set_=values))
    return policy


def parse(text: str) -> Policy:
    """The policy that a file holds (RFC 8461 §3.2). Raises ValueError where it is none."""
    fields: dict[str, str] = {}
    servers: list[str] = []
    for line in filter(None, re.split(r"\r?\n", text)):
        key, colon, value = (part.strip(" \t") for part in line.partition(":"))
        if not colon:
            raise ValueError("a line is no field")
        if key == "mx":
            servers.append(value.lower().rstrip("."))
        else:
            fields.setdefault(key, value)
    mode, seconds = fields.get("mode", ""), fields.get("max_age", "")
    if (
        fields.get("version") != "STSv1"
        or mode not in {"enforce", "testing", "none"}
        or not re.fullmatch("[0-9]{1,10}", seconds)
    ):
        raise ValueError("a field is not as it should be")
    if mode != "none" and not servers:
        raise ValueError("it names no server")
    return Policy(mode, tuple(servers), min(int(seconds), LONGEST_SECONDS))
