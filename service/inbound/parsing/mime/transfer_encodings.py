"""Transfer encodings (RFC 2045 §6): the octets of a body as they were before a mail program made them fit for the way."""

from __future__ import annotations

import binascii
import quopri

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
NOT_BASE64 = bytes(set(range(256)) - set(ALPHABET))
SPACE = b" \t\r\n\f\v"
PLAIN = {"", "7bit", "8bit", "binary", "7-bit", "8-bit", "none"}
ENCODED = {"base64", "quoted-printable"}


def is_known(encoding: str) -> bool:
    return encoding in PLAIN or encoding in ENCODED


def octets(body: bytes, encoding: str) -> bytes:
    """All that can be decoded; a body in an encoding that is not known stays as it is."""
    if encoding == "base64":
        return base64(body)
    return quopri.decodestring(body) if encoding == "quoted-printable" else body


def base64(body: bytes) -> bytes:
    """Every octet: of several encoded pieces one behind the other, and where the last padding is missing (RFC 2045 §6.8)."""
    pieces = body.translate(None, NOT_BASE64).split(b"=")
    return b"".join(_piece(piece) for piece in pieces if len(piece) > 1)


def _piece(piece: bytes) -> bytes:
    whole = piece if len(piece) % 4 != 1 else piece[:-1]  # six bits are no octet
    return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))


def is_clean(body: bytes, encoding: str) -> bool:
    """Whether nothing stands in a base64 body that is no base64: what a mail server wrote below it, most often."""
    return encoding != "base64" or not body.translate(None, ALPHABET + SPACE)
