"""Which manifests want a timestamp from outside (TIMESTAMP_URL), and whose they have."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core import queues
from service.core.config import settings
from service.models import Manifest

FOR = timedelta(days=30)
"""So long a service is asked; later it would prove little."""
MOST = 100


def wake(session: Session, manifest: Manifest) -> None:
    if settings().timestamp_url and manifest.number is not None:
        queues.wake(session, "stamp", manifest.id, queues.NOTICES)


def wake_missing(session: Session, now: datetime) -> None:
    """Rings for those that no service has answered for."""
    if settings().timestamp_url:
        missing = select(Manifest.id).where(Manifest.timestamp.is_(None), Manifest.number.is_not(None))
        for number in session.scalars(missing.where(Manifest.issued_at > now - FOR).order_by(Manifest.id).limit(MOST)):
            queues.wake(session, "stamp", number, queues.NOTICES)


def stamped(session: Session, serving_ids: list[int]) -> set[int]:
    """Which of these servings' manifests have one."""
    theirs = select(Manifest.serving_id).where(Manifest.serving_id.in_(serving_ids), Manifest.timestamp.is_not(None))
    return set(session.scalars(theirs))


def authorities() -> tuple[bytes, ...]:
    """The certificates of TIMESTAMP_CA_FILE, DER."""
    if not settings().timestamp_ca_file:
        return ()
    with open(settings().timestamp_ca_file, "rb") as file:
        return tuple(certificate.public_bytes(Encoding.DER) for certificate in x509.load_pem_x509_certificates(file.read()))
