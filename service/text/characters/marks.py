"""Whether a text piles marks on a letter until it covers the lines around it. It judges and changes nothing.

Latin, Greek and Cyrillic letters bear at most three marks (Vietnamese and polytonic Greek are composed by NFC and have none).
Letters of other scripts go by their own syllables: a Burmese, Tibetan or pointed Hebrew letter rightly bears more.
"""

from __future__ import annotations

import unicodedata

ACCENTS = 3
"""Marks on one Latin, Greek or Cyrillic letter, on what is no letter, and of those made for these scripts on any other."""
OWN_MARKS = 10
"""A Tibetan stack has up to eight, a Hebrew letter with its points and cantillation five, a Burmese syllable five."""
REPEATED = 2
"""The same mark on one letter; no script writes it three times."""
ALPHABETS = ("LATIN", "GREEK", "CYRILLIC")
JOINERS = "\u200c\u200d"


def piles_marks(text: str) -> bool:
    """`text` is in NFC."""
    if text.replace(" ", "").isalpha():  # no mark is alphabetic, and most names are letters only
        return False
    base, marks = "", list[str]()
    for character in text:
        if unicodedata.category(character)[0] == "M":
            marks.append(character)
            if _too_many(base, marks):
                return True
        elif character not in JOINERS:  # which end no syllable
            base, marks = character, []
    return False


def _too_many(base: str, marks: list[str]) -> bool:
    if not _of_another_script(base):
        return len(marks) > ACCENTS
    general = sum(unicodedata.name(mark, "").startswith("COMBINING ") for mark in marks)
    return general > ACCENTS or len(marks) > OWN_MARKS or marks.count(marks[-1]) > REPEATED


def _of_another_script(base: str) -> bool:
    return base.isalpha() and not unicodedata.name(base, "").startswith(ALPHABETS)
