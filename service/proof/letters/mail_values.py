"""The values of a letter's headers, and what its parts hold: only the one spelling of each that every program reads alike."""

from __future__ import annotations

import binascii
import re
from urllib.parse import unquote_to_bytes

from service.proof.encoding import Unreadable

Fields = list[tuple[str, str]]
"""Names in small letters, and values unfolded."""
PARAMETER = re.compile(
    r';[ \t]*([A-Za-z0-9-]+\*?)=(?:"([^"\\\x00-\x1f\x7f-\U0010ffff]*)"|([!#$%&\'*+.0-9A-Z^_`a-z{|}~-]+))[ \t]*'
)
WORD = re.compile(r"[a-z0-9!#$&^_.+-]+(?:/[a-z0-9!#$&^_.+-]+)?")
EXTENDED_NAME = re.compile(r"(?i:utf-8)''((?:%[0-9A-Fa-f]{2}|[!#$&+.0-9A-Z^_`a-z{|}~-])+)")
ENCODED_WORD = re.compile(r"=\?(?i:utf-8)\?(?:[Bb]\?([A-Za-z0-9+/]+={0,2})|[Qq]\?((?:=[0-9A-Fa-f]{2}|[!-<>@-~])+))\?=")
QUOTED_LINE = re.compile(rb"(?:=[0-9A-Fa-f]{2}|[ \t!-<>-~])*+(?:(?<![ \t])|=)")
"""No space at the end: some take it off, as they should (RFC 2045 §6.7), and others do not."""
BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
PLAIN_LINE = re.compile(rb"[ \t!-~]*")
MAILBOX = re.compile(r'(?:(?P<name>"(?:[^"\\]|\\["\\])*"|[^<>"@,;:()\\]*+)[ \t]*<(?P<address>[^<>\s]+)>|(?P<bare>[^<>\s,;]+))')


def one_value(fields: Fields, wanted: str) -> str:
    values = [value for name, value in fields if name == wanted]
    if len(values) > 1:
        raise Unreadable(f"it has a part with two headers {wanted.title()}")
    return values[0] if values else ""


def structured(fields: Fields, wanted: str) -> tuple[str, dict[str, str]]:
    """A header like `text/plain; charset="utf-8"` (RFC 2045 §5.1): its word in small letters, and each parameter once."""
    value = one_value(fields, wanted)
    word, parameters, at = value.partition(";")[0].strip(" \t").lower(), dict[str, str](), value.find(";")
    if value and not WORD.fullmatch(word):
        raise Unreadable(f"it has a header {wanted.title()} that mail programs read in different ways")
    while 0 <= at < len(value):
        match = PARAMETER.match(value, at)
        if match is None:
            raise Unreadable(f"it has a header {wanted.title()} that mail programs read in different ways")
        name, text = match[1].lower(), match[2] if match[2] is not None else match[3]
        if name.endswith("*"):
            name, text = name[:-1], _extended(name[:-1], text)
        if name in parameters:
            raise Unreadable(f"it has a header {wanted.title()} that says {name} twice")
        parameters[name], at = text, match.end()
    return word, parameters


def _extended(name: str, text: str) -> str:
    """RFC 2231 §4, in UTF-8, and for names of files alone."""
    match = EXTENDED_NAME.fullmatch(text) if name in ("filename", "name") else None
    try:
        if match is not None:
            return unquote_to_bytes(match[1]).decode()
    except UnicodeDecodeError:
        pass
    raise Unreadable(f"it has a {name} in another spelling or character set than ours")


def decoded(encoding: str, body: list[bytes]) -> bytes:
    """RFC 2045 §6. The line end before a boundary belongs to the boundary, so nothing is added at the end."""
    try:
        if encoding == "base64" and BASE64.fullmatch(whole := b"".join(body)) and len(whole) % 4 == 0:
            return binascii.a2b_base64(whole, strict_mode=True)
        if encoding == "quoted-printable" and all(map(QUOTED_LINE.fullmatch, body)) and not body[-1:][0].endswith(b"="):
            return binascii.a2b_qp(b"\n".join(body))
    except binascii.Error:
        raise Unreadable("it has a part that cannot be decoded") from None
    if encoding == "8bit" or (encoding in ("", "7bit") and all(map(PLAIN_LINE.fullmatch, body))):
        return b"\n".join(body)
    raise Unreadable(f"it has a part that is not in the encoding {encoding or '7bit'}, or is in one that ours are not in")


def words_of_header(value: str) -> str:
    """What a mail program shows of an unstructured header: its encoded words decoded (RFC 2047). Raises Unreadable."""
    if not (value.isascii() and value.isprintable()):
        raise Unreadable("it has a header with other characters than plain ones")
    shown, after_encoded = "", False
    for space, word in re.findall(r"(\s*)(\S+)", value):
        is_encoded = "=?" in word
        shown += ("" if is_encoded and after_encoded else space) + (_encoded_word(word) if is_encoded else word)
        after_encoded = is_encoded
    return shown


def _encoded_word(word: str) -> str:
    match = ENCODED_WORD.fullmatch(word)
    try:
        if match is None:
            raise ValueError(word)
        if match[1] is not None:
            return binascii.a2b_base64(match[1], strict_mode=True).decode()
        return binascii.a2b_qp(match[2], header=True).decode()
    except ValueError:
        raise Unreadable("it has a header that mail programs decode in different ways") from None


def mailbox_of_header(value: str) -> list[str]:
    """Name and address of a From or To that holds exactly one mailbox, as we write it. Raises Unreadable."""
    match = MAILBOX.fullmatch(value)
    if match is None:
        raise Unreadable("it has a From or To that is not exactly one mailbox as we write it")
    name = (match["name"] or "").strip(" ")
    quoted = name.startswith('"') and name.isascii() and name.isprintable()
    shown = re.sub(r"\\(.)", r"\1", name[1:-1]) if quoted else words_of_header(name)
    return [shown, match["address"] or match["bare"]]
