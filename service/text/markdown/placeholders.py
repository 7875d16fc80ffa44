"""The fixed placeholders of an update: `{name}`, or with what to say where we know no name: `{name|friend}`."""

from __future__ import annotations

import re

from service.text.characters import control
from service.text.markdown.slots import slot

DEFAULTS = {"name": "friend", "clp": "your local party", "office": "member"}
"""What a copy, and the public page, say where an update says nothing else: no text has a hole in it."""
PATTERN = re.compile(r"\{(name|clp|office)(?:\|([^{}|\n]{0,100}))?\}")
BRACES = re.compile(r"\{([^{}\n]{0,120})\}")


def marked(source: str) -> str:
    """The source with slots in place of its placeholders."""
    return PATTERN.sub(lambda match: slot(match[1], _fallback(match) or DEFAULTS[match[1]]), control.clean(source))


def unknown(source: str) -> list[tuple[int, int, str]]:
    """What stands in braces and is no placeholder, each with its line and column, from one."""
    strange = (match for match in BRACES.finditer(source) if not PATTERN.fullmatch(match[0]))
    return [(*place(source, match.start()), match[0]) for match in strange]


def place(source: str, at: int) -> tuple[int, int]:
    return source.count("\n", 0, at) + 1, at - source.rfind("\n", 0, at)


def without_fallback(source: str) -> list[str]:
    """Placeholders that do not say what stands there where we know nothing."""
    return sorted({match[1] for match in PATTERN.finditer(source) if not _fallback(match)})


def _fallback(match: re.Match[str]) -> str:
    return match[2] if match[2] and match[2].strip() else ""
