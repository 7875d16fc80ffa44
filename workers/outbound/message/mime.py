"""Bytes of an e-mail (RFC 5322, 2045–2047, 2231): lines ≤ 78 octets, 7-bit on the wire, CRLF only.

The standard library of Python 3.11 lets CR and LF through in headers (CVE-2024-6923, CVE-2026-1299) and loses quotes while it
folds; so headers are written here, and each one is checked.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from email.header import Header
from urllib.parse import quote

CRLF = b"\r\n"
FORBIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+\Z")
WIDTH = 76
PLAIN_LINE = re.compile(r"(?![. ]|From )(?!.*  )[ -<>-~]{0,75}(?<! )\Z|\Z")
"""Lines that quoted-printable leaves as they are."""
QUOTED_LOCAL = re.compile(r'"(?:[^"\\]|\\.){1,320}"(?=@)')
"""A local part in quotation marks may hold spaces and brackets (RFC 5321 §4.1.2)."""
LONGEST_WORD = 60
"""A longer word in a name is encoded, since lines break only between words."""


class BadHeader(ValueError):
    """A header that would let its author write other headers."""


@dataclass(frozen=True)
class File:
    name: str
    content_type: str
    content: bytes


def header(name: str, value: str) -> bytes:
    """One header line, folded at spaces; an unstructured value that is not ASCII becomes encoded words (RFC 2047)."""
    if FORBIDDEN.search(value) or FORBIDDEN.search(name):
        raise BadHeader(f"the header {name} holds a control character")
    if not value.isascii() or "=?" in value:  # =? would be read as the beginning of an encoded word
        value = encoded_words(value, len(name) + 2)
    return fold(f"{name}: {value}").encode("ascii") + CRLF


def encoded_words(text: str, used: int = 0) -> str:
    """Encoded words of at most 75 characters, with spaces between them, where `fold` breaks the line."""
    return Header(text, "utf-8", maxlinelen=75, header_name="x" * max(used - 2, 1)).encode(linesep="")


def fold(line: str, width: int = WIDTH) -> str:
    """Breaks before spaces; a word without one stays whole (RFC 5322 §2.1.1 allows 998), the first on the name's line."""
    lines: list[str] = []
    current = ""
    for word in re.split(r"(?= )", line):
        only_the_name = not lines and " " not in current
        if not only_the_name and len(current) + len(word) > width and word.strip():
            lines.append(current)
            current = word
        else:
            current += word
    return "\r\n".join([*lines, current])


def address(name: str, email: str) -> str:
    """One mailbox, `name <email>`, which every parser reads as exactly one (RFC 5322 §3.4)."""
    if FORBIDDEN.search(name) or FORBIDDEN.search(email) or re.search(r"[\s<>]", QUOTED_LOCAL.sub("", email)):
        raise BadHeader("an address holds a control character or a space")
    if not name:
        return email
    if not name.isascii() or "=?" in name or max(map(len, name.split(" "))) > LONGEST_WORD:
        return f"{encoded_words(name, 8)} <{email}>"
    if ATOM.match(name):
        return f"{name} <{email}>"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{email}>'


def address_header(name: str, display: str, email: str) -> bytes:
    """A From, To or Reply-To of one mailbox. An address that is not ASCII goes in UTF-8 (RFC 6532, needs SMTPUTF8)."""
    return fold(f"{name}: {address(display, email)}").encode("utf-8") + CRLF


def quoted_printable(text: str) -> bytes:
    """A text part's content (RFC 2045 §6.7) with CRLF lines and a final one.

    No line begins with a dot or `From `, none ends in a space, and no two spaces stand together: the bytes need no
    dot-stuffing (RFC 5321 §4.5.2), and are their own relaxed canonical form for DKIM (RFC 6376 §3.4.4).
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    return b"".join(line.encode() + CRLF if PLAIN_LINE.match(line) else encoded_line(line.encode()) + CRLF for line in lines)


def encoded_line(line: bytes) -> bytes:
    """One line of text as one or more lines of at most 76 octets, joined by soft line breaks."""
    done, current = [], ""
    last = len(line) - 1
    for at, byte in enumerate(line):
        piece = chr(byte) if 32 < byte < 127 and byte != 61 else f"={byte:02X}"
        if byte == 32 and at != last and current and current[-1] != " ":
            piece = " "
        if len(current) + len(piece) >= WIDTH:
            done.append(current + "=")
            current = ""
            piece = "=20" if piece == " " else piece
        if (not current and piece == ".") or (current == "From" and piece == " "):
            piece = f"={byte:02X}"
        current += piece
    return "\r\n".join([*done, current]).encode()


def text_part(subtype: str, text: str) -> bytes:
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    return head.encode() + quoted_printable(text)


def file_part(file: File) -> bytes:
    """An attachment; a name that is not ASCII by RFC 2231."""
    if FORBIDDEN.search(file.name) or FORBIDDEN.search(file.content_type):
        raise BadHeader("an attachment's name holds a control character")
    plain = file.name.isascii() and not set(file.name) & set('"\\')
    name = f'filename="{file.name}"' if plain else f"filename*=utf-8''{quote(file.name)}"
    head = f"Content-Type: {file.content_type}\r\nContent-Disposition: attachment;\r\n {name}\r\n"
    lines = base64.encodebytes(file.content).replace(b"\n", CRLF)
    return head.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + lines


def multipart(subtype: str, parts: Iterable[bytes], boundary: str) -> bytes:
    """A multipart with its own Content-Type header."""
    head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    edge = f"--{boundary}".encode()
    body = b"".join(edge + CRLF + part for part in parts)
    return head + body + edge + b"--" + CRLF


def message(headers: Iterable[bytes], text: str, html: str, files: Iterable[File] = ()) -> bytes:
    """A whole e-mail: alternative of text and HTML, text first; with files it is the first part of a mixed one."""
    content = multipart("alternative", [text_part("plain", text), text_part("html", html)], _boundary())
    enclosed = [file_part(file) for file in files]
    if enclosed:
        content = multipart("mixed", [content, *enclosed], _boundary())
    return b"".join(headers) + b"MIME-Version: 1.0\r\n" + content


def _boundary() -> str:
    """Holds =_, which quoted-printable never does (RFC 2045 §6.7)."""
    return f"=_{secrets.token_hex(12)}"
