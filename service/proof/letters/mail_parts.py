"""A delivered letter, read strictly: only what every mail program reads alike, and in time that grows with its size alone.

RFC 5322 and RFC 2045–2047 allow more than this, and mail programs disagree about much of the rest: two headers of one name, two
files of one name, a character set of one's own, a message within the message. None of that is in a letter of ours, so whatever
has it was changed, and is refused with the reason. tests/rules/proof/test_mail_programs.py
compares what is read here with what they show.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from service.proof.encoding import Unreadable
from service.proof.letters.mail_values import Fields, decoded, one_value, structured

Headers = dict[str, str]

ONCE = ("from", "to", "subject", "date", "message-id", "content-type", "mime-version")
"""Without one of these, or with two, it is not the letter that was sent."""
AT_MOST_ONCE = ("reply-to", "undersigned-salt")
NEVER = ("cc", "bcc", "sender")
"""What mail programs show beside them, and our letters do not have; nor anything that begins with Resent-."""
OF_CONTENT = ("content-type", "content-transfer-encoding", "content-disposition", "content-id", "content-language")
DESCRIPTION = "content-description"
"""Some servers on the way write a file's name there; nothing else may stand in it."""
NAME = re.compile(rb"[!-9;-~]+")
CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")
LARGEST_HEADER, LONGEST_LINE = 20_000, 998
TEXTS = ("text/plain", "text/html")
FILES = ("text/plain", "text/csv", "application/pdf", "application/json", "application/octet-stream")
"""Anything else might be opened as a letter or page of its own; the last is what some servers on the way make of the rest."""


@dataclass(frozen=True)
class Part:
    """A part that holds something: decoded, with the name of its file; an empty name where it is shown as text."""

    kind: str
    filename: str
    content: bytes


def read_mail(raw: bytes) -> tuple[Headers, list[Part]]:
    """The headers (names in small letters, values unfolded) and the parts in their order. Raises Unreadable."""
    if re.search(rb"\r(?!\n)", raw) or b"\0" in raw:
        raise Unreadable("it holds a bare carriage return or a NUL, which mail programs read in different ways")
    if raw.startswith((b"From ", b">From ")):
        raw = raw.partition(b"\n")[2]  # mail programs that keep many letters in one file put it there
    ended = raw.split(b"\n")
    fields, body = _fields([line.removesuffix(b"\r") for line in ended])
    if len({line.endswith(b"\r") for line in ended[:-1]}) > 1:
        raise Unreadable("its lines end in two ways, which mail programs take in different ways")
    names = [name for name, _ in fields]
    for name in names:
        if name in NEVER or name.startswith("resent-"):
            raise Unreadable(f"it has a header {name.title()}, which the letter that was sent had not")
    for name in (*ONCE, *AT_MOST_ONCE):
        if names.count(name) > 1 or (name in ONCE and name not in names):
            raise Unreadable(f"it has {names.count(name)} headers {name.title()} where a letter has one")
    headers = dict(reversed(fields))  # of several, the topmost
    if headers["mime-version"] != "1.0":
        raise Unreadable("its MIME-Version is another than 1.0")
    return headers, _parts(fields, body)


def _fields(lines: list[bytes]) -> tuple[Fields, list[bytes]]:
    """The header fields up to the first empty line (RFC 5322 §2.2), and the lines behind it."""
    if b"" not in lines:
        raise Unreadable("it, or one of its parts, has no empty line behind its headers")
    end = lines.index(b"")
    fields: list[tuple[str, bytes]] = []
    for line in lines[:end]:
        if CONTROL.search(line) or not line.strip(b" \t") or (len(line) > LONGEST_LINE and not line.startswith((b"X-", b"x-"))):
            raise Unreadable("its headers have a line that mail programs read in different ways")
        if line[:1] in (b" ", b"\t") and fields:
            name, value = fields[-1]
            if not value.strip() and name in OF_CONTENT:
                raise Unreadable(f"its header {name.title()} begins on the line after its name, where some do not find it")
            fields[-1] = name, value + line
            continue
        match = NAME.match(line)
        if match is None or line[match.end() : match.end() + 1] != b":":
            raise Unreadable("its headers have a line that is none")
        fields.append((match[0].decode("ascii").lower(), line[match.end() + 1 :]))
    for name, value in fields:
        if len(value) > LARGEST_HEADER or (name in OF_CONTENT and value.endswith((b" ", b"\t"))):
            raise Unreadable(f"it has a header {name.title()} that is too long, or ends in a space that some do not take off")
    return [(name, value.decode("utf-8", "replace").strip(" \t")) for name, value in fields], lines[end + 1 :]


def _parts(fields: Fields, body: list[bytes]) -> list[Part]:
    """The words first, then the files: a multipart/mixed that begins with a multipart/alternative, and nothing within those."""
    alternative, *others = _pieces(body, outer := _boundary(fields, "multipart/mixed"))
    texts = _pieces(alternative[1], inner := _boundary(alternative[0], "multipart/alternative"))
    if outer.startswith(inner):
        raise Unreadable("its parts are divided by lines of which one begins as the other does")
    parts = [_leaf(*piece) for piece in [*texts, *others]]
    if any(part.filename for part in parts[: len(texts)]):
        raise Unreadable("it has a file among its words, of which a mail program may show the one or the other")
    return parts


def _boundary(fields: Fields, wanted: str) -> str:
    """What divides a multipart that is as we build it (RFC 2046 §5.1)."""
    kind, parameters = _content_type(fields)
    if kind != wanted:
        raise Unreadable(f"it has a part of the kind {kind} where our letters have a {wanted}")
    encoding, disposition = (one_value(fields, name) for name in ("content-transfer-encoding", "content-disposition"))
    divided = BOUNDARY.fullmatch(parameters.get("boundary", "")) and parameters.keys() == {"boundary"}
    if not divided or disposition or encoding.lower() not in ("", "7bit", "8bit"):
        raise Unreadable("its parts are not divided as ours are")
    return parameters["boundary"]


def _pieces(body: list[bytes], boundary: str) -> list[tuple[Fields, list[bytes]]]:
    """The parts between the dividing lines; outside of these nothing may stand that somebody could see."""
    edge, end = f"--{boundary}".encode(), f"--{boundary}--".encode()
    edges = [at for at, line in enumerate(body) if line.startswith(edge)]
    if not edges or body[edges[-1]] != end:
        raise Unreadable("its end is missing")
    if len(edges) < 2 or any(body[at] != edge for at in edges[:-1]):
        raise Unreadable("its parts are divided by a line that mail programs read in different ways")
    if any(line.strip() for line in body[: edges[0]] + body[edges[-1] + 1 :]):
        raise Unreadable("words stand outside its parts, which some mail programs show")
    return [_fields(body[at + 1 : after]) for at, after in pairwise(edges)]


def _content_type(fields: Fields) -> tuple[str, dict[str, str]]:
    if other := [name for name, _ in fields if name.startswith("content-") and name not in (*OF_CONTENT, DESCRIPTION)]:
        raise Unreadable(f"it has a header {other[0].title()}, on which some mail programs act")
    if not any(name == "content-type" for name, _ in fields):
        raise Unreadable("it has a part that does not say of what kind it is")
    return structured(fields, "content-type")


def _leaf(fields: Fields, body: list[bytes]) -> Part:
    kind, parameters = _content_type(fields)
    disposition, about = structured(fields, "content-disposition")
    filename = about.get("filename", "")
    if (disposition, bool(filename)) not in (("", False), ("inline", False), ("attachment", True)):
        raise Unreadable("it has a file without a name, or one that is shown among its words")
    if kind not in (FILES if filename else TEXTS):
        raise Unreadable(f"it has a part of the kind {kind}, which mail programs may show in a way of their own")
    if {parameters.get("name", filename), one_value(fields, DESCRIPTION) or filename} != {filename}:
        raise Unreadable(f"it has a file that is called {filename} here and otherwise there")
    encoding = one_value(fields, "content-transfer-encoding").lower()
    if filename and encoding != "base64":
        raise Unreadable(f"it has a file in the encoding {encoding or '7bit'}, in which the ends of its lines are anybody’s")
    content = decoded(encoding, body)
    if kind.startswith("text/"):
        _check_charset(parameters, content)
    return Part(kind, filename, content)


def _check_charset(parameters: dict[str, str], content: bytes) -> None:
    charset = parameters.get("charset", "us-ascii").lower()
    if charset not in ("utf-8", "us-ascii") or parameters.keys() - {"charset", "name"}:
        raise Unreadable(f"its words are said to be in {charset}, or in a form of their own, and ours are in UTF-8")
    try:
        content.decode(charset)
    except UnicodeDecodeError:
        raise Unreadable(f"its words are said to be in {charset}, and are not") from None
