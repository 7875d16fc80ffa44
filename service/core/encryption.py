"""Secrets at rest: what a copy of the database alone must not give away."""

from __future__ import annotations

import base64
import hmac

from cryptography.fernet import Fernet

from service.core.config import settings


def seal(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises cryptography.fernet.InvalidToken where HASH_KEY is another than the one that sealed it."""
    return _fernet().decrypt(sealed.encode()).decode()


def _fernet() -> Fernet:
    key = hmac.digest(settings().hash_key.encode(), b"undersigned sealed", "sha256")
    return Fernet(base64.urlsafe_b64encode(key))
