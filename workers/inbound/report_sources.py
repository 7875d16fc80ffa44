"""Whether whoever sent a report can know what it says: our relay, the recipient's own domain, a provider whom we named.

Everything else is a claim. What it would change stays as it is, organisers see it as "somebody says", and nobody else does.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_address

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.emails import links
from service.errors import NotFound
from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.origin import UNKNOWN
from service.models import Arrival, Attempt, FormerTokens, Message
from service.text import email_addresses

KEPT_SECONDS = 300
FORMER_COUNT = timedelta(days=7)


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


def with_peer(arrival: Arrival, judgement: Judgement) -> Judgement:
    """With whoever connected straight to our SMTP door, whose own words Received lines are then."""
    return replace(judgement, hops=[arrival.peer, *judgement.hops]) if arrival.peer else judgement


def is_by_our_relay(judgement: Judgement) -> bool:
    """Whether a program of this machine wrote it, or the relay that we hand our mail to; not what either only handed on."""
    for hop in judgement.hops:
        if not hop:
            return True  # a server that we trust wrote it, and nobody connected
        if hop == UNKNOWN or (is_outside(hop) and not _relay.has(hop)):
            return False
    return True


def vouched_for(arrival: Arrival, judgement: Judgement) -> list[str]:
    """The domains that it is proved to come from; not where a stranger connected straight to our SMTP door and wrote that."""
    return judgement.vouched_for if arrival.peer is None or _relay.has(arrival.peer) else []


def is_named_provider(arrival: Arrival, judgement: Judgement) -> bool:
    """One that proved itself at its hook, or by SPF or DKIM as a domain of FEEDBACK_DOMAINS."""
    return arrival.external_id is not None or bool({*settings().feedback_domains} & {*vouched_for(arrival, judgement)})


def is_of_their_server(session: Session, arrival: Arrival, judgement: Judgement, message: Message, mailbox: str) -> bool:
    """SPF or DKIM of the domain that it went to, or of a server that took it. A person there sends no mail without a sender."""
    if arrival.sender != "" or not vouched_for(arrival, judgement):
        return False
    took_it = session.scalars(select(Attempt.host).where(Attempt.message_id == message.id))
    hosts = {email_addresses.domain(mailbox), settings().mail_server.lower(), *(host.lower() for host in took_it)}
    return any(_belongs(name, host) for name in judgement.vouched_for for host in hosts)


def _belongs(name: str, host: str) -> bool:
    """Whether one of them is a part of the other; not of all that ends in one label."""
    return "." in name and "." in host and (name == host or name.endswith(f".{host}") or host.endswith(f".{name}"))


def can_know(session: Session, arrival: Arrival, judgement: Judgement, message: Message, mailbox: str | None) -> bool:
    """Whether its word on what became of a message to this mailbox counts, once it has the secret that this takes."""
    if is_by_our_relay(judgement) or is_named_provider(arrival, judgement):
        return True
    return mailbox is not None and is_of_their_server(session, arrival, judgement, message, mailbox)


def knows_of_complaints(
    session: Session, arrival: Arrival, judgement: Judgement, message: Message, mailbox: str | None
) -> bool:
    """A provider's hook; else the secret for complaints, from who can know. Letters of before had none: a named provider."""
    if arrival.external_id is not None:
        return True
    if message.id in {_row(links.read_complaint_token, token) for token in judgement.feedback_ids}:
        return can_know(session, arrival, judgement, message, mailbox)
    return is_former(session, message) and is_named_provider(arrival, judgement)


def holds_secret(judgement: Judgement, message: Message) -> bool:
    """Whether the report returns the envelope's sender of this message."""
    return message.id in {_row(links.read_envelope_token, token) for token in judgement.tokens}


def _row(read: Callable[[str], int], token: str) -> int | None:
    try:
        return read(token)
    except NotFound:
        return None


def is_just_former(session: Session, message: Message, judgement: Judgement, mailbox: str | None, now: datetime) -> bool:
    """Whether a report to a bounce address of before may be about its message: it names the reader, and mail is tried for days.

    The address is public. Later, anybody who has a server return a letter of their own to it would be believed.
    """
    is_recent = now - (message.settled_at or message.created_at) < FORMER_COUNT
    is_theirs = judgement.recipient is not None and email_addresses.mailbox(judgement.recipient) == mailbox
    return is_recent and is_theirs and is_former(session, message)


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
