"""Whom we ask for names (DNS_SERVER)."""

from __future__ import annotations

import dns.resolver

DNS_PORT = 53


def resolver(server: str) -> dns.resolver.Resolver:
    """Asks this server, 192.0.2.53, 127.0.0.1:5353 or [2001:db8::53]:53, or the system's where none is named."""
    found = dns.resolver.Resolver(configure=not server)
    if server:
        with_port = server.count(":") == 1 or "]:" in server
        host, _, port = server.rpartition(":") if with_port else (server, "", "")
        found.nameservers, found.port = [host.strip("[]")], int(port or DNS_PORT)
    return found
