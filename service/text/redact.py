"""A server's words without the addresses or the links in them, for whoever need not know these, or must not follow them."""

from __future__ import annotations

import re

ADDRESS = re.compile(r'"[^"]*"@\S*|\S*@\S*')


def without_addresses(words: str) -> str:
    return " ".join(ADDRESS.sub("…@…", words).split())


LINK = re.compile(
    r"(?<![\w+.-])(?:[a-z][a-z0-9+.-]{0,20}://|www\.|(?:mailto|tel|javascript|data):)\S*"
    r"|(?<![\w.-])[\w-]{1,63}(?:\.[\w-]{1,63}){1,9}\.?(?::\d{1,5})?/\S*",
    re.IGNORECASE,
)
"""With a scheme, or a host with a path: what programs and people follow. The bare name of a server is often the reason."""


def without_links(words: str) -> str:
    return " ".join(LINK.sub("…", words).split())
