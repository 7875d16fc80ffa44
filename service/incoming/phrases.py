"""Tables of phrases, in text files beside this one: `[section]`, then one regular expression to a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def sections(name: str) -> Iterator[tuple[str, str]]:
    """Each section's title and the alternation of its lines."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    for section in re.split(r"^\[", text, flags=re.MULTILINE)[1:]:
        title, _, lines = section.partition("]\n")
        yield title, "|".join(line for line in lines.splitlines() if line)


@cache
def _phrases() -> dict[str, str]:
    return dict(sections("phrases.txt"))


def phrase(section: str, around: str = "{}") -> re.Pattern[str]:
    """The phrases of a section, in any case; `around` may say where they must stand."""
    return re.compile(around.replace("{}", f"(?:{_phrases()[section]})"), re.IGNORECASE)
