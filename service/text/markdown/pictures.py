"""Pictures in a Markdown text: letters hold none, because whoever loads one tells its server that they read this."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from markdown_it.token import Token

from service.text.markdown.parsing import parse

_LITERAL = re.compile(r"!\[|<(?:img|picture|svg)\b", re.IGNORECASE)
"""What stays in the words where Markdown made no picture of it: its definition is missing, or it is HTML."""
_WRITTEN = re.compile(
    r"(?<!\\)(?:!\[[^\]\n]{0,60}\]?|!<?https?:[^\s>]{0,60}>?|<(?:img|picture|svg)\b[^>\n]{0,60}>?)", re.IGNORECASE
)
_BEFORE_ADDRESS = re.compile(r"(?:^|\s)!$")


class Place(NamedTuple):
    """Line and column, from one, and what stands there."""

    line: int
    column: int
    text: str


def first(source: str) -> Place | None:
    """Where somebody meant to place a picture, in whatever way; None where nobody did. Code is not looked at."""
    lines = source.split("\n")
    for token in parse(source):
        children = token.children or []
        if token.map is not None and (_has_picture(children) or _has_literal(children)):
            place = _written(lines, *token.map)
            if place is not None:
                return place
            if _has_picture(children):
                return Place(token.map[0] + 1, 1, lines[token.map[0]].strip()[:60])
    return None


def sentence(place: Place) -> str:
    """What its author is told."""
    where = f"Line {place.line}, column {place.column}: “{place.text}” would place a picture."
    return f"{where} Link to it instead: who loads a picture tells its server that they read this."


def _has_picture(tokens: Sequence[Token]) -> bool:
    return any(token.type == "image" for token in tokens)


def _has_literal(tokens: Sequence[Token]) -> bool:
    """Words that look like a picture, or an address with an exclamation mark before it."""
    for number, token in enumerate(tokens):
        if token.type == "text" and _LITERAL.search(token.content):
            return True
        autolink = token.type == "link_open" and token.info == "auto"
        if autolink and number and _BEFORE_ADDRESS.search(tokens[number - 1].content):
            return True
    return False


def _written(lines: Sequence[str], begin: int, end: int) -> Place | None:
    """The first of these lines that says it; a backslash before it makes it plain words."""
    for number in range(begin, min(end, len(lines))):
        match = _WRITTEN.search(lines[number])
        if match is not None:
            return Place(number + 1, match.start() + 1, match[0])
    return None
