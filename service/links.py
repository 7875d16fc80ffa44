"""The signed links and envelope addresses that we put into e-mails.

Two spellings, for two places. Web links hold an opaque random key, signed by itsdangerous, one salt for each purpose. Where a
mail server may change the case or cut at 64 characters (RFC 5321 §4.5.3.1.1), and where a million are made at once, a token is
base32 of a masked row number with its MAC: 32 characters, good in either case.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from functools import lru_cache

from itsdangerous import BadSignature, URLSafeSerializer

from service.config import settings
from service.errors import NotFound

MAC_BYTES = 14
ID_BYTES = 6
SIGNATURE_ENDS = re.compile(r"\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]\Z")
"""A SHA-256 in base64 leaves two bits of its last character open: only the spelling that we write is ours."""


def new_key() -> str:
    """128 random bits, for a row that a link will point to."""
    return secrets.token_urlsafe(16)


def sign(purpose: str, key: str) -> str:
    token = _serializer(purpose, settings().secret_key).dumps(key)
    return token.decode() if isinstance(token, bytes) else token


def read(purpose: str, token: str) -> str:
    """The key inside a token of this purpose, signed by any of our keys. Raises NotFound."""
    try:
        key = _serializer(purpose, settings().secret_key).loads(token)
    except BadSignature:
        raise NotFound("this link is not one of ours") from None
    if not isinstance(key, str) or not SIGNATURE_ENDS.search(token):
        raise NotFound("this link is not one of ours")
    return key


@lru_cache
def _serializer(purpose: str, secret_keys: tuple[str, ...]) -> URLSafeSerializer:
    """itsdangerous signs with the last key of its list; our setting names the signing key first."""
    options = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    return URLSafeSerializer(list(reversed(secret_keys)), salt=f"undersigned {purpose}", signer_kwargs=options)


@lru_cache
def compact_key(purpose: str, secret_key: str) -> bytes:
    return hmac.digest(secret_key.encode(), f"undersigned compact {purpose}".encode(), "sha256")


def compact(purpose: str, row_id: int, key: bytes | None = None) -> str:
    """32 base32 characters: MAC of the number, then the number masked by that MAC, so that numbers are not counted."""
    key = key or compact_key(purpose, settings().secret_key[0])
    number = row_id.to_bytes(ID_BYTES, "big")
    mac = hmac.digest(key, number, "sha256")[:MAC_BYTES]
    return base64.b32encode(mac + _mask(key, mac, number)).decode().lower()


def read_compact(purpose: str, token: str) -> int:
    """The row number inside a token made by any of our keys, in either case. Raises NotFound."""
    try:
        raw = base64.b32decode(token.encode("ascii").upper())
    except ValueError:
        raise NotFound("this link is not one of ours") from None
    if len(raw) == MAC_BYTES + ID_BYTES:
        mac, masked = raw[:MAC_BYTES], raw[MAC_BYTES:]
        for secret_key in settings().secret_key:
            key = compact_key(purpose, secret_key)
            number = _mask(key, mac, masked)
            if hmac.compare_digest(hmac.digest(key, number, "sha256")[:MAC_BYTES], mac):
                return int.from_bytes(number, "big")
    raise NotFound("this link is not one of ours")


def _mask(key: bytes, mac: bytes, number: bytes) -> bytes:
    pad = hmac.digest(key, b"mask" + mac, "sha256")
    return bytes(a ^ b for a, b in zip(number, pad, strict=False))


def url(path: str) -> str:
    return settings().base_url + path


def confirm_url(key: str) -> str:
    return url(f"/confirm/{sign('confirm', key)}")


def manage_url(key: str) -> str:
    return url(f"/manage/{sign('manage', key)}")


def sign_in_url(key: str) -> str:
    return url(f"/organise/sign-in/{sign('sign-in', key)}")


def unsubscribe_url(subscription_id: int) -> str:
    return url(f"/unsubscribe/{compact('unsubscribe', subscription_id)}")


def unsubscribe_address(subscription_id: int) -> str:
    return f"unsubscribe+{compact('unsubscribe', subscription_id)}@{settings().mail_domain}"


def bounce_address(message_id: int) -> str:
    return f"bounce+{compact('bounce', message_id)}@{settings().mail_domain}"


def message_id(row_id: int) -> str:
    """The Message-ID of a message row: the same on every attempt, also across a rotation of SECRET_KEY."""
    return f"<{compact('message', row_id, compact_key('message', settings().hash_key))}@{settings().mail_domain}>"
