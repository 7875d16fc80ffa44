"""Texts in any script: letters with their marks, where a long word may break, which way it runs, what its script is called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from unicodedata import bidirectional, category, combining, east_asian_width, name

JOINERS = "\u200c\u200d"
BREAK = "\u200b"
"""Zero width space: a line may end here."""
ISOLATE, END_OF_ISOLATE = "\u2068", "\u2069"
VIRAMA = 9
"""The combining class of the signs that join a consonant to the next one."""
LONG = 26
"""A word of this width may be broken; a column of the narrowest list holds about as many small Latin letters."""
LONG_IN_PROSE = 70
AT_MOST = 8
"""More scripts than these are counted, not named."""
STEP = 4
"""So many letters stay together where a long word is broken."""
_SPACING = re.compile("[\u0e33\u0eb3\u1160-\u11ff\ud7b0-\ud7ff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
"""Letters that belong to the one before, though they are no marks: Thai and Lao AM, medial jamo, emoji modifiers and tags."""
_BROKEN_BY_RULES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\ua9e0-\ua9ff\uaa60-\uaa7f]")
"""Scripts of which line-breaking programs know the words, though no spaces stand between them (UAX #14, class SA)."""
_WORD = re.compile(rf"[^\s-]{{{LONG // 2},}}")
_SCRIPT = re.compile(
    r"(.+?)[ -](?:(?:CAPITAL|SMALL|INDEPENDENT|DEPENDENT|SUBJOINED|FINAL|MEDIAL|SUPERSCRIPT|SUBSCRIPT) )*"
    r"(?:LETTERS?|VOWEL|CONSONANT|SIGN|MARK|SYLLABLES?|SYLLABICS|IDEOGRA\w+|HIEROGLYPH|DIGIT|NUMBER|TONE|LIGATURE|CHARACTER)\b"
)
_NO_SCRIPT = ("MODIFIER", "COMBINING", "MATHEMATICAL", "VARIATION", "FULLWIDTH", "HALFWIDTH", "SQUARED", "DOUBLE-STRUCK")


def clusters(text: str) -> list[str]:
    """The letters of a text, each with its marks (after UAX #29, without its rules for flags)."""
    parts: list[str] = []
    for character in text:
        if parts and (_extends(character) or parts[-1][-1] == JOINERS[1] or _is_joined(parts[-1][-1], character)):
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def _extends(character: str) -> bool:
    return category(character)[0] == "M" or character in JOINERS or bool(_SPACING.match(character))


def _is_joined(before: str, character: str) -> bool:
    """Whether both are halves of a conjunct (UAX #29, GB9c)."""
    return combining(before) == VIRAMA and category(character) == "Lo"


def replace(text: str, unprintable: frozenset[str], by: str) -> str:
    """The text with `by` in place of each letter that holds one of these characters, marks and all."""
    if unprintable.isdisjoint(text):
        return text
    return "".join(by if not unprintable.isdisjoint(letter) else letter for letter in clusters(text))


def breakable(text: str, *, prose: bool = False) -> str:
    """The text, in which a word that is too long for a line may break.

    Prose has a whole page's width, and of it a script without spaces is left to the program that sets it: it knows the words.
    """
    longest = LONG_IN_PROSE if prose else LONG
    if len(text) <= longest // 2:
        return text
    return _WORD.sub(lambda word: _broken(word[0], longest, prose), text)


def _broken(word: str, longest: int, prose: bool) -> str:
    if any(east_asian_width(character) == "W" for character in word) or (prose and _BROKEN_BY_RULES.search(word)):
        return word
    letters = clusters(word)
    if sum(map(_width, letters)) <= longest:
        return word
    return BREAK.join("".join(letters[start : start + STEP]) for start in range(0, len(letters), STEP))


def _width(letter: str) -> int:
    """1 for a small letter of an alphabet; capitals and the letters of syllabic scripts are wider."""
    is_syllabic = letter[0] > "\u0900" and not "\u1e00" <= letter[0] <= "\u2fff"
    return 2 if letter[0].isupper() or is_syllabic else 1


def isolated(text: str) -> str:
    """The text, in which a part that runs from right to left does not turn what stands beside it (UAX #9)."""
    runs_left = not text.isascii() and any(bidirectional(character) in {"R", "AL"} for character in text)
    return f"{ISOLATE}{text}{END_OF_ISOLATE}" if runs_left else text


def listed(names: Iterable[str]) -> str:
    """Names of scripts for a sentence: "Adlam, Tibetan", at most a line of them."""
    ordered = sorted(set(names))
    more = len(ordered) - AT_MOST
    return ", ".join(ordered[:AT_MOST]) + (f" and {more} more" if more > 0 else "")


@lru_cache(maxsize=1_000)
def script(character: str) -> str:
    """What to call the script of a character in a sentence: "Tibetan", or "symbols" for what is of no script."""
    words = name(character, "")
    if words.startswith("CJK"):
        return "Chinese"
    if not words or words.startswith(_NO_SCRIPT) or not (letter := _letter_beside(character, words.split(" ")[0])):
        return "symbols"
    match = _SCRIPT.match(letter)
    return (match[1] if match else letter.split(" ")[0]).title()


def _letter_beside(character: str, first_word: str) -> str:
    """The name of a letter near it in Unicode that begins alike: what tells a script's comma from a snowman."""
    start = ord(character) & ~0x7F
    beside = (chr(number) for number in range(start, start + 0x80))
    names = (name(letter, "") for letter in beside if category(letter)[0] == "L")
    return next((words for words in names if words.split(" ")[0] == first_word), "")
