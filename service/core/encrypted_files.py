"""Files that nobody reads or changes without the key: authenticated encryption of a stream, a part at a time.

AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): the nonce of each part holds its number and
whether it is the last, so no part is swapped, left out, repeated or cut off unseen. A file's key is made of ours and a salt.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"undersigned sealed file 1\n"
SALT_BYTES = 32
PART_BYTES = 1 << 20
TAG_BYTES = 16


class NotOpened(ValueError):
    """Another key, or a file that was changed, cut off, or is none of ours."""


def is_sealed(start: bytes) -> bool:
    return start.startswith(MAGIC)


def _cipher(secret: str, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, b"undersigned sealed file").derive(secret.encode()))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")


class Sealer(io.RawIOBase):
    """Writes what it is given, sealed; whole once it is closed."""

    def __init__(self, raw: IO[bytes], secret: str) -> None:
        salt = os.urandom(SALT_BYTES)
        self._raw, self._cipher = raw, _cipher(secret, salt)
        self._waiting, self._number = bytearray(), 0
        raw.write(MAGIC + salt)

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        given = bytes(content)  # type: ignore[call-overload]
        self._waiting += given
        while len(self._waiting) > PART_BYTES:  # one part always stays, for it may be the last
            self._seal(bytes(self._waiting[:PART_BYTES]), last=False)
            del self._waiting[:PART_BYTES]
        return len(given)

    def _seal(self, part: bytes, *, last: bool) -> None:
        self._raw.write(self._cipher.encrypt(_nonce(self._number, last=last), part, None))
        self._number += 1

    def close(self) -> None:
        if not self.closed:
            self._seal(bytes(self._waiting), last=True)
        super().close()


def opened(raw: IO[bytes], secret: str) -> Iterator[bytes]:
    """The parts of a sealed file, each once it is proved. Raises NotOpened; what came before may be a beginning only."""
    if raw.read(len(MAGIC)) != MAGIC:
        raise NotOpened("it is no sealed file of ours")
    salt = raw.read(SALT_BYTES)
    cipher, number = _cipher(secret, salt), 0
    part = raw.read(PART_BYTES + TAG_BYTES)
    while True:
        following = raw.read(PART_BYTES + TAG_BYTES)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), part, None)
        except InvalidTag:
            raise NotOpened("its key is another, or it was changed or cut off") from None
        if not following:
            return
        part, number = following, number + 1
