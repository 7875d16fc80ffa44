"""Tables of phrases, in text files beside this one: `[section]`, then one regular expression to a line.

A line that begins with "# " is a comment. `[word: name]` is no section of its own: later lines use its alternation as {name}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def sections(name: str) -> Iterator[tuple[str, str]]:
    """Each section's title and the alternation of its lines, with the words of its file in their places."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    words: dict[str, str] = {}
    for section in re.split(r"^\[", text, flags=re.MULTILINE)[1:]:
        title, _, rest = section.partition("]\n")
        lines = "|".join(_filled(line, words) for line in rest.splitlines() if line and not line.startswith("# "))
        if title.startswith(WORD):
            words[title.removeprefix(WORD)] = f"(?:{lines})"
        else:
            yield title, lines


def _filled(line: str, words: dict[str, str]) -> str:
    return WORD_USED.sub(lambda used: words[used[1]], line)


WORD = "word: "
WORD_USED = re.compile(r"\{([a-z]+)\}")


@cache
def _phrases() -> dict[str, str]:
    return dict(sections("phrases.txt"))


def phrase(section: str, around: str = "{}") -> re.Pattern[str]:
    """The phrases of a section, in any case; `around` may say where they must stand."""
    return re.compile(around.replace("{}", f"(?:{_phrases()[section]})"), re.IGNORECASE)
