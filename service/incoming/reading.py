"""Bytes of a message that came in, as headers and parts: every step bounded, nothing opened that a sender compressed.

Python's own parser recurses with the depth of a message and builds an object for every line; who writes to us chooses both. So
this one splits bytes, stops at a limit with a reason, and leaves a message inside a message (RFC 2046 §5.2) closed until asked.
"""

from __future__ import annotations

import binascii
import codecs
import html
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from service.incoming.words import decoded

LARGEST = 25 * 1024 * 1024
"""Bytes of a message that we take: what the large providers take themselves."""
DEEPEST = 20
MOST_PARTS = 300
MOST_HEADERS = 500
LONGEST_HEADER = 16_384
MOST_HEADER_BYTES = 131_072
LONGEST_TEXT = 262_144
"""Bytes of a text part that are looked at."""
ADDRESS_HEADERS = {"message-id", "return-path", "list-unsubscribe", "x-original-return-path", "sender", "references"}
"""Where a message of ours carries our own tokens."""
NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
HEADER = re.compile(rb"([!-9;-~]{1,100})[ \t]*:[ \t]*")
MAILBOX_LINE = re.compile(rb">?From (?![ \t]*:)")
"""What a mailbox file puts before each message. With a colon behind it, it is a header (RFC 5322 §4.5)."""
PARAMETER = re.compile(r';\s*([\w!#$%&\'*+^`{|}~.-]{1,60})\s*=\s*(?:"([^"]{0,500})"|([^\s;"]{1,500}))')
TAGS = re.compile(r"<(?:style|script|title)\b[^<>]*>[^<]*(?:</(?:style|script|title)>)?|<[^<>]*>", re.IGNORECASE)
BLOCKS = re.compile(r"<(?:br|/?p|/?div|/?tr|/?li|/?h\d)\b[^<>]*>", re.IGNORECASE)


class Hostile(ValueError):
    """A message built to hurt, or so broken that nobody can say what it means; the text is the reason for the quarantine."""


@dataclass(frozen=True, eq=False)
class Part:
    """One entity: its headers, its undecoded body, and the parts of a multipart."""

    headers: list[tuple[str, str]]
    """Names in lower case, values unfolded; encoded words are left as they are."""
    body: bytes
    parts: list[Part] = field(default_factory=list)

    def get(self, name: str) -> str:
        return next((value for known, value in self.headers if known == name), "")

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]

    def has(self, *names: str) -> bool:
        return any(known in names for known, _ in self.headers)

    @cached_property
    def content_type(self) -> str:
        """As type/subtype in lower case; text/plain where it is missing or makes no sense (RFC 2045 §5.2)."""
        found = re.match(r"\s*([\w-]+/[\w.+-]+)", self.get("content-type"))
        return found[1].lower() if found else "text/plain"

    @cached_property
    def parameters(self) -> dict[str, str]:
        found = PARAMETER.findall(";" + self.get("content-type").partition(";")[2][:4_000])
        return {name.lower(): quoted or plain for name, quoted, plain in found}

    @property
    def subject(self) -> str:
        return decoded(self.get("subject")[:2_000])[:500]

    def walk(self) -> Iterator[Part]:
        yield self
        for part in self.parts:
            yield from part.walk()

    @cached_property
    def content(self) -> bytes:
        """The body without its transfer encoding, as far as it is looked at."""
        body, encoding = self.body[: 2 * LONGEST_TEXT], self.get("content-transfer-encoding").strip().lower()
        try:
            if encoding == "base64":
                bare = body.translate(None, NOT_BASE64)
                body = binascii.a2b_base64(bare[: len(bare) // 4 * 4])
            elif encoding == "quoted-printable":
                body = quopri.decodestring(body)
        except (binascii.Error, ValueError):
            pass
        return body[:LONGEST_TEXT]

    @property
    def known_charset(self) -> bool:
        return self.content_type[:5] != "text/" or _codec(self.parameters.get("charset", "")) is not None

    @cached_property
    def text(self) -> str:
        """What a reader would see of a text part. A charset that nobody knows is read as ASCII, for reports are in it."""
        codec = _codec(self.parameters.get("charset", "")) or "latin-1"
        if b"\x1b$" in self.content and self.content.isascii():  # Japanese mail of old names its charset seldom (RFC 1468)
            codec = "iso-2022-jp"
        if codec in {"ascii", "us-ascii"} and not self.content.isascii():
            codec = "utf-8" if _is_utf8(self.content) else "latin-1"
        shown = self.content.decode(codec, "replace")
        return without_tags(shown) if self.content_type == "text/html" else shown


def without_tags(page: str) -> str:
    return html.unescape(NO_CHARACTER.sub(" ", TAGS.sub(" ", BLOCKS.sub("\n", page))))


NO_CHARACTER = re.compile(r"&#x?[0-9a-f]{9,}", re.IGNORECASE)
"""Python refuses numbers of thousands of digits; none of more than seven names a character."""


ALIASES = {"": "us-ascii", "iso-8859-8-i": "iso-8859-8", "iso-8859-8-e": "iso-8859-8", "unicode-1-1-utf-7": "utf-7",
           "unknown-8bit": "latin-1", "x-unknown": "latin-1", "unknown": "latin-1", "default": "latin-1", "8bit": "latin-1",
           "ansi_x3.110-1983": "latin-1", "x-gbk": "gbk", "x-sjis": "shift_jis", "cp-850": "cp850", "windows-874": "cp874",
           "ks_c_5601-1987": "cp949", "utf8mb4": "utf-8", "uft-8": "utf-8"}  # fmt: skip


def _codec(name: str) -> str | None:
    """Python's name of a charset; None where there is none, or where it is no charset: zip is a codec, too."""
    name = name.strip().strip("'\"").lower()
    name = ALIASES.get(name, name)
    try:
        " ".encode(name)
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return None if known in NO_CHARSETS else name


NO_CHARSETS = {"idna", "punycode", "unicode-escape", "raw-unicode-escape"}
"""Spellings of Python's and of DNS: no mail is written in them (and some raise whatever they are told of errors)."""


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.start > len(content) - 4  # cut in the middle of a character
    return True


def read(raw: bytes) -> Part:
    """A whole message. Raises Hostile."""
    if len(raw) > LARGEST:
        raise Hostile("it is larger than 25 MB")
    text = raw.replace(b"\r\n", b"\n")
    if b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    text = text.lstrip(b"\n")
    while MAILBOX_LINE.match(text) and b"\n" in text:
        text = text.partition(b"\n")[2]
    return _entity(text, 0, [0])


def embedded(part: Part) -> Part | None:
    """The message inside a message/rfc822 or text/rfc822-headers part; None where it cannot be read. Its parts stay closed."""
    try:
        headers, body = _headers(part.content.replace(b"\r\n", b"\n").lstrip(b"\n"))
    except Hostile:
        return None
    return Part(headers, body)


def _entity(text: bytes, depth: int, count: list[int]) -> Part:
    count[0] += 1
    if depth > DEEPEST:
        raise Hostile(f"its parts are nested more than {DEEPEST} deep")
    if count[0] > MOST_PARTS:
        raise Hostile(f"it has more than {MOST_PARTS} parts")
    headers, body = _headers(text)
    part = Part(headers, body)
    boundary = part.parameters.get("boundary", "").rstrip()
    if part.content_type.startswith("multipart/") and boundary:
        inner = [_entity(piece, depth + 1, count) for piece in _split(body, boundary.encode("utf-8", "surrogateescape"))]
        return Part(headers, body if not inner else body[:LONGEST_TEXT], inner)
    return part


def _split(body: bytes, boundary: bytes) -> list[bytes]:
    """What stands between the boundary lines (RFC 2046 §5.1.1); the last may lack its end."""
    edges = _edges(body, boundary)
    if not edges and (other := OTHER_BOUNDARY.search(body)):  # some relays change it in one place and forget the other
        edges = _edges(body, other[1])
    pieces = []
    for number, edge in enumerate(edges):
        if edge[1]:
            break
        end = edges[number + 1].start() if number + 1 < len(edges) else len(body)
        pieces.append(body[edge.end() + 1 : end])
    return pieces


OTHER_BOUNDARY = re.compile(rb"(?:^|\n)--(\S{4,70})[ \t]*\n[Cc]ontent-[A-Za-z]")


def _edges(body: bytes, boundary: bytes) -> list[re.Match[bytes]]:
    return list(re.finditer(rb"(?:^|\n)--" + re.escape(boundary) + rb"(--)?[ \t\r]*(?=\n|$)", body))


def _headers(text: bytes) -> tuple[list[tuple[str, str]], bytes]:
    head, body = _head(text)
    if len(head) > MOST_HEADER_BYTES:
        raise Hostile(f"its headers are longer than {MOST_HEADER_BYTES:,} bytes")
    found: list[tuple[str, list[bytes]]] = []
    for line in head.split(b"\n"):
        if line[:1] in {b" ", b"\t"} and found:
            found[-1][1].append(line)
        elif start := HEADER.match(line):
            found.append((start[1].decode("ascii").lower(), [line[start.end() :]]))
    if len(found) > MOST_HEADERS:
        raise Hostile(f"it has more than {MOST_HEADERS} headers")
    return [(name, _unfolded(name, lines)) for name, lines in found], body


def _head(text: bytes) -> tuple[bytes, bytes]:
    """Headers and body, parted by an empty line, or by the first line that no header can be."""
    if text.startswith(b"\n"):
        return b"", text[1:]
    at = 0
    while at < len(text) and at <= MOST_HEADER_BYTES:
        end = text.find(b"\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].rstrip(b"\r")
        if not line.strip(b" \t"):
            return text[:at], text[end + 1 :]
        if line[:1] not in {b" ", b"\t"} and not HEADER.match(line) and at:
            return text[:at], text[at:]
        at = end + 1
    return text[:at], text[at:]


def _unfolded(name: str, lines: list[bytes]) -> str:
    value = b" ".join(line.strip() for line in lines)
    if len(value) > LONGEST_HEADER and name not in {"received", "references", "to", "cc", "dkim-signature"}:
        raise Hostile(f"a header is longer than {LONGEST_HEADER:,} bytes")
    if b"\0" in value:
        raise Hostile("a header holds a NUL")
    return value.decode("utf-8" if _is_utf8(value) else "latin-1", "replace")
