"""The mail servers of a receiving domain (RFC 5321 §5.1), for letters to officials that go there straight."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.resolver

from service.core.config import settings
from service.mailings.checks import dns_lookups
from service.text import mail_troubles
from workers.outbound.policies import dane, mta_sts, published

log = logging.getLogger(__name__)

SMTP_PORT = 25
LOOKUP_SECONDS = 10.0


class Route(NamedTuple):
    """A server that bypasses the relay: what it is called, for its certificate, and where it is reached."""

    name: str
    host: str
    port: int
    public_only: bool = False
    """Whether DNS named it, so that it may lead to the public network only; a place of MAIL_ROUTES is our operator's word."""
    demand: published.Demand = published.Demand()


class TakesNoMail(RuntimeError):
    """The domain says that it takes no mail (RFC 7505), or is not there."""


class NotKnownNow(RuntimeError):
    """No name server answered; later is fine."""


def routes(domain: str, *, direct: bool) -> list[Route]:
    """Where letters to a domain go, in the order to try; none: to the relay. Raises TakesNoMail, NotKnownNow."""
    if (place := settings().mail_routes.get(domain)) is not None:
        return [Route(domain, *place)]
    if not direct or settings().dns_server == "off":
        return []
    names, signed = exchangers(domain)
    resolver = _resolver(settings().dns_server)
    policy = mta_sts.of(resolver, domain, datetime.now(UTC))
    return [_route(name)._replace(demand=published.demand(resolver, domain, name, policy, signed=signed)) for name in names]


def _route(name: str) -> Route:
    if (place := settings().mail_routes.get(name)) is not None:
        return Route(name, *place)
    return Route(name, name, SMTP_PORT, public_only=not settings().allow_private_mx)


def exchangers(domain: str) -> tuple[list[str], bool]:
    """The names of its MX, the preferred first, and whether the answer was signed; a domain without any is its own."""
    resolver = _resolver(settings().dns_server)
    try:
        answer = resolver.resolve(domain, "MX", raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        raise TakesNoMail(mail_troubles.NO_SUCH_DOMAIN) from None
    except dns.exception.DNSException as error:
        log.warning("mail servers not looked up: %s", type(error).__name__)
        raise NotKnownNow(mail_troubles.NOT_LOOKED_UP) from None
    signed = dane.is_secure(answer, resolver)
    if answer.rrset is None:
        return [domain], signed
    names = [name for _, name in sorted((record.preference, str(record.exchange).rstrip(".").lower()) for record in answer)]
    if names == [""]:
        raise TakesNoMail(mail_troubles.TAKES_NO_MAIL)
    return [name for name in names if name], signed


@lru_cache
def _resolver(server: str) -> dns.resolver.Resolver:
    resolver = dns_lookups.resolver(server)
    resolver.lifetime = LOOKUP_SECONDS
    resolver.cache = dns.resolver.LRUCache()
    resolver.flags = dns.flags.RD | dns.flags.AD  # to be told whether answers are signed (RFC 6840 §5.7)
    return resolver
