"""The fixed placeholders of an update: `{name}`, or with what to say where we know no name: `{name|friend}`."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES = ("name", "clp", "office")
PATTERN = re.compile(r"\{(name|clp|office)(?:\|([^{}|\n]{0,100}))?\}")
BRACES = re.compile(r"\{([^{}\n]{0,120})\}")


def fill(source: str, values: Mapping[str, str]) -> str:
    return PATTERN.sub(lambda found: values.get(found[1]) or found[2] or "", source)


def unknown(source: str) -> list[str]:
    """What stands in braces and is no placeholder."""
    return [found[0] for found in BRACES.finditer(source) if not PATTERN.fullmatch(found[0])]
