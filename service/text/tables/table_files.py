"""A table as people have it in a file, made CSV in UTF-8: Windows-1252, UTF-16, Excel, OpenDocument, told by their bytes."""

from __future__ import annotations

import codecs
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from service.errors import Refused
from service.text.tables import spreadsheet

CHUNK = 1 << 20
SECONDS = 90
UTF8, UTF16, WINDOWS = "UTF-8", "UTF-16", "Windows-1252"
NO_TABLES = (b"\x89PNG", b"%PDF", b"\xff\xd8\xff", b"GIF8")
SPREADSHEET = "a spreadsheet"
NO_SPREADSHEET = "This spreadsheet cannot be read. Open it, save its sheet as “CSV UTF-8” without a password, and send that."
TOO_LARGE = "This spreadsheet is too large to be read. Open it, save its sheet as “CSV UTF-8”, and send that."
ROOT = Path(__file__).resolve().parent.parent.parent.parent


def as_csv(source: Path, target: Path, called: str = "") -> str:
    """Says how the file is to be read; where that is not UTF-8 already, writes it to `target` as CSV in UTF-8.

    Raises Refused, with what to do, for a spreadsheet that cannot be read.
    """
    with source.open("rb") as opened:
        start = opened.read(4096)
    if start.startswith(spreadsheet.SIGNATURES):
        _from_spreadsheet(source, target)
        return SPREADSHEET
    if start.startswith(NO_TABLES):
        raise Refused(
            f"{called or source} is no table: it is a picture or a PDF. Save the table as CSV, Excel or OpenDocument."
        )
    encoding = _utf16(start) or _eight_bits(source)
    if encoding == UTF8:
        return UTF8
    errors = "replace" if encoding.startswith("utf") else "surrogateescape"
    with target.open("wb") as written:
        for text in _decoded(source, encoding, errors):
            written.write(text.encode("utf-8", "surrogateescape"))
    return UTF16 if encoding.startswith("utf") else WINDOWS


def _utf16(start: bytes) -> str:
    """Which UTF-16 this is, by its mark, or by the zero bytes of its commas and letters; empty where it is none."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) * 3 < len(start) // 2 or len(start) < 4:
        return ""
    return "utf-16-be" if even > odd else "utf-16-le"


def _eight_bits(source: Path) -> str:
    """UTF-8 where it holds a character of several bytes that is well-formed, or none at all; else Windows-1252.

    A file of UTF-8 with a spoilt line stays one: its other lines would become wrong.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    spoilt = False
    with source.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            text = decoder.decode(chunk)
            if text.isascii():
                continue
            others = text.translate(WITHOUT_ASCII)
            spoilt = spoilt or any("\udc80" <= other <= "\udcff" for other in others)
            if any(not "\udc80" <= other <= "\udcff" and other != "\ufeff" for other in others):
                return UTF8
    return "cp1252" if spoilt else UTF8


WITHOUT_ASCII = dict.fromkeys(range(128))


def _decoded(source: Path, encoding: str, errors: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    with source.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _from_spreadsheet(source: Path, target: Path) -> None:
    """In a process of its own, whose memory and time are bounded: such a file is a packed one, and may be a bomb."""
    command = [sys.executable, "-m", "service.text.tables.spreadsheet", str(source.resolve()), str(target.resolve())]
    try:
        done = subprocess.run(command, cwd=ROOT, stderr=subprocess.DEVNULL, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise Refused(TOO_LARGE) from None
    if done.returncode:
        raise Refused(NO_SPREADSHEET if done.returncode == spreadsheet.UNREADABLE else TOO_LARGE)
