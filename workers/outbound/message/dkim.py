"""DKIM signatures (RFC 6376, 8301, 8463): rsa-sha256 of 2048 bits, or ed25519-sha256; relaxed/relaxed, no `l=`, oversigned.

What the stencil and the letters write is its own canonical body already: quoted-printable leaves no run of spaces and no space
at a line's end (`mime.quoted_printable`). So the body is hashed as it leaves.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from service.core.config import SettingRefused, Settings

SIGNED = (
    "From", "To", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type", "List-Id", "List-Unsubscribe",
    "List-Unsubscribe-Post", "List-Help", "List-Subscribe", "List-Owner", "List-Archive", "List-Post", "Feedback-ID",
    "CFBL-Address", "CFBL-Feedback-ID",
)  # fmt: skip
"""Each is named once more than it stands in the message, so that nobody can add another (RFC 6376 §8.15)."""
PADDING, HASH = padding.PKCS1v15(), hashes.SHA256()
SPACES = re.compile(rb"[ \t\r\n]+")


def canonical_header(line: bytes) -> tuple[bytes, bytes]:
    """Name, and the relaxed form of a header with its CRLF (RFC 6376 §3.4.2)."""
    name, _, value = line.partition(b":")
    name = name.strip().lower()
    return name, name + b":" + SPACES.sub(b" ", value).strip() + b"\r\n"


def headers_of(head: bytes) -> list[bytes]:
    """The header lines of a block, folded ones whole."""
    return [line for line in re.split(rb"\r\n(?![ \t])", head) if line]


@dataclass(frozen=True)
class Signer:
    """One key and its name in DNS; safe to use from several threads, and `cryptography` lets them sign at one time."""

    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    domain: str
    selector: str

    @cached_property
    def algorithm(self) -> str:
        return "rsa-sha256" if isinstance(self.key, rsa.RSAPrivateKey) else "ed25519-sha256"

    def header(self, head: bytes, body: bytes) -> bytes:
        """The DKIM-Signature line for a message's header block and body."""
        lines_by_name: dict[bytes, list[bytes]] = {}
        for line in headers_of(head):
            name, canonical = canonical_header(line)
            lines_by_name.setdefault(name, []).append(canonical)
        lines = [(name, lines_by_name.get(name.lower().encode(), [])) for name in SIGNED]
        chosen = b"".join([line for _, same_named in lines for line in reversed(same_named)])
        return self.sign(chosen, tuple(name for name, same_named in lines for _ in range(len(same_named) + 1)), body)

    def sign(self, canonical: bytes, names: tuple[str, ...], body: bytes) -> bytes:
        """Signs canonical header lines, in the order of their names, with the hash of the body."""
        start, canonical_start = _start(self.algorithm, self.domain, self.selector, names)
        body_hash = base64.b64encode(hashlib.sha256(body).digest())
        signature = base64.b64encode(self._raw(canonical + canonical_start % body_hash))
        lines = b"\r\n ".join([signature[at : at + 72] for at in range(0, len(signature), 72)])
        return b"".join((start % body_hash, lines, b"\r\n"))

    def _raw(self, data: bytes) -> bytes:
        if self.algorithm == "rsa-sha256":
            return cast(rsa.RSAPrivateKey, self.key).sign(data, PADDING, HASH)
        digest = hashlib.sha256(data).digest()  # RFC 8463 §3: Ed25519 over the SHA-256
        return cast(ed25519.Ed25519PrivateKey, self.key).sign(digest)


@lru_cache(maxsize=32)
def _start(algorithm: str, domain: str, selector: str, names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """The header up to its `b=` with `%b` for the body's hash, as it leaves and in its canonical form: once for a mailing."""
    who = f"v=1; a={algorithm}; c=relaxed/relaxed; d={domain}; s={selector};"
    line = f"DKIM-Signature: {who}\r\n h={_folded(':'.join(names))};\r\n bh=%b;\r\n b=".encode()
    return line, canonical_header(line)[1].removesuffix(b"\r\n")


def _folded(names: str) -> str:
    """The h= list over several lines; white space around its colons does not count (RFC 6376 §3.5)."""
    lines, current = [], ""
    for name in names.split(":"):
        if len(current) + len(name) > 70:
            lines.append(current)
            current = ""
        current += f"{name}:"
    return "\r\n  ".join([*lines, current.rstrip(":")])


def load(settings: Settings) -> list[Signer]:
    """The signers that the settings name: one key, or an Ed25519 one beside it.

    Raises SettingRefused for a file that is no key, or a key that receivers will not trust (RFC 8301 §3.2).
    """
    pairs = (
        (settings.dkim_key_file, settings.dkim_selector),
        (settings.dkim_ed25519_key_file, settings.dkim_ed25519_selector),
    )
    return [Signer(_read(path), settings.dkim_domain, name) for path, name in pairs if path]


def _read(path: str) -> rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(Path(path).read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise SettingRefused(f"DKIM_KEY_FILE names {path!r}, which is no private key in PEM: {error}") from None
    if (isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048) or isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    raise SettingRefused(f"DKIM_KEY_FILE names {path!r}: use RSA of 2048 bits or Ed25519.")
