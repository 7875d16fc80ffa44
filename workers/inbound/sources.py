"""Whether whoever sent a report can know what it says: our relay, the recipient's own domain, a provider whom we named.

Everything else is a claim. What it would change stays as it is, organisers see it as "somebody says", and nobody else does.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from ipaddress import ip_address

from sqlalchemy.orm import Session

from service import links
from service.addresses import domain
from service.config import settings
from service.errors import NotFound
from service.incoming.judgement import Judgement
from service.models import Arrival, FormerTokens, Message

KEPT_SECONDS = 300


@dataclass
class _Relay:
    """The addresses of the relay, looked up now and then."""

    server: str = ""
    until: float = 0.0
    addresses: frozenset[str] = field(default_factory=frozenset)

    def has(self, address: str) -> bool:
        server, now = settings().mail_server, time.monotonic()
        if server != self.server or now > self.until:
            self.server, self.until, self.addresses = server, now + KEPT_SECONDS, _addresses(server)
        return address in self.addresses


def _addresses(server: str) -> frozenset[str]:
    try:
        return frozenset(str(place[0]) for *_, place in socket.getaddrinfo(server, None))
    except OSError:
        return frozenset()


_relay = _Relay()


def is_by_our_relay(arrival: Arrival, said: Judgement) -> bool:
    """A program of this machine, or the relay that we hand our mail to."""
    address = arrival.peer or said.handed_over_by
    return not address or _relay.has(address)


def is_named_provider(arrival: Arrival, said: Judgement) -> bool:
    """One that proved itself at its hook, or by DKIM as a domain of FEEDBACK_DOMAINS."""
    return arrival.external_id is not None or (not arrival.peer and bool({*settings().feedback_domains} & {*said.vouched_for}))


def is_of_the_recipients_domain(arrival: Arrival, said: Judgement, mailbox: str) -> bool:
    """SPF or DKIM of the domain that the message went to, or of a part of it. A person there sends no mail without a sender."""
    if arrival.peer or arrival.sender:
        return False
    host = domain(mailbox)
    return any(
        name == host or name.endswith(f".{host}") or host.endswith(f".{name}") for name in said.vouched_for if "." in name
    )


def knows_of_failures(arrival: Arrival, said: Judgement, mailbox: str | None) -> bool:
    """Whether its word on what became of a message to this mailbox counts, once it has the secret of the envelope."""
    if is_by_our_relay(arrival, said) or is_named_provider(arrival, said):
        return True
    return mailbox is not None and is_of_the_recipients_domain(arrival, said, mailbox)


def knows_of_complaints(arrival: Arrival, said: Judgement, message: Message, mailbox: str | None) -> bool:
    """As before; the recipient's domain needs the secret too, since anybody with an account there could write in its name."""
    if is_by_our_relay(arrival, said) or is_named_provider(arrival, said):
        return True
    return mailbox is not None and holds_secret(said, message) and is_of_the_recipients_domain(arrival, said, mailbox)


def holds_secret(said: Judgement, message: Message) -> bool:
    """Whether the report returns the envelope's sender of this message."""
    return any(_envelope(token) == message.id for token in said.tokens)


def _envelope(token: str) -> int | None:
    try:
        return links.read_envelope_token(token)
    except NotFound:
        return None


def is_former(session: Session, message: Message) -> bool:
    """Whether it was written when the token of its Message-ID stood in its bounce address, too."""
    row = session.get(FormerTokens, 1)
    return row is not None and message.id <= row.last_message_id


def is_outside(address: str) -> bool:
    """Whether a connection came from another machine."""
    try:
        return not ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
