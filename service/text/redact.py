"""A server's words without the addresses in them, for whoever need not know these."""

from __future__ import annotations

import re

ADDRESS = re.compile(r'"[^"]*"@\S*|\S*@\S*')


def without_addresses(words: str) -> str:
    return " ".join(ADDRESS.sub("…@…", words).split())
