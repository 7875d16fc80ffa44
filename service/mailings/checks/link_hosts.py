"""Whether the hosts that an update links to are in DNS. Their names are looked up; nothing is fetched from them.

A page that our server asks for at an author's word would be a way into our network, and would tell its server what we plan.
"""

from __future__ import annotations

import ipaddress
import time
from urllib.parse import urlsplit

import dns.exception
import dns.resolver

from service.core.config import settings
from service.mailings.checks import dns_lookups
from service.mailings.checks.dns_lookups import PATIENCE_SECONDS
from service.mailings.checks.findings import Finding, Findings
from service.mailings.checks.link_texts import targets

MOST = 20
"""Hosts of one update that are looked up."""


def hosts(body: str) -> list[str]:
    """Of its links to https, in order, each once; in A-labels, as DNS has them. Addresses in figures need no look."""
    host_names: dict[str, None] = {}
    for href in targets(body):
        parts = urlsplit(href)
        host = (parts.hostname or "").rstrip(".")
        if parts.scheme == "https" and host and not _in_figures(host):
            host_names[_ascii(host)] = None
    return list(host_names)


def _in_figures(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def findings(body: str, seconds: float = PATIENCE_SECONDS + 1) -> Findings:
    """What DNS says of them, waited for so long; empty where it is not asked (DNS_SERVER=off), or there are none."""
    server, until = settings().dns_server, time.monotonic() + seconds
    linked = hosts(body)[:MOST] if server != "off" else []
    asked = [(host, dns_lookups.begin(("host", server, host), lambda host=host: is_there(server, host))) for host in linked]  # type: ignore[misc]
    results = [(host, dns_lookups.heard(lookup, max(until - time.monotonic(), 0.0))) for host, lookup in asked]
    gone = [host for host, there in results if there is False]
    unknown = [host for host, there in results if there is None]
    if gone:
        remedy = "Look at its address: whoever presses the link sees an error."
        return [Finding("Links", "serious", f"There is no {host} in DNS.", remedy) for host in gone]
    if unknown:
        return [Finding("Links", "warning", f"DNS has not said yet whether there is {unknown[0]}.", "Look again in a moment.")]
    return [Finding("Links", "ok", "Every host that they name is in DNS.")] if results else []


def is_there(server: str, host: str) -> bool | None:
    """Whether a name has an address; None where DNS does not say."""
    resolver, until = dns_lookups.resolver(server), time.monotonic() + PATIENCE_SECONDS
    for kind in ("A", "AAAA"):
        try:
            resolver.resolve(host, kind, lifetime=max(until - time.monotonic(), 0.1), search=False)
        except dns.resolver.NXDOMAIN:
            return False
        except dns.resolver.NoAnswer:
            continue
        except (dns.exception.DNSException, OSError, UnicodeError):
            return None
        return True
    return False
