"""A keyed mark of the visitor who pressed a button: enough to see that one visitor pressed many, and nothing else.

It is kept for 30 days (service/people/retention.py) and stands on no page.
"""

from __future__ import annotations

import hmac
import ipaddress
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.core.config import settings
from service.core.db import among
from service.models import Signature

LENGTH = 16
KEPT = timedelta(days=30)
MOST = 5_000


def network(remote_address: str) -> str:
    """One visitor owns a whole IPv6 /64; "unknown" for what is no address."""
    try:
        address = ipaddress.ip_address(remote_address.partition("%")[0])
    except ValueError:
        return "unknown"
    if address.version == 6 and (mapped := ipaddress.IPv6Address(address).ipv4_mapped):
        address = mapped
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


def mark(remote_address: str) -> str | None:
    """None for this machine itself, whose address tells nobody apart, and for what is no address."""
    place = network(remote_address)
    if place in {"unknown", "::/64"} or ipaddress.ip_network(place).is_loopback:
        return None
    return hmac.digest(settings().hash_key.encode(), f"undersigned visitor {place}".encode(), "sha256").hex()[:LENGTH]


def forget(session: Session, now: datetime) -> int:
    """Takes off marks whose time is over, some thousand at a time; returns how many."""
    marked = select(Signature.id).where(Signature.visitor.is_not(None), Signature.confirmed_at < now - KEPT).limit(MOST)
    ids = list(session.scalars(marked))
    session.execute(update(Signature).where(among(session, Signature.id, ids)).values(visitor=None))
    return len(ids)
