"""What a domain publishes about how its mail servers are to be spoken to: DANE first (RFC 7672), else MTA-STS (RFC 8461 §2)."""

from __future__ import annotations

import logging
from typing import Literal, NamedTuple

import dns.exception
import dns.resolver

from service.text import mail_troubles
from workers.outbound.policies import dane, mta_sts

log = logging.getLogger(__name__)


class Demand(NamedTuple):
    """What one server must be before a letter goes there; nothing published: as far as TLS goes."""

    by: Literal["", "DANE", "MTA-STS"] = ""
    testing: bool = False
    """MTA-STS that only wants to be told (RFC 8461 §5): noted, not enforced."""
    names: tuple[str, ...] = ()
    """The names that its certificate may bear, the first is asked for."""
    records: tuple[dane.Record, ...] = ()
    broken: str = ""
    """Why no letter may go there at all."""

    @property
    def in_words(self) -> str:
        return f"{self.by} (testing)" if self.testing else self.by


def demand(resolver: dns.resolver.Resolver, domain: str, host: str, policy: mta_sts.Policy | None, *, signed: bool) -> Demand:
    """`signed`: whether DNS names this server of the domain in a signed answer, without which there is no DANE."""
    if signed:
        try:
            records = dane.published(resolver, host)
        except dns.exception.DNSException as error:
            log.warning("DANE not looked up: %s", type(error).__name__)
            return Demand("DANE", broken=mail_troubles.NOT_LOOKED_UP)
        if records is not None:
            return Demand("DANE", names=tuple(dict.fromkeys([records.host, host, domain])), records=records.records)
    if policy is None or policy.mode == "none":
        return Demand()
    testing, is_theirs = policy.mode == "testing", policy.names(host)
    return Demand("MTA-STS", testing, (host,), broken="" if is_theirs or testing else mail_troubles.NOT_THEIRS)
