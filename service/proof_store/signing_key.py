"""The key that signs manifests: a file that only workers need to read, made at its first use; its public half is published."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.errors import Refused
from service.models import ProofKey
from service.proof import keys
from service.proof.encoding import Document

PEM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _file() -> Path:
    return Path(settings().proof_key_file or settings().var_dir / "proof.pem")


def _next() -> Path:
    """A new key waits here until it has been published."""
    return _file().with_suffix(".next")


def fingerprint(session: Session, now: datetime) -> str:
    """Of the key that signs now. Raises Refused as `current` does."""
    return keys.key_id(keys.public_bytes(current(session, now)))


def current(session: Session, now: datetime) -> Ed25519PrivateKey:
    """The key that signs now: the last one published. Raises Refused where this machine does not have it."""
    published = session.scalar(select(ProofKey).order_by(ProofKey.id.desc()).limit(1))
    if published is None:
        key = _made(_file())
        _publish(session, key, key, now)
        return key
    with suppress(FileNotFoundError):
        if _fingerprint(_read(_next())) == published.fingerprint:
            _next().replace(_file())
    try:
        key = _read(_file())
    except FileNotFoundError:
        raise Refused(f"{_file()} is not there, and it signs our manifests: set PROOF_KEY_FILE, or put it back.") from None
    if _fingerprint(key) != published.fingerprint:
        raise Refused(f"{_file()} is not the key {published.fingerprint} that is published; take that, or rotate the key.")
    return key


def rotate(session: Session, now: datetime) -> str:
    """A new key, endorsed by the one before; returns its fingerprint. Its file takes the old one's place at its first use."""
    old = current(session, now)
    _next().unlink(missing_ok=True)
    new = _made(_next())
    _publish(session, new, old, now)
    return _fingerprint(new)


def document(session: Session) -> Document:
    """What stands at /.well-known/undersigned-keys.json."""
    proof_keys = session.scalars(select(ProofKey).order_by(ProofKey.id))
    entries = [
        keys.entry(signing_key.public_key, signing_key.since) | {"endorsement": signing_key.endorsement}
        for signing_key in proof_keys
    ]
    return keys.document(settings().base_url, entries)


def _publish(session: Session, key: Ed25519PrivateKey, by: Ed25519PrivateKey, now: datetime) -> None:
    public = keys.public_bytes(key)
    endorsement = keys.endorse(by, keys.entry(public, now))["endorsement"]
    session.add(ProofKey(fingerprint=keys.key_id(public), public_key=public, since=now, endorsement=endorsement))
    session.flush()


def _fingerprint(key: Ed25519PrivateKey) -> str:
    return keys.key_id(keys.public_bytes(key))


def _made(path: Path) -> Ed25519PrivateKey:
    """A fresh key in a file that only we can read; where one is there already, that one."""
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Ed25519PrivateKey.generate().private_bytes(*PEM))
    return _read(path)


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused(f"{path} holds no Ed25519 key in PEM without a password.")
    return key
