"""Pictures in an update or a notice are refused with their place, in whatever way somebody placed them."""

from __future__ import annotations

import pytest

from service.text.markdown.pictures import first

PICTURES = {
    "with its address": ("See\n![plan](https://example.org/plan.png)", (2, 1, "![plan]")),
    "brackets in its words": ("a ![a [b] c](https://example.org/x) b", (1, 3, "![a [b]")),
    "by reference": ("x\n\n![plan][p]\n\n[p]: https://example.org/x", (3, 1, "![plan]")),
    "by its own name": ("![plan]\n\n[plan]: https://example.org/x", (1, 1, "![plan]")),
    "without a definition": ("Our ![plan] for May", (1, 5, "![plan]")),
    "without words": ("![](https://example.org/x)", (1, 1, "![]")),
    "over two lines": ("one\n![a\nb](https://example.org/x)", (2, 1, "![a")),
    "in a link": ("[![a](https://example.org/x)](https://example.org)", (1, 2, "![a]")),
    "in a list, a quotation, a table": ("> - ![q](https://example.org/x)", (1, 5, "![q]")),
    "in a table": ("| a |\n|---|\n| ![x](https://example.org/x) |", (3, 3, "![x]")),
    "in a heading": ("# H ![t](https://example.org/x)", (1, 5, "![t]")),
    "to a script": ("![x](javascript:alert(1))", (1, 1, "![x]")),
    "HTML": ("Look:\n<IMG src='https://example.org/x.png'>", (2, 1, "<IMG src='https://example.org/x.png'>")),
    "an address in angles": ("Look\n!<https://example.org/x.png>", (2, 1, "!<https://example.org/x.png>")),
    "a bare address": ("!https://example.org/x.png", (1, 1, "!https://example.org/x.png")),
}
NONE = (
    "`![a](https://example.org/x)`", "    ![b](c)\n", "```\n<img src=x>\n```", r"\![no](https://example.org) it is not",
    "Join now!<https://example.org>", "Wow! [really](https://example.org)", "https://example.org/plan.png", "Stop! https://example.org",
    "a < b and imagine!", "[plan]: https://example.org/plan.png",
)  # fmt: skip


@pytest.mark.parametrize(("source", "place"), PICTURES.values(), ids=list(PICTURES))
def test_a_picture_is_found_in_its_place(source: str, place: tuple[int, int, str]) -> None:
    assert first(source) == place


@pytest.mark.parametrize("source", NONE)
def test_what_is_no_picture_is_taken(source: str) -> None:
    assert first(source) is None
