"""The fixed placeholders of an update: `{name}`, or with what to say where we know no name: `{name|friend}`."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES = ("name", "clp", "office")
PATTERN = re.compile(r"\{(name|clp|office)(?:\|([^{}|\n]{0,100}))?\}")
BRACES = re.compile(r"\{([^{}\n]{0,120})\}")


def fill(source: str, values: Mapping[str, str]) -> str:
    return PATTERN.sub(lambda found: values.get(found[1]) or found[2] or "", source)


def mark(name: str, fallback: str = "") -> str:
    """A placeholder in a form that Markdown, templates and sanitiser leave alone, for whoever fills each copy."""
    return f"slot{name}x{fallback.encode().hex()}slot"


def marked(source: str) -> str:
    return PATTERN.sub(lambda found: mark(found[1], found[2] or ""), source)


def unknown(source: str) -> list[tuple[int, int, str]]:
    """What stands in braces and is no placeholder, each with its line and column, from one."""
    strange = (found for found in BRACES.finditer(source) if not PATTERN.fullmatch(found[0]))
    return [(*_place(source, found.start()), found[0]) for found in strange]


def _place(source: str, at: int) -> tuple[int, int]:
    return source.count("\n", 0, at) + 1, at - source.rfind("\n", 0, at)


def without_fallback(source: str) -> list[str]:
    """Placeholders that say nothing where we know nothing."""
    return sorted({found[1] for found in PATTERN.finditer(source) if not found[2]})
