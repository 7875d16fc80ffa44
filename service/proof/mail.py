"""A delivered letter, read strictly: only what every mail program reads alike, and in time that grows with its size alone.

RFC 5322 and RFC 2045–2047 allow more than this, and mail programs disagree about much of the rest: two headers of one name, two
files of one name, a character set of one's own, a message within the message. None of that is in a letter of ours, so whatever
has it was changed, and is refused with the reason.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from urllib.parse import unquote_to_bytes

from service.proof.encoding import Unreadable

Headers = dict[str, str]

ONCE = ("from", "to", "subject", "date", "message-id", "content-type")
"""Without one of these, or with two, it is not the letter that was sent."""
NEVER = ("cc", "bcc", "sender", "resent-from", "resent-to", "resent-sender", "resent-date")
"""What mail programs show beside them, and our letters do not have."""
NAME = re.compile(rb"[!-9;-~]+")
PARAMETER = re.compile(r';[ \t]*([A-Za-z0-9-]+\*?)=(?:"((?:[^"\\]|\\[ -~])*)"|([!#$%&\'*+.0-9A-Z^_`a-z{|}~/:=?@-]+))[ \t]*')
WORD = re.compile(r"[a-z0-9!#$&^_.+-]+(?:/[a-z0-9!#$&^_.+-]+)?")
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,69}[0-9A-Za-z'()+_,./:=?-]")
MAILBOX = re.compile(r'(?:(?P<name>"(?:[^"\\]|\\.)*"|[^<>"@,;:()]*+)[ \t]*<(?P<address>[^<>\s]+)>|(?P<bare>[^<>\s,;]+))')
JOINED_AND_BLANK = re.compile(rb"^=$|=[ \t]+$")
"""A line joined to the next (RFC 2045 §6.7) that is empty itself, or has blanks behind."""
LARGEST_HEADER = 20_000
DEEPEST = 3
TEXTS = ("text/plain", "text/html")


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
    lines = raw.replace(b"\r\n", b"\n").split(b"\n")
    if lines and lines[0].startswith(b"From "):
        del lines[0]  # mail programs that keep many letters in one file put it there
    fields, body = _fields(lines)
    names = [name for name, _ in fields]
    for name in ONCE:
        if names.count(name) != 1:
            raise Unreadable(f"it has {names.count(name)} headers {name.title()} where a letter has one")
    for name in NEVER:
        if name in names:
            raise Unreadable(f"it has a header {name.title()}, which the letter that was sent had not")
    return dict(reversed(fields)), _parts(fields, body, DEEPEST)


def _fields(lines: list[bytes]) -> tuple[list[tuple[str, str]], list[bytes]]:
    """The header fields up to the first empty line (RFC 5322 §2.2), and the lines behind it."""
    fields: list[tuple[str, bytes]] = []
    end = lines.index(b"") if b"" in lines else len(lines)
    for line in lines[:end]:
        if line[:1] in (b" ", b"\t") and fields:
            name, value = fields[-1]
            fields[-1] = name, value + line
            continue
        found = NAME.match(line)
        if found is None or line[found.end() : found.end() + 1] != b":":
            raise Unreadable("its headers have a line that is none")
        fields.append((found[0].decode("ascii").lower(), line[found.end() + 1 :]))
    if any(name.startswith("content-") and value[-1:] in (b" ", b"\t") for name, value in fields):
        raise Unreadable("one of its headers ends in blanks, which some mail programs take for a part of it")
    if any(len(value) > LARGEST_HEADER for _, value in fields):
        raise Unreadable(f"it has a header of more than {LARGEST_HEADER:,} bytes")
    return [(name, value.decode("utf-8", "replace").strip(" \t")) for name, value in fields], lines[end + 1 :]


def _parts(fields: list[tuple[str, str]], body: list[bytes], depth: int) -> list[Part]:
    """What is in one part: itself, or the parts of a multipart (RFC 2046 §5.1)."""
    kind, parameters = _structured(fields, "content-type")
    if not kind.startswith("multipart/"):
        return [_leaf(kind, parameters, fields, body)]
    if kind not in ("multipart/mixed", "multipart/alternative") or depth == 0:
        raise Unreadable(f"it has a part of the kind {kind}, which our letters do not have")
    if not BOUNDARY.fullmatch(parameters.get("boundary", "")) or parameters.keys() != {"boundary"}:
        raise Unreadable("its parts are not divided as ours are")
    return [part for piece in _pieces(body, parameters["boundary"].encode()) for part in _parts(*_fields(piece), depth - 1)]


def _pieces(body: list[bytes], boundary: bytes) -> list[list[bytes]]:
    """The lines of each part between its boundaries; outside of these nothing may stand that somebody could see."""
    pieces: list[list[bytes]] = []
    outside: list[bytes] = []
    current, ended = outside, False
    for line in body:
        bare = line.rstrip(b" \t")
        if bare == b"--" + boundary and not ended:
            pieces.append([])
            current = pieces[-1]
        elif bare == b"--" + boundary + b"--" and pieces and not ended:
            current, ended = outside, True
        else:
            current.append(line)
    if not ended:
        raise Unreadable("its end is missing")
    if any(line.strip() for line in outside):
        raise Unreadable("words stand outside its parts, which some mail programs show")
    return pieces


def _leaf(kind: str, parameters: dict[str, str], fields: list[tuple[str, str]], body: list[bytes]) -> Part:
    disposition, about = _structured(fields, "content-disposition")
    filename = about.get("filename", "")
    if disposition not in ("", "inline", "attachment") or (disposition == "attachment" and not filename):
        raise Unreadable("it has an attachment without a name")
    if parameters.get("name", filename) != filename:
        raise Unreadable("it has a part with two names, or a text with one, which some mail programs show as another file")
    if not filename and kind not in TEXTS:
        raise Unreadable(f"it has a part of the kind {kind} without a name, which mail programs may show")
    if kind in TEXTS:
        charset = parameters.get("charset", "us-ascii").lower()
        if charset not in ("utf-8", "us-ascii") or parameters.keys() - {"charset", "name"}:
            raise Unreadable(f"its words are said to be in {charset}, and ours are in UTF-8")
    return Part(kind, filename, _decoded(_one(fields, "content-transfer-encoding").lower(), body))


def _decoded(encoding: str, body: list[bytes]) -> bytes:
    """RFC 2045 §6. The line end before a boundary belongs to the boundary, so nothing is added at the end."""
    if encoding in ("", "7bit", "8bit", "binary"):
        return b"\n".join(body)
    try:
        if encoding == "quoted-printable":
            if any(JOINED_AND_BLANK.search(line) for line in body):
                raise Unreadable("it has a line joined to the next in a way that mail programs read differently")
            return binascii.a2b_qp(b"\n".join(line.rstrip(b" \t") for line in body))
        if encoding == "base64":
            return binascii.a2b_base64(b"".join(line.strip() for line in body), strict_mode=True)
    except binascii.Error:
        raise Unreadable("it has a part that cannot be decoded") from None
    raise Unreadable(f"it has a part in the encoding {encoding}, which our letters do not have")


def _one(fields: list[tuple[str, str]], wanted: str) -> str:
    values = [value for name, value in fields if name == wanted]
    if len(values) > 1:
        raise Unreadable(f"it has a part with two headers {wanted.title()}")
    return values[0] if values else ""


def _structured(fields: list[tuple[str, str]], wanted: str) -> tuple[str, dict[str, str]]:
    """A header like `text/plain; charset="utf-8"` (RFC 2045 §5.1): its word in small letters, and each parameter once."""
    value = _one(fields, wanted) or ("text/plain" if wanted == "content-type" else "")
    word, parameters, at = value.partition(";")[0].strip(" \t").lower(), dict[str, str](), value.find(";")
    if value and not WORD.fullmatch(word):
        raise Unreadable(f"it has a header {wanted.title()} that mail programs read in different ways")
    while 0 <= at < len(value):
        found = PARAMETER.match(value, at)
        if found is None:
            raise Unreadable(f"it has a header {wanted.title()} that mail programs read in different ways")
        name, text = found[1].lower(), re.sub(r"\\(.)", r"\1", found[2]) if found[2] is not None else found[3]
        if name.endswith("*"):
            name, text = name[:-1], _extended(text)
        if name in parameters:
            raise Unreadable(f"it has a header {wanted.title()} that says {name} twice")
        parameters[name], at = text, found.end()
    return word, parameters


def _extended(text: str) -> str:
    """RFC 2231 §4, in UTF-8."""
    charset, _, rest = text.partition("'")
    if charset.lower() != "utf-8":
        raise Unreadable("it has a file with a name in another character set than UTF-8")
    return unquote_to_bytes(rest.partition("'")[2]).decode("utf-8", "replace")


def words_of_header(value: str) -> str:
    """What a mail program shows of an unstructured header: its encoded words decoded (RFC 2047). Raises Unreadable."""
    try:
        pieces = decode_header(value)
        return "".join(
            piece if isinstance(piece, str) else piece.decode(charset or "ascii", "replace") for piece, charset in pieces
        )
    except (HeaderParseError, LookupError, ValueError):
        raise Unreadable("it has a header that cannot be decoded") from None


def mailbox_of_header(value: str) -> list[str]:
    """Name and address of a From or To that holds exactly one mailbox, as we write it. Raises Unreadable."""
    found = MAILBOX.fullmatch(value)
    if found is None:
        raise Unreadable("it has a From or To that is not exactly one mailbox as we write it")
    name = found["name"] or ""
    quoted = re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith('"') else words_of_header(name)
    return [quoted.strip(), found["address"] or found["bare"]]
