"""Markdown as plain text: what a reader without HTML sees."""

from __future__ import annotations

import pytest

from service.text.markdown.rendering import tidy, to_text

LONG = "https://example.org/a/path/that/is/far/longer/than/any/line/of/a/letter/ought/to/be/and/goes/on"

PLAIN = {
    "paragraphs": ("one\n\ntwo", "one\n\ntwo"),
    "a tight list": ("before\n\n- a\n- b\n- c\n\nafter", "before\n\n- a\n- b\n- c\n\nafter"),
    "a loose list": ("- a\n\n- b", "- a\n\n- b"),
    "numbers": ("9. a\n10. b", "9. a\n10. b"),
    "a list in a list": ("- a\n  - b\n  - c\n- d", "- a\n  - b\n  - c\n- d"),
    "two lists": ("- a\n- b\n\n1. c\n2. d", "- a\n- b\n\n1. c\n2. d"),
    "two paragraphs in an item": ("- a\n\n  more\n- b", "- a\n\n  more\n\n- b"),
    "a long item": ("- " + "word " * 20, "- " + "word " * 13 + "word\n  " + "word " * 5 + "word"),
    "an empty item": ("- a\n-\n\nafter", "- a\n\nafter"),
    "code in an item": ("- a\n\n  ```\n  x\n  ```\n- b", "- a\n\n      x\n\n- b"),
    "a quotation": ("> a\n> b", "> a b"),
    "a long quotation": ("> " + "word " * 20, "> " + "word " * 13 + "word\n> " + "word " * 5 + "word"),
    "a quotation of lines": ("> a\\\n> b", "> a\n> b"),
    "headings": ("# One\n\n## Two\n\ntext", "One\n===\n\nTwo\n---\n\ntext"),
    "a link": ("[words](https://example.org/)", "words <https://example.org/>"),
    "a long link": (f"see [this]({LONG}) now", f"see this\n<{LONG}>\nnow"),
    "brackets in a link's words": ("[a [b] c](https://example.org/)", "a [b] c <https://example.org/>"),
    "brackets in a link's address": ("[a](https://example.org/b_(c))", "a <https://example.org/b_(c)>"),
    "what is struck out": ("to ~~nobody~~ everybody", "to [struck out: nobody] everybody"),
    "a link without words": ("[](https://example.org/)", "https://example.org/"),
    "a list of three in each other": ("1. a\n   - b\n     1. c\n     2. d\n2. e", "1. a\n   - b\n     1. c\n     2. d\n2. e"),
    "a quotation in a list in a quotation": ("> - a\n>   > b", "> - a\n>\n>   > b"),
    "a table": (
        "| Day | Who |\n|---|---|\n| Mon | **Ada** |\n| Tuesday | |",
        "Day      Who\n-------  ---\nMon      Ada\nTuesday",
    ),
    "a table of numbers": ("|a|b|c|\n|-|-:|:-:|\n|x|1|y|\n|z|100|uvw|", "a    b   c\n-  ---  ---\nx    1   y\nz  100  uvw"),
    "a table with wide letters": ("|a|b|\n|-|-|\n|李小龍|x|\n|y|z|", "a       b\n------  -\n李小龍  x\ny       z"),
    "a table in an item": ("- a\n\n  |b|c|\n  |-|-|\n  |d|e|", "- a\n\n  b  c\n  -  -\n  d  e"),
    "a table that is too wide": (
        "|Day|What|\n|-|-|\n|Mon|" + "word " * 16 + "|\n|Tue||",
        "Day: Mon\nWhat: " + "word " * 12 + "word\nword word word\n\nDay: Tue",
    ),
    "a stroke in a cell": (r"|a|" + "\n|-|\n" + r"|b \| c|", "a\n-----\nb | c"),
    "two paragraphs in a quotation": ("> a\n>\n> b\n\n> c\n\nd", "> a\n>\n> b\n\n> c\n\nd"),
    "a picture that was stored before": ("![plan](https://example.org/x)", "[plan]"),
    "a rule": ("a\n\n---\n\nb", "a\n\n--------------------\n\nb"),
}


@pytest.mark.parametrize(("source", "plain"), PLAIN.values(), ids=PLAIN)
def test_markdown_as_plain_text(source: str, plain: str) -> None:
    assert to_text(source) == plain.replace(" \n", "\n")


TIDY = {
    "one final newline": ("a\n\n\n", "a\n"),
    "one blank line between": ("a\n\n\n\nb\n", "a\n\nb\n"),
    "no blank line at the start": ("\n\na\n", "a\n"),
    "no trailing spaces": ("a  \n   \nb\n", "a\n\nb\n"),
    "the signature's mark": ("a\n-- \nus\n", "a\n-- \nus\n"),
    "a long line": ("word " * 20, "word " * 14 + "\n" + "word " * 5 + "word\n"),
    "a long point": ("- " + "word " * 20, "- " + "word " * 13 + "word\n  " + "word " * 5 + "word\n"),
    "a long address": (LONG, LONG + "\n"),
}


@pytest.mark.parametrize(("text", "tidied"), TIDY.values(), ids=TIDY)
def test_a_letter_is_tidy(text: str, tidied: str) -> None:
    assert tidy(text) == tidied.replace(" \n", "\n").replace("--\nus", "-- \nus")
