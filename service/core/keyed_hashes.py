"""Keyed hashes of mailboxes: what is kept of an address after its erasure."""

from __future__ import annotations

import hmac

from service.core.config import settings


def keyed_hash(mailbox: str) -> str:
    return hmac.digest(settings().hash_key.encode(), f"suppression {mailbox}".encode(), "sha256").hex()
