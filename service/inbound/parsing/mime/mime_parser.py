"""Bytes of a message that came in, as headers and parts: every step bounded, nothing opened that a sender compressed.

Python's own parser recurses with the depth of a message and builds an object for every line; who writes to us chooses both. So
this one splits bytes, stops at a limit with a reason, and leaves a message inside a message (RFC 2046 §5.2) closed until asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from service.inbound.parsing.mime import charsets, html_text, transfer_encodings
from service.inbound.parsing.mime.encoded_words import decoded

LARGEST = 25 * 1024 * 1024
"""Bytes of a message that we take: what the large providers take themselves."""
DEEPEST = 20
MOST_PARTS = 300
MOST_HEADERS = 500
LONGEST_HEADER = 16_384
"""Of a header that decides; of any other, which scanners fill with what nobody reads, the rest is left out."""
DECIDING = {"from", "sender", "subject", "content-type", "content-transfer-encoding", "message-id"}
LISTING = {"received", "references", "to", "cc", "dkim-signature"}
MOST_HEADER_BYTES = 131_072
LONGEST_TEXT = 262_144
"""Bytes of a text part that are looked at."""
ADDRESS_HEADERS = {"message-id", "return-path", "list-unsubscribe", "x-original-return-path", "sender", "references"}
"""Where a message of ours carries our own tokens."""
HEADER = re.compile(rb"([!-9;-~]{1,100})[ \t]*:[ \t]*")
BLANK_LINES = re.compile(rb"\A(?:[ \t\r]*+\n)+")
CONTENT_HEADER = re.compile(rb"content-(?:type|transfer-encoding|description|disposition)[ \t]*:", re.IGNORECASE)
"""Some reports put blank lines before a part's headers, where RFC 2046 §5.1 would read none."""
MAILBOX_LINE = re.compile(rb">?From (?![ \t]*:)")
"""What a mailbox file puts before each message. With a colon behind it, it is a header (RFC 5322 §4.5)."""
PARAMETER = re.compile(r';\s*([\w!#$%&\'*+^`{|}~.-]{1,60})\s*=\s*(?:"([^"]{0,500})"|([^\s;"]{1,500}))')


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
        return next((value for header_name, value in self.headers if header_name == name), "")

    def all(self, name: str) -> list[str]:
        return [value for header_name, value in self.headers if header_name == name]

    def has(self, *names: str) -> bool:
        return any(header_name in names for header_name, _ in self.headers)

    @cached_property
    def content_type(self) -> str:
        """As type/subtype in lower case; text/plain where it is missing or makes no sense (RFC 2045 §5.2)."""
        match = re.match(r"\s*([\w-]+/[\w.+-]+)", self.get("content-type"))
        return match[1].lower() if match else "text/plain"

    @cached_property
    def parameters(self) -> dict[str, str]:
        pairs = PARAMETER.findall(";" + self.get("content-type").partition(";")[2][:4_000])
        return {name.lower(): quoted or plain for name, quoted, plain in pairs}

    @property
    def subject(self) -> str:
        return decoded(self.get("subject"))[:500]

    def walk(self) -> Iterator[Part]:
        yield self
        for part in self.parts:
            yield from part.walk()

    @cached_property
    def encoding(self) -> str:
        """The transfer encoding, in lower case and without a comment."""
        return re.split(r"[\s;(]", self.get("content-transfer-encoding").strip(" \t\"'").lower())[0].strip("\"'")

    @cached_property
    def _decoded(self) -> bytes:
        return transfer_encodings.octets(self.body[: 2 * LONGEST_TEXT], self.encoding)

    @property
    def content(self) -> bytes:
        """The body without its transfer encoding, as far as it is looked at."""
        return self._decoded[:LONGEST_TEXT]

    @property
    def is_understood(self) -> bool:
        """Whether `text` is all of it, as it was written."""
        whole = len(self.body) <= 2 * LONGEST_TEXT and len(self._decoded) <= LONGEST_TEXT
        return (
            whole
            and self.known_charset
            and transfer_encodings.is_known(self.encoding)
            and transfer_encodings.is_clean(self.body, self.encoding)
        )

    @property
    def known_charset(self) -> bool:
        return self.content_type[:5] != "text/" or charsets.codec(self.parameters.get("charset", "")) is not None

    @cached_property
    def written(self) -> str:
        """The characters of a text part, tags and all."""
        return charsets.decoded(self.content, self.parameters.get("charset", ""))

    @cached_property
    def text(self) -> str:
        """What a reader would see of a text part."""
        return html_text.without_tags(self.written) if self.content_type == "text/html" else self.written


def read(raw: bytes) -> Part:
    """A whole message. Raises Hostile."""
    if len(raw) > LARGEST:
        raise Hostile("it is larger than 25 MB")
    return _entity(_from_its_first_header(raw), 0, [0])


def glimpse(raw: bytes) -> Part:
    """The first headers of a message that cannot be read: so that somebody sees whose it seems to be."""
    head, _ = _head(_from_its_first_header(raw[: 2 * MOST_HEADER_BYTES]))
    return Part(
        [(name, _unfolded(lines)[:LONGEST_HEADER]) for name, lines in _lines(head[:MOST_HEADER_BYTES])[:MOST_HEADERS]], b""
    )


def _from_its_first_header(raw: bytes) -> bytes:
    text = raw.replace(b"\r\n", b"\n")
    if b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    text = BLANK_LINES.sub(b"", text)
    while MAILBOX_LINE.match(text) and b"\n" in text:
        text = text.partition(b"\n")[2]
    return text


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
    lines = _lines(head)
    if len(lines) > MOST_HEADERS:
        raise Hostile(f"it has more than {MOST_HEADERS} headers")
    return [(name, _checked(name, _unfolded(folded))) for name, folded in lines], body


def _lines(head: bytes) -> list[tuple[str, list[bytes]]]:
    """Each header's name, and its value as it was folded."""
    headers: list[tuple[str, list[bytes]]] = []
    for line in head.split(b"\n"):
        if line[:1] in {b" ", b"\t"} and headers:
            headers[-1][1].append(line)
        elif start := HEADER.match(line):
            headers.append((start[1].decode("ascii").lower(), [line[start.end() :]]))
    return headers


def _head(text: bytes) -> tuple[bytes, bytes]:
    """Headers and body, parted by an empty line, or by the first line that no header can be."""
    if text.startswith(b"\n") and not CONTENT_HEADER.match(text := BLANK_LINES.sub(b"", text)):
        return b"", text
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


def _unfolded(lines: list[bytes]) -> str:
    value = b" ".join(line.strip() for line in lines)
    return value.decode("utf-8" if charsets.is_utf8(value) else "latin-1", "replace")


def _checked(name: str, value: str) -> str:
    if "\0" in value:
        raise Hostile("a header holds a NUL")
    if len(value) > LONGEST_HEADER and name in DECIDING:
        raise Hostile(f"a header is longer than {LONGEST_HEADER:,} bytes")
    return value if name in LISTING else value[:LONGEST_HEADER]
