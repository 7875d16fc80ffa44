"""Asks a timestamp service (RFC 3161) when a manifest was there, and keeps what it says."""

from __future__ import annotations

import secrets
import urllib.error
import urllib.request

from cryptography import x509
from sqlalchemy import update

from service.core.config import settings
from service.core.db import reading, transaction
from service.models import Manifest
from service.proof.encoding import Unreadable
from service.proof.timestamping import tokens
from service.proof_store import due_timestamps

PATIENCE_SECONDS = 20
LARGEST = 64 * 1024
ASKED_AS, ANSWERED_AS = "application/timestamp-query", "application/timestamp-reply"


class NoTimestamp(OSError):
    """The service gave none that is about this manifest."""


def run(manifest_id: int) -> bool:
    """Raises OSError where the service is away, or what it says is worth nothing: it is asked again."""
    with reading() as session:
        manifest = session.get(Manifest, manifest_id)
        if manifest is None or manifest.timestamp is not None:
            return False
        digest = bytes.fromhex(manifest.hash)
    token = ask(digest)
    with transaction() as session:
        session.execute(update(Manifest).where(Manifest.id == manifest_id).values(timestamp=token))
    return True


def ask(digest: bytes) -> bytes:
    nonce = secrets.randbits(63)
    request = urllib.request.Request(settings().timestamp_url, tokens.request(digest, nonce), {"Content-Type": ASKED_AS})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            token: bytes = answer.read(LARGEST)
            kind = answer.headers.get_content_type()
        stamp = tokens.read(token)
    except (urllib.error.URLError, ValueError, Unreadable) as error:
        raise NoTimestamp(f"{type(error).__name__}: no timestamp") from None
    authorities = [x509.load_der_x509_certificate(authority) for authority in due_timestamps.authorities()]
    if kind != ANSWERED_AS or (stamp.imprint, stamp.nonce) != (digest, nonce) or tokens.broken(stamp):
        raise NoTimestamp("it is not the timestamp that was asked for")
    if authorities and not tokens.is_trusted(stamp, authorities):
        raise NoTimestamp("none of TIMESTAMP_CA_FILE vouches for it")
    return token
