"""Connections to mail servers that a stranger's DNS names: to public addresses only, never to our own networks.

An MX record may name 127.0.0.1, the address of a cloud's metadata, or a machine behind our firewall. The address is looked up
once, judged, and connected to, so that no second answer of DNS takes its place.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
"""RFC 6052, RFC 8215: the last 32 bits are an IPv4 address."""


class NotPublic(OSError):
    """A mail server's name leads to no public address."""


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """A connection to the first public address that takes one. Raises NotPublic, or the last OSError."""
    candidates = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(place[0]) for *_, place in candidates))
    public = [address for address in addresses if is_public(address)]
    if not public:
        raise NotPublic("no public address")
    error: OSError = NotPublic("no public address")
    for address in public:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as problem:
            error = problem
    raise error


def is_public(text: str) -> bool:
    """Whether an address is of the public network, whatever other address it wraps (IANA special-purpose registries)."""
    address = ip_address(text.partition("%")[0])
    wrapped = _wrapped(address) if isinstance(address, IPv6Address) else None
    if wrapped is not None:
        return is_public(str(wrapped))
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """IPv4-mapped, 6to4 (RFC 3056), Teredo (RFC 4380) and NAT64."""
    if any(address in network for network in NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
