"""Connections to an official's own server, known by MX or MAIL_ROUTES: TLS as far as it goes (RFC 7435), names never else."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from service.core.config import Settings
from workers.outbound.policies import as_published
from workers.outbound.smtp import trouble
from workers.outbound.smtp.mx import Route
from workers.outbound.smtp.one_by_one import Conversation
from workers.outbound.smtp.outcome import Encryption
from workers.outbound.smtp.trouble import NotEncrypted


def connect(open_one: Callable[[], Conversation], route: Route, config: Settings, encryption: Encryption) -> Conversation:
    """A greeted connection over which such a letter may go. Where the domain publishes nothing of its encryption, a certificate
    that does not verify is noted, not refused.

    Raises NotEncrypted, NotAsPublished, and what `trouble.ANY` names.
    """

    def opened() -> Conversation:
        host = open_one()
        host.published = route.demand.in_words
        return host

    if route.demand.by and not route.demand.testing:
        return as_published.secured(opened, route.demand, config)
    return _as_far_as_it_goes(opened, route, config, encryption)


def _as_far_as_it_goes(
    open_one: Callable[[], Conversation], route: Route, config: Settings, encryption: Encryption
) -> Conversation:
    host = _greeted(open_one)
    if host.has_extn("starttls"):
        try:
            return _encrypted(host, open_one, route, config)
        except NotEncrypted:
            if encryption != "where it works":
                raise
            host = _greeted(open_one)
            host.tls_broken = True
    if not may_carry(host, config, encryption):
        host.close()
        raise NotEncrypted
    return host


def may_carry(host: Conversation, config: Settings, encryption: Encryption) -> bool:
    """Whether a letter may go over this connection: encrypted, or not worth it, or on a network that we trust."""
    if host.encrypted:
        return True
    if host.tls_broken:
        return encryption == "where it works"
    return encryption != "needed" or _is_ours(host, config)


def _is_ours(host: Conversation, config: Settings) -> bool:
    address = ip_address(host.facts["address"])
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return any(address in network for network in config.clear_networks)


def _greeted(open_one: Callable[[], Conversation]) -> Conversation:
    host = open_one()
    host.ehlo_or_helo_if_needed()
    return host


def _encrypted(host: Conversation, open_one: Callable[[], Conversation], route: Route, config: Settings) -> Conversation:
    """TLS with a certificate that verifies, else with any. Raises NotEncrypted where it is offered and cannot be made."""
    try:
        return _secured(host, route, as_published.trusting(config))
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message or "its certificate does not verify"
    again = _greeted(open_one)
    again.unverified = why
    return _secured(again, route, as_published.trusting_anybody())


def _secured(host: Conversation, route: Route, context: ssl.SSLContext) -> Conversation:
    """The certificate should be the one of the server's name, wherever that was reached."""
    host._host = route.name  # type: ignore[attr-defined]
    try:
        host.starttls(context=context)
        host.ehlo_or_helo_if_needed()
    except ssl.SSLCertVerificationError:
        host.close()
        raise
    except trouble.ANY as error:
        host.close()
        raise NotEncrypted from error
    return host
