"""Encryption as the recipient's domain demands it: with the certificate that DANE names, or one that verifies, or no letter."""

from __future__ import annotations

import _ssl
import smtplib
import ssl
from collections.abc import Callable
from typing import Any

from service.core.config import Settings
from service.text import mail_troubles
from workers.outbound.policies import dane
from workers.outbound.policies.published import Demand
from workers.outbound.smtp.one_by_one import Conversation
from workers.outbound.smtp.trouble import NotAsPublished

Open = Callable[[], Conversation]


def secured(open_one: Open, demand: Demand, config: Settings) -> Conversation:
    """A greeted connection that is as its domain says. Raises NotAsPublished, and what `trouble.ANY` names."""
    if demand.broken:
        raise NotAsPublished(demand.broken)
    if demand.by == "MTA-STS":
        return _encrypted(open_one, demand.names[0], trusting(config))
    host = _encrypted(open_one, demand.names[0], trusting_anybody())
    chain = _chain(host.sock)
    own = [record for record in demand.records if record.usage == dane.END_ENTITY]
    if not demand.records:
        host.unverified = dane.NO_USABLE_RECORD
    elif not any(record.fits(chain[0]) for record in own):  # its names and dates do not matter there (RFC 7672 §3.1.1)
        host.close()
        return _below_an_anchor(open_one, demand, chain)
    return host


def _below_an_anchor(open_one: Open, demand: Demand, chain: list[bytes]) -> Conversation:
    """A new connection, for which the certificates that DANE names are all that is trusted (RFC 7672 §3.1.2)."""
    anchors = [record for record in demand.records if record.usage == dane.ANCHOR]
    given = [anchor.data for anchor in anchors if (anchor.selector, anchor.matching) == (0, 0)]
    trusted = given + [certificate for certificate in chain[1:] if any(anchor.fits(certificate) for anchor in anchors)]
    if not trusted:
        raise NotAsPublished(mail_troubles.NOT_AS_PUBLISHED)
    for name in demand.names:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(cadata=b"".join(trusted))
            return _encrypted(open_one, name, context)
        except (NotAsPublished, ssl.SSLError):
            continue
    raise NotAsPublished(mail_troubles.NOT_AS_PUBLISHED)


def _encrypted(open_one: Open, name: str, context: ssl.SSLContext) -> Conversation:
    host = open_one()
    host.ehlo_or_helo_if_needed()
    if not host.has_extn("starttls"):
        host.close()
        raise NotAsPublished(mail_troubles.NOT_AS_PUBLISHED)
    host._host = name  # type: ignore[attr-defined]
    try:
        host.starttls(context=context)
        host.ehlo_or_helo_if_needed()
    except (ssl.SSLError, ValueError, smtplib.SMTPException, OSError) as error:
        host.close()
        raise NotAsPublished(mail_troubles.NOT_AS_PUBLISHED) from error
    return host


def trusting(config: Settings) -> ssl.SSLContext:
    """Verifies by the system's authorities, and MAIL_CA_FILE."""
    context = ssl.create_default_context()
    if config.mail_ca_file:
        context.load_verify_locations(config.mail_ca_file)
    return context


def trusting_anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _chain(sock: Any) -> list[bytes]:
    """The certificates as the server sent them, DER, its own first."""
    if hasattr(sock, "get_unverified_chain"):  # Python 3.13
        return list(sock.get_unverified_chain())
    return [certificate.public_bytes(_ssl.ENCODING_DER) for certificate in sock._sslobj.get_unverified_chain() or []]
