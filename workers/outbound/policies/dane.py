"""DANE for SMTP (RFC 7672): what a server's certificate must be, where its domain says so in signed DNS.

A name server checks the signatures (DNSSEC) and says so by a bit of its answer. The bit is believed where nobody could have set
it on the way: from this machine, or where DNS_TRUSTED says so.
"""

from __future__ import annotations

import hashlib
from ipaddress import ip_address
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.resolver
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.core.config import settings

ANCHOR, END_ENTITY = 2, 3
"""The usages that mean something to mail servers (RFC 7672 §3.1): a certificate above the server's, or the server's own."""
NO_USABLE_RECORD = "its domain publishes no certificate in a way that mail servers use"
DIGESTS = {1: hashlib.sha256, 2: hashlib.sha512}


class Record(NamedTuple):
    """One TLSA record (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes

    @property
    def usable(self) -> bool:
        return self.usage in {ANCHOR, END_ENTITY} and self.selector in {0, 1} and self.matching in {0, *DIGESTS}

    def fits(self, certificate: bytes) -> bool:
        """Whether this is the certificate, DER, or its key (RFC 6698 §2.1.2 and §2.1.3)."""
        try:
            chosen = certificate if self.selector == 0 else _key_of(certificate)
        except (ValueError, UnsupportedAlgorithm):
            return False
        return self.data == (chosen if self.matching == 0 else DIGESTS[self.matching](chosen).digest())


def _key_of(certificate: bytes) -> bytes:
    key = x509.load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Published(NamedTuple):
    """`host` is the name under which the records were found; the certificate is asked for, and may be made out to, it."""

    host: str
    records: tuple[Record, ...]


def is_secure(answer: dns.resolver.Answer, resolver: dns.resolver.Resolver) -> bool:
    """Whether the whole answer was signed, from a name server whose word on it counts."""
    near = all(_is_loopback(str(server)) for server in resolver.nameservers)
    return bool(answer.response.flags & dns.flags.AD) and (near or settings().dns_trusted)


def _is_loopback(server: str) -> bool:
    try:
        return ip_address(server).is_loopback
    except ValueError:
        return False


def published(resolver: dns.resolver.Resolver, host: str) -> Published | None:
    """The TLSA records of a mail server; None where it has none that are signed.

    Raises dns.exception.DNSException where nobody could say: no letter may go there then (RFC 7672 §2.1.1).
    """
    for name in _signed_names(resolver, host):
        try:
            answer = resolver.resolve(f"_25._tcp.{name}", "TLSA", search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            continue
        if is_secure(answer, resolver):
            records = [Record(record.usage, record.selector, record.mtype, bytes(record.cert)) for record in answer]
            return Published(name, _strongest([record for record in records if record.usable]))
    return None


def _signed_names(resolver: dns.resolver.Resolver, host: str) -> list[str]:
    """The names under which records may stand: what an alias leads to, then the alias; none of an unsigned zone, whose name
    servers often stumble over the question (RFC 7672 §2.2.2)."""
    try:
        answer = resolver.resolve(host, "A", raise_on_no_answer=False, search=False)
        target = str(answer.canonical_name).rstrip(".").lower()
        if is_secure(answer, resolver):
            return list(dict.fromkeys([target, host]))
        alias = target != host and is_secure(resolver.resolve(host, "CNAME", search=False), resolver)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    return [host] if alias else []


def _strongest(records: list[Record]) -> tuple[Record, ...]:
    """Of one usage and selector, the strongest digest alone is asked (RFC 7671 §9)."""
    best: dict[tuple[int, int], int] = {}
    for record in records:
        kind = (record.usage, record.selector)
        best[kind] = max(best.get(kind, 0), record.matching)
    return tuple(record for record in records if record.matching in {0, best[record.usage, record.selector]})
