"""What DNS says now about the domain that we send from: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 9989).

Asked outside of every transaction, all of it within three seconds, and again a minute later at the earliest. A page waits
a moment alone and says what is not known yet; an approval waits for the answer.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from email.utils import parseaddr
from pathlib import Path
from typing import NamedTuple

import dns.exception
import dns.resolver
from cryptography.hazmat.primitives import serialization

from service.core.config import settings
from service.mailings.checks import dns_lookups
from service.mailings.checks.dns_lookups import PATIENCE_SECONDS
from service.mailings.checks.findings import Finding, Findings
from service.text.email_addresses import domain

MOST_LABELS = 8


class Unknown(Exception):
    """DNS did not answer in time, or badly."""


def findings(seconds: float = PATIENCE_SECONDS + 1) -> Findings:
    """What the checks show, waited for so long; empty where DNS is not asked (DNS_SERVER=off)."""
    config = settings()
    if config.dns_server == "off":
        return []
    sender = domain(parseaddr(config.mail_default_sender)[1])
    key = (config.dns_server, sender, config.mail_domain, config.dkim_domain, config.dkim_selector, config.dkim_key_file)
    result = dns_lookups.heard(dns_lookups.begin(key, lambda: _look(sender)), seconds)
    return [Finding("DNS", "warning", "It has not answered yet.", "Look again in a moment.")] if result is None else result


def _look(sender: str) -> Findings:
    names = Names(settings().dns_server, PATIENCE_SECONDS)
    return [_told("SPF", lambda: spf(names)), *_dkim(names), _told("DMARC", lambda: dmarc(names, sender))]


def _told(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Unknown:
        return Finding(name, "warning", "DNS did not answer in time.", "Look again in a minute.")


class Names:
    """TXT records, all of them within one deadline."""

    def __init__(self, server: str, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.resolver = dns_lookups.resolver(server)

    def texts(self, name: str) -> list[str]:
        """The TXT records of a name; none where there is no such name. Raises Unknown."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise Unknown(name)
        try:
            answer = self.resolver.resolve(name, "TXT", lifetime=min(left, 1.5), search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise Unknown(name) from error
        return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]


def spf(names: Names) -> Finding:
    """Of the domain of the envelope, where bounces go."""
    where = settings().mail_domain
    records = [text for text in names.texts(where) if text.lower().split(" ")[0] == "v=spf1"]
    remedy = f"Publish one TXT record at {where}, like: v=spf1 a:your-relay.example -all"
    if len(records) != 1:
        sentence = f"{where} has no record." if not records else f"{where} has {len(records)} records, and so none counts."
        return Finding("SPF", "serious", sentence, remedy)
    if "+all" in records[0].lower().split() or "all" in records[0].lower().split():
        return Finding("SPF", "serious", "The record lets everybody send as us.", remedy)
    return Finding("SPF", "ok", records[0])


def _dkim(names: Names) -> list[Finding]:
    config = settings()
    if not config.dkim_domain:
        return [Finding("DKIM", "warning", "We do not sign.", "Set DKIM_DOMAIN and DKIM_KEY_FILE, unless the relay signs.")]
    keys = [(config.dkim_selector, config.dkim_key_file), (config.dkim_ed25519_selector, config.dkim_ed25519_key_file)]
    return [_told("DKIM", lambda row=pair: dkim(names, *row)) for pair in keys if pair[1]]  # type: ignore[misc]


def dkim(names: Names, selector: str, key_file: str) -> Finding:
    """Whether the published key is the one that we sign with."""
    where = f"{selector}._domainkey.{settings().dkim_domain}"
    published_keys = [text for text in (tags(text) for text in names.texts(where)) if "p" in text]
    remedy = f"Publish at {where}: v=DKIM1; k=…; p={_public(key_file)[:24]}…"
    if len(published_keys) != 1:
        return Finding("DKIM", "serious", f"There is {'no' if not published_keys else 'more than one'} key at {where}.", remedy)
    published = "".join(published_keys[0]["p"].split())
    if published != _public(key_file):
        sentence = "The key was revoked." if not published else "The published key is another than the one we sign with."
        return Finding("DKIM", "serious", sentence, remedy)
    return Finding("DKIM", "ok", f"The key at {where} is ours.")


def _public(key_file: str) -> str:
    """As published: RSA in SubjectPublicKeyInfo (RFC 6376 §3.6.1), Ed25519 as its bare 32 bytes (RFC 8463 §4)."""
    key = serialization.load_pem_private_key(Path(key_file).read_bytes(), None).public_key()
    encoding, form = serialization.Encoding, serialization.PublicFormat
    bare = key.public_bytes(encoding.DER, form.SubjectPublicKeyInfo)
    return base64.b64encode(bare[-32:] if len(bare) == 44 else bare).decode()


def tags(record: str) -> dict[str, str]:
    """tag=value; … (RFC 6376 §3.2)."""
    pairs = (part.partition("=") for part in record.split(";") if "=" in part)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


class Policy(NamedTuple):
    """`at` is the domain whose record it is."""

    at: str
    tags: dict[str, str]


def dmarc(names: Names, sender: str) -> Finding:
    """That there is a policy, and that what we send is aligned with it."""
    walked = walk(names, sender)
    record = next((candidate for candidate in walked if candidate.at == sender), None)
    top = organisational(walked, sender)
    record = record or next((candidate for candidate in walked if candidate.at == top), None)
    if record is None:
        remedy = f"Publish at _dmarc.{sender}: v=DMARC1; p=none; rua=mailto:you@{sender}"
        return Finding("DMARC", "serious", f"Neither {sender} nor a domain above it has a policy.", remedy)
    aligned = [
        how for how, tag, ours in (("DKIM", "adkim", settings().dkim_domain), ("SPF", "aspf", settings().mail_domain))
        if ours and _aligned(names, ours, sender, top, strict=record.tags.get(tag) == "s")
    ]  # fmt: skip
    policy = record.tags.get("p", "none")
    if not aligned:
        remedy = f"Let DKIM_DOMAIN or MAIL_DOMAIN belong to {top}, or send from a domain that they belong to."
        return Finding("DMARC", "serious", f"Neither DKIM nor SPF is aligned with {sender}.", remedy)
    return Finding("DMARC", "ok", f"{record.at} says p={policy}; aligned by {' and '.join(aligned)}.")


def walk(names: Names, start: str) -> list[Policy]:
    """The DNS tree walk (RFC 9989 §4.10): from a name towards the root, at most eight queries, until a record says psd=n."""
    policies: list[Policy] = []
    labels = start.split(".")
    while labels:
        name = ".".join(labels)
        records = [tags(text) for text in names.texts(f"_dmarc.{name}") if text.split(";")[0].replace(" ", "") == "v=DMARC1"]
        if len(records) == 1:
            policies.append(Policy(name, records[0]))
            if records[0].get("psd") in {"n"} or (records[0].get("psd") == "y" and name != start):
                break
        labels = labels[1 - MOST_LABELS :] if len(labels) > MOST_LABELS else labels[1:]
    return policies


def organisational(walked: list[Policy], start: str) -> str:
    """The Organizational Domain (RFC 9989 §4.10.2)."""
    for policy in walked:
        if policy.tags.get("psd") == "n":
            return policy.at
        if policy.tags.get("psd") == "y" and policy.at != start:
            return ".".join(start.split(".")[-(policy.at.count(".") + 2) :])
    return walked[-1].at if walked else start


def _aligned(names: Names, ours: str, sender: str, top: str, *, strict: bool) -> bool:
    if ours == sender:
        return True
    return not strict and organisational(walk(names, ours), ours) == top
