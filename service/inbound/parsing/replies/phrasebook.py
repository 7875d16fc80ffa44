"""Phrases of many languages, and whether a text is made of them and of nothing else.

A list of what may be said is safe where a list of what may not be said never ends: whatever word stands in no list, is read by
a person.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path

APOSTROPHES = str.maketrans("", "", "'’‘ʼ`´״׳\u0640")
SYMBOLS = {"👍", "👎", "✅", "✔", "❌", "❎", "🚫", "🙏", "🙂", "😀", "😊", "😃", "😉", "❤", "🎉", "👏", "💪", "✊", "🌹"}
"""Drawn words. Any other sign that is neither punctuation nor the colour of a hand is a word that nobody knows."""
PUNCTUATION = re.compile(
    r"[\s!\"#%&()*+,\-./:;<=>@\[\]_{}|~¡«»·…‐-―“”„‚‹›•。、，！：；（）「」『』։․।॥،؛۔᠂\ufe0e\ufe0f\u200d🏻-🏿]"
)
"""What says nothing by itself. A question mark does."""
ONE_BY_ONE = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Scripts that write no spaces between words: Thai, Lao, Burmese, Khmer, kana, Han."""
HANGUL = re.compile(r"[\uac00-\ud7a3]")


def tokens(text: str) -> list[str]:
    """Words in small letters, without apostrophes; signs, and letters of scripts that write no spaces, one by one."""
    words: list[str] = []
    word = ""
    for c in unicodedata.normalize("NFKC", text).casefold().translate(APOSTROPHES):
        if ONE_BY_ONE.match(c) and not unicodedata.category(c).startswith("P"):
            words += [word, c]
            word = ""
        elif word and HANGUL.match(c) and word[-1].isascii():  # 아이폰 is one word, iPhone에서 are two
            words.append(word)
            word = c
        elif c.isalnum() or (word and unicodedata.category(c)[0] == "M" and c not in "\ufe0e\ufe0f"):
            word += c
        else:
            words += [word, "" if PUNCTUATION.match(c) or unicodedata.category(c) == "Cf" else c]
            word = ""
    return [word for word in (*words, word) if word]


Phrases = Mapping[str, Collection[tuple[str, ...]]]
"""By their first word."""


def phrases(texts: Iterable[str]) -> Phrases:
    by_first: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for text in texts:
        if words := tuple(tokens(text)):
            by_first[words[0]].add(words)
    return dict(by_first)


def covered(words: list[str], books: list[Phrases]) -> set[frozenset[int]]:
    """The ways to read words as a row of phrases: each as the set of books that it takes; none where a word is left over."""
    ways: list[set[frozenset[int]]] = [set() for _ in range(len(words) + 1)]
    ways[0].add(frozenset())
    for at in range(len(words)):
        for number, book in enumerate(books) if ways[at] else ():
            for phrase in book.get(words[at], ()):
                if tuple(words[at : at + len(phrase)]) == phrase:
                    ways[at + len(phrase)] |= {way | {number} for way in ways[at]}
    return ways[-1]


@cache
def section(file: str, title: str) -> tuple[str, ...]:
    """The phrases of one section of a text file beside this module: ` / ` between them, `#` before a language's name."""
    text = Path(__file__).with_name(file).read_text(encoding="utf-8")
    for part in re.split(r"^\[", text, flags=re.MULTILINE)[1:]:
        name, _, lines = part.partition("]\n")
        if name == title:
            rows = [line.partition("#")[0] for line in lines.splitlines()]
            return tuple(phrase.strip() for row in rows for phrase in row.split(" / ") if phrase.strip())
    raise KeyError(title)


@cache
def book(file: str, title: str) -> Phrases:
    return phrases(section(file, title))
