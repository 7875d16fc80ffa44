"""The signed links and envelope addresses that we put into e-mails.

Two spellings, for two places. Web links hold an opaque random key, signed by itsdangerous, one salt for each purpose. Where a
mail server may change the case or cut at 64 characters (RFC 5321 §4.5.3.1.1), and where a million are made at once, a token is
base32 of an enciphered row number: 26 characters, good in either case.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from itsdangerous import BadSignature, URLSafeSerializer

from service.core.config import settings
from service.errors import NotFound, SpoiltLink

BLOCK_BYTES = 16
ID_BYTES = 6
ZEROS = bytes(BLOCK_BYTES - ID_BYTES)
TOKEN_CHARACTERS = 26
PADDING = "======"
FILLER = bytes(4)
STEP_CHARACTERS = 32
AGAIN = "again"
SIGNATURE_ENDS = re.compile(r"\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]\Z")
"""A SHA-256 in base64 leaves two bits of its last character open: only the spelling that we write is ours."""


def new_key() -> str:
    """128 random bits, for a row that a link will point to."""
    return secrets.token_urlsafe(16)


def sign(purpose: str, key: str) -> str:
    token = _serializer(purpose, settings().secret_key).dumps(key)
    return token.decode() if isinstance(token, bytes) else token


def read(purpose: str, token: str) -> str:
    """The key inside a token of this purpose, signed by any of our keys. Raises SpoiltLink."""
    try:
        key = _serializer(purpose, settings().secret_key).loads(token)
    except BadSignature:
        raise SpoiltLink("this link is not one of ours") from None
    if not isinstance(key, str) or not SIGNATURE_ENDS.search(token):
        raise SpoiltLink("this link is not one of ours")
    return key


@lru_cache
def _serializer(purpose: str, secret_keys: tuple[str, ...]) -> URLSafeSerializer:
    """itsdangerous signs with the last key of its list; our setting names the signing key first."""
    options = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    return URLSafeSerializer(list(reversed(secret_keys)), salt=f"undersigned {purpose}", signer_kwargs=options)


DIGITS = b"abcdefghijklmnopqrstuvwxyz234567"
COLUMNS = ((0, 3, 0, 8), (0, -2, 1, 6), (1, 1, 0, 8), (1, -4, 2, 4), (2, -1, 3, 7), (3, 2, 0, 8), (3, -3, 4, 5), (4, 0, 0, 8))
"""Which two bytes of five make each of eight digits, and by how many bits each is moved to the right: by 8, nothing is left."""


def _moved(bits: int) -> bytes:
    """A table for bytes.translate: each byte moved to the right, its five lowest bits kept."""
    return bytes((byte << -bits if bits < 0 else byte >> bits) & 31 for byte in range(256))


TABLES = [(first, _moved(by), second, _moved(by_too)) for first, by, second, by_too in COLUMNS]


def base32(data: bytes) -> bytes:
    """Small-letter base32 (RFC 4648 §6) of whole groups of five bytes: digit by digit of all groups at once, each step in C.

    The standard library goes group by group, which costs a copy of a mailing as much as filling it in.
    """
    digits = bytearray(len(data) // 5 * 8)
    for at, (first, moved, second, moved_too) in enumerate(TABLES):
        high, low = data[first::5].translate(moved), data[second::5].translate(moved_too)
        both = int.from_bytes(high, "big") | int.from_bytes(low, "big")
        digits[at::8] = both.to_bytes(len(high), "big")
    return bytes(digits).translate(DIGITS.ljust(256))


class Compact:
    """Tokens of one purpose under one key: a single AES block over purpose, row number and zeros, in base32: 26 characters.

    The cipher hides the number, and the zeros tell a token of ours from any other: 80 bits that a forger would have to hit
    (AES as a pseudo-random permutation; encode-then-encipher, Bellare and Rogaway 2000). One call makes a token.
    """

    def __init__(self, purpose: str, secret_key: str) -> None:
        key = hmac.digest(secret_key.encode(), f"undersigned compact {purpose}".encode(), "sha256")
        cipher = Cipher(AES(key), ECB())  # noqa: S305  one block for each token: there is no pattern to show
        self.encipher, self.decipher = cipher.encryptor().update, cipher.decryptor().update

    def token(self, row_id: int) -> str:
        return self.tokens([row_id])[0]

    def tokens(self, row_ids: Sequence[int]) -> list[str]:
        """Many at once, for a batch: one call of the cipher and one of base32, each block filled up to whole characters."""
        blocks = self.encipher(b"".join([row_id.to_bytes(ID_BYTES, "big") + ZEROS for row_id in row_ids]))
        padded = b"".join([blocks[at : at + BLOCK_BYTES] + FILLER for at in range(0, len(blocks), BLOCK_BYTES)])
        text = base32(padded).decode()
        return [text[at : at + TOKEN_CHARACTERS] for at in range(0, len(text), STEP_CHARACTERS)]

    def row_id(self, token: str) -> int | None:
        """The row number, or None for a token that this key did not make. Either case is good."""
        try:
            block = base64.b32decode(token.upper() + PADDING)
        except ValueError:
            return None
        plain = self.decipher(block) if len(block) == BLOCK_BYTES else b""
        row_id = int.from_bytes(plain[:ID_BYTES], "big")
        return row_id if plain[ID_BYTES:] == ZEROS and self.token(row_id) == token.lower() else None


@lru_cache
def coder(purpose: str, secret_key: str) -> Compact:
    """The tokens of a purpose under one of our keys."""
    return Compact(purpose, secret_key)


def compact(purpose: str, row_id: int) -> str:
    """A token under the key that signs now."""
    return coder(purpose, settings().secret_key[0]).token(row_id)


def read_compact(purpose: str, token: str) -> int:
    """The row number inside a token made by any of our keys, in either case. Raises SpoiltLink."""
    for secret_key in settings().secret_key:
        if (row_id := coder(purpose, secret_key).row_id(token)) is not None:
            return row_id
    raise SpoiltLink("this link is not one of ours")


def url(path: str) -> str:
    return settings().base_url + path


def confirm_url(key: str) -> str:
    return url(f"/confirm/{sign('confirm', key)}")


def manage_url(key: str) -> str:
    return url(f"/manage/{sign('manage', key)}")


def count_again_url(key: str) -> str:
    return url(f"/count-again/{sign('count again', key)}")


def acknowledge_url(key: str) -> str:
    return url(f"/acknowledge/{sign('acknowledge', key)}")


def objection_url(key: str) -> str:
    return url(f"/objection/{sign('objection', key)}")


def served_url(key: str, filename: str) -> str:
    """A list too large to attach: whoever has the letter's link may read what it names."""
    return url(f"/served/{sign('served', key)}/{filename}")


def sign_in_url(key: str) -> str:
    return url(f"/organise/sign-in/{sign('sign-in', key)}")


def unsubscribe_url(subscription_id: int) -> str:
    return url(f"/unsubscribe/{compact('unsubscribe', subscription_id)}")


def unsubscribe_address(subscription_id: int) -> str:
    return f"unsubscribe+{compact('unsubscribe', subscription_id)}@{settings().mail_domain}"


def bounce_address(message_id: int) -> str:
    """The envelope's sender of one message. Nothing else that we write holds its token, or lets anybody compute it."""
    return f"bounce+{coder('envelope', settings().hash_key).token(message_id)}@{settings().mail_domain}"


def complaint_token(message_id: int) -> str:
    """Comes back with a complaint, in the header that RFC 9477 has for it, and is good for nothing else."""
    return coder("complaint", settings().hash_key).token(message_id)


def complaint_address() -> str:
    """Where, and in which form, complaints are wanted (RFC 9477 §5.1)."""
    return f"fbl@{settings().mail_domain}; report=arf"


def confirm_address(request_id: int) -> str:
    return f"confirm+{compact('confirm by mail', request_id)}@{settings().mail_domain}"


def again_address() -> str:
    """Where somebody to whom we had stopped writing asks to be written to again."""
    return f"{AGAIN}@{settings().mail_domain}"


def message_id(row_id: int) -> str:
    return f"<{message_token(row_id)}@{settings().mail_domain}>"


def message_token(row_id: int) -> str:
    """Names a message row in its Message-ID, which is public: it proves nothing. The same on every attempt."""
    return coder("message", settings().hash_key).token(row_id)


def read_message_token(token: str) -> int:
    """The message row that a Message-ID of ours names. Raises NotFound."""
    return _read_lasting("message", token)


def read_envelope_token(token: str) -> int:
    """The message row whose envelope had this token, in either case. Raises NotFound."""
    return _read_lasting("envelope", token)


def read_complaint_token(token: str) -> int:
    """The message row whose complaints bear this token, in either case. Raises NotFound."""
    return _read_lasting("complaint", token)


def _read_lasting(purpose: str, token: str) -> int:
    if (row_id := coder(purpose, settings().hash_key).row_id(token)) is None:
        raise NotFound("this token is not one of ours")
    return row_id
