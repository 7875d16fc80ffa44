"""Names of people: what we take, and when two are the same."""

from __future__ import annotations

import unicodedata

from service.errors import Refused
from service.text.characters.control import CONTROL
from service.text.characters.invisible import without_empty
from service.text.characters.links_in_names import holds_link
from service.text.characters.marks import piles_marks

LONGEST = 100
JOINERS = "\u200c\u200d"
"""Invisible, and part of names and emoji; alone they make no difference between two names."""
HIDDEN = "A line break or a character that cannot be seen stands in it. Type it by hand instead of pasting it."
LOST = "A letter was lost on the way into this field, and a � stands in its place. Type it again."
FORMULA = ("=", "+", "-", "@")


def clean(text: str, field: str, *, longest: int = LONGEST) -> str:
    """One line of plain text as people type it. Raises Refused.

    What pasting brings along and nobody sees is dropped. Control characters and overrides of direction (which make a text
    read as another one) are refused, and so is a beginning that a spreadsheet would run as a formula.
    """
    text = unicodedata.normalize("NFC", without_empty(text)).replace("\t", " ")
    if "\ufffd" in text:
        raise Refused(**{field: LOST})
    if not text.isprintable():  # no character of a printable text is forbidden, and its only space is the plain one
        if any(_forbidden(character) for character in text):
            raise Refused(**{field: HIDDEN})
        text = " ".join(text.split())
    if "  " in text:
        text = " ".join(text.split())
    if len(text) > longest:
        raise Refused(**{field: f"Use at most {longest} characters."})
    if unicodedata.normalize("NFKC", text).lstrip(JOINERS).startswith(FORMULA):
        raise Refused(**{field: "Begin with a letter: = + - @ cannot come first."})
    if not text.isascii() and piles_marks(text):
        raise Refused(**{field: "Use at most three accents on one letter."})
    return text


def _forbidden(character: str) -> bool:
    """Control characters, Cf format (bidi overrides, zero width), Co private use; joiners are part of names."""
    if CONTROL.match(character) or character in "\t\n":
        return True
    return unicodedata.category(character) in {"Cf", "Co"} and character not in JOINERS


def without_links(text: str, field: str, *, longest: int = LONGEST) -> str:
    """As `clean`, for names, local parties and offices, which are no place for a web or e-mail address. Raises Refused."""
    text = clean(text, field, longest=longest)
    if holds_link(text):
        sentence = "Leave out web addresses and e-mail addresses. If there is none in it, put a space after each full stop."
        raise Refused(**{field: sentence})
    return text


def person(text: str, field: str = "name") -> str:
    name = without_links(text, field)
    if not name:
        raise Refused(**{field: "Enter your name."})
    if not any(character.isalpha() for character in name):
        raise Refused(**{field: "Enter your name in letters."})
    return name


def key(name: str) -> str:
    """Two names are one if they differ in case, accents or spaces alone."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c) and c not in JOINERS)
    return " ".join(bare.casefold().split())
