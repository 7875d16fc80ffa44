"""Read a letter as it came over the wire, however broken it is."""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from functools import lru_cache

ENCODED_WORD = re.compile(r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bq])\?([^?]*)\?=", re.IGNORECASE)
MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+_-]*/[a-z0-9][a-z0-9.+_-]*")
WIRE = compat32.clone(linesep="\r\n")


@dataclass(frozen=True)
class Part:
    """One leaf of the letter that is not its body; `number` counts as IMAP does (RFC 3501, section 6.4.5)."""

    number: str
    file_name: str
    content_type: str
    content_id: str
    inline: bool
    content: bytes


@dataclass
class Letter:
    """`headers` are unfolded but keep their encoded words; `text` and `html` are the bodies a reader would see."""

    headers: list[tuple[str, str]]
    text: str = ""
    html: str = ""
    parts: list[Part] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def first(self, name: str) -> str:
        return decode_words(next(iter(self.values(name)), ""))


@lru_cache(maxsize=2)
def read(raw: bytes) -> Letter:
    """Kept for a moment, because a page and its frames ask for one letter several times in a row. Not to be changed."""
    letter = Letter(_headers(raw))
    try:
        for number, part in _leaves(message_from_bytes(raw)):
            _add(letter, number, part)
    except Exception:
        # Hostile mail breaks the standard parser in more ways than can be listed (a thousand nested parts exhaust the
        # stack, for one). Whoever looks at such a letter sees it as it came.
        letter.text, letter.html, letter.parts = decode(raw), "", []
    return letter


def decode(data: bytes, charset: str = "utf-8") -> str:
    """Text in the charset that a letter claims, as UTF-8 can carry it; an unknown charset is read as UTF-8."""
    if charset.lower() in ("", "ascii", "us-ascii"):
        charset = "utf-8"
    try:
        text = data.decode(charset, "replace")
    except (LookupError, ValueError):
        text = data.decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode()


def decode_words(value: str) -> str:
    """RFC 2047; a word that cannot be decoded stays as it is."""
    return ENCODED_WORD.sub(_word, re.sub(r"\?=\s+=\?", "?==?", value))


def _word(match: re.Match[str]) -> str:
    charset, kind, text = match.groups()
    try:
        base64 = kind in "bB"
        data = binascii.a2b_base64(text.encode() + b"==") if base64 else binascii.a2b_qp(text.encode(), header=True)
        return decode(data, charset)
    except binascii.Error:
        return match.group()


def wire_text(value: str) -> str:
    """What Python's parsers hand out for bytes (ASCII and surrogates), as text on one line."""
    return re.sub(r"[\r\n]+[ \t]*", " ", decode(value.encode("utf-8", "surrogateescape"))).strip()


def _headers(raw: bytes) -> list[tuple[str, str]]:
    items = BytesHeaderParser().parsebytes(raw).raw_items()
    return [(wire_text(name), wire_text(str(value))) for name, value in items]


def _leaves(part: Message, number: str = "") -> Iterator[tuple[str, Message]]:
    children = part.get_payload()
    if part.get_content_maintype() != "multipart" or not isinstance(children, list):
        yield number or "1", part
        return
    for position, child in enumerate(children, start=1):
        if isinstance(child, Message):
            yield from _leaves(child, f"{number}.{position}" if number else str(position))


def _add(letter: Letter, number: str, part: Message) -> None:
    content, kind = _content(part), part.get_content_type()
    name, attached = _file_name(part), part.get_content_disposition() == "attachment"
    if kind in ("text/plain", "text/html") and not name and not attached:
        body = decode(content, part.get_content_charset() or "")
        letter.text += body if kind == "text/plain" else ""
        letter.html += body if kind == "text/html" else ""
        return
    kind = kind if MEDIA_TYPE.fullmatch(kind) else "application/octet-stream"
    content_id = wire_text(str(part.get("Content-ID", ""))).strip("<> ")
    letter.parts.append(Part(number, name, kind, content_id, bool(content_id) and not attached, content))


def _content(part: Message) -> bytes:
    payload = part.get_payload()
    if isinstance(payload, list):
        return b"\r\n".join(child.as_bytes(policy=WIRE) for child in payload if isinstance(child, Message))
    decoded = part.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) else b""


def _file_name(part: Message) -> str:
    try:
        name = decode_words(wire_text(part.get_filename() or ""))
    except ValueError:
        return "unreadable-name"
    return "".join(letter for letter in name if letter.isprintable()).replace("/", "_").replace("\\", "_")
