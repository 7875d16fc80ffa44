"""Charsets by the names that mail programs give them: standard ones, old ones, and odd spellings of both.

A name that stands for nothing is None: what a message in it says is not guessed.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

ALIASES = {
    "": "us-ascii", "ascii": "us-ascii", "ansi_x3.110-1983": "latin-1", "default": "latin-1", "8bit": "latin-1",
    "unknown-8bit": "latin-1", "x-unknown": "latin-1", "unknown": "latin-1", "x-user-defined": "latin-1", "ansi": "cp1252",
    "binary": "latin-1", "iso-10646-ucs-2": "utf-16", "unicode": "utf-16", "unicode-1-1": "utf-16", "uft-8": "utf-8",
    "utf8mb4": "utf-8", "utf-8mb4": "utf-8", "unicode-1-1-utf-7": "utf-7", "unicode-1-1-utf-8": "utf-8",
    "unicode-2-0-utf-8": "utf-8", "ks_c_5601-1987": "cp949", "ks_c_5601-1989": "cp949", "ksc5601": "cp949",
    "ks_c_5601": "cp949", "euc-kr": "cp949", "korean": "cp949", "gb2312": "gb18030", "gb_2312-80": "gb18030", "gbk": "gb18030",
    "chinese": "gb18030", "big5": "cp950", "big5-hkscs": "big5hkscs", "shift_jis": "cp932", "shift-jis": "cp932",
    "sjis": "cp932", "ms_kanji": "cp932", "iso-2022-jp": "iso2022_jp_ext", "iso-2022-jp-ms": "iso2022_jp_ext",
    "windows-31j": "cp932", "tis-620": "cp874", "koi8": "koi8-r", "koi-8": "koi8-r", "koi8r": "koi8-r",
    "koi8u": "koi8-u", "koi-8-r": "koi8-r", "koi8-ru": "koi8-u", "macintosh": "mac_roman", "mac": "mac_roman",
    "mac-centraleurroman": "mac_latin2",
    "mac-ce": "mac_latin2", "mac-ukrainian": "mac_cyrillic", "mac-japanese": "cp932", "mac-korean": "cp949",
    "mac-chinesesimp": "gb18030", "mac-chinesetrad": "cp950",
}  # fmt: skip
"""Where a name has a superset that programs write under it (cp949 for ks_c_5601-1987), the superset."""
SPELLINGS = (
    (re.compile(r"(?:iso)?[-_. ]?8859[-_. ]?(\d{1,2})(?:[-_:].*)?"), r"iso8859-\1"),
    (re.compile(r"(?:win(?:dows)?|cp|ms|ibm|dos|oem)[-_. ]?(\d{3,5})"), r"cp\1"),
    (re.compile(r"(?:windows|cp|win)[-_. ]?(125\d).*"), r"cp\1"),
    (re.compile(r"utf[-_. ]?(8|7|16|32)([-_ ]?[bl]e)?(?:[-_]sig|[-_]bom)?"), r"utf-\1\2"),
    (re.compile(r"utf-?8.*"), "utf-8"),
    (re.compile(r"mac[-_ ]?(\w+)"), r"mac_\1"),
    (re.compile(r"(?:us[-_ ]?)?ascii.*"), "us-ascii"),
)
"""iso_8859-15:1998, 8859-1, iso-8859-8-i, win-1251, windows-1252http-equiv, utf8, x-mac-cyrillic; tried from the top."""
NO_CHARSETS = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}
"""Spellings of Python's and of DNS: no mail is written in them (and some raise whatever they are told of errors)."""
STRAY = " \t'\"\\<>()[]=:."
LONGEST = 60
LONG = 100_000
"""Octets of a text that may have been cut."""
NO_CONTROLS = bytes(octet for octet in range(256) if not 0x80 <= octet < 0xA0)


@lru_cache(maxsize=256)
def codec(name: str) -> str | None:
    """Python's name of a charset; None where there is none, or where it is no charset: zip is a codec, too."""
    name = re.split(r"[;,*$/?\s]", name.strip(STRAY).lower()[:LONGEST])[0].strip(STRAY)
    for spelling in dict.fromkeys((name, name.removeprefix("x-"), name.removeprefix("cs"))):
        alias = ALIASES.get(spelling, spelling)
        for pattern, standard in SPELLINGS:
            if alias == spelling and pattern.fullmatch(spelling):
                alias = pattern.sub(standard, spelling)
                break
        if (python := _python(ALIASES.get(alias, alias))) is not None:
            return python
    return None


def _python(name: str) -> str | None:
    try:
        " ".encode(name)
        python = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return None if python.replace("-", "_") in NO_CHARSETS else python


def decoded(octets: bytes, name: str) -> str:
    """Octets as a reader would see them. A charset that nobody knows is read as ASCII, for reports are in it."""
    python = codec(name) or "latin-1"
    if b"\x1b$" in octets and octets.isascii():  # Japanese mail of old names its charset seldom (RFC 1468)
        python = "iso2022_jp_ext"
    if python == "ascii" and not octets.isascii():
        python = "utf-8" if is_utf8(octets) else "cp1252"
    if python == "iso8859-1" and octets.translate(None, NO_CONTROLS):
        python = "cp1252"  # what browsers and mail programs read it as
    return octets.decode(python, "replace")


def is_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError as error:
        return len(octets) > LONG and error.start > len(octets) - 4  # cut in the middle of a character
    return True
