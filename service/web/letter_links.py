"""Tokens as they arrive in the addresses of links: what mail programs and hands glue on is taken off.

Only what cannot belong to a token is taken off. A token that was cut or changed still does not verify.
"""

from __future__ import annotations

import re
import unicodedata

from werkzeug.routing import PathConverter

SOFT_LINE_BREAK = re.compile(r"=\s+")
"""Quoted-printable (RFC 2045 §6.7), left undecoded."""
SIGNED = re.compile(r"\.?[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}")
COMPACT = re.compile(r"[A-Za-z2-7]{26}")
FOREIGN = re.compile(r"[^A-Za-z0-9_.-]")
LONGEST = 2_000


class LetterToken(PathConverter):
    """The last part of a link in a letter, up to the end of the address: a slash or a line break was glued on, too."""

    regex = "(?s:.+)"
    part_isolating = False

    def to_python(self, value: str) -> str:
        return without_glue(value)


def without_glue(text: str) -> str:
    """The token in what stands behind a link's path: "TOKEN.", "<TOKEN>", "TOKEN) thanks", or one broken over two lines."""
    visible = "".join(character for character in text[:LONGEST] if unicodedata.category(character) != "Cf")
    words = SOFT_LINE_BREAK.sub("", visible).split()
    first = _plain(words[0]) if words else ""
    return first if _is_complete(first) else _plain("".join(words))


def _plain(text: str) -> str:
    """The characters of a token at the text's beginning, after the brackets or quotes that may open it."""
    return FOREIGN.split(text.lstrip("<([{*_\"'“‘«"), maxsplit=1)[0].rstrip("._-")


def _is_complete(token: str) -> bool:
    return bool(SIGNED.fullmatch(token) or COMPACT.fullmatch(token))
