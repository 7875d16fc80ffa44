"""Markdown that was written to take time: as much as an update may hold of it is read in seconds."""

from __future__ import annotations

import pytest

from service.mailings.versions import LONGEST
from service.text.markdown.pictures import first
from service.text.markdown.rendering import to_html, to_text

HOSTILE = {
    "brackets": "[",
    "pictures": "![",
    "links that never end": "[a](",
    "stars": "*a ",
    "backticks": "`a``",
    "strokes": "|a" + "|" * 40,
    "tables": "|a|b|\n|-|-|\n",
    "many addresses": "https://a.example/_b_ ",
    "one address in another": "https://",
    "brackets in addresses": "https://a(",
    "almost hosts": "a-b.",
    "almost mailboxes": "a.b@",
    "quotations": "> ",
    "lists": "- ",
    "placeholders": "{name}",
    "references": "[a]: <b\n",
}


@pytest.mark.timeout(40)
@pytest.mark.parametrize("piece", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_markdown_is_read_in_bounded_time(piece: str) -> None:
    """A timeout stands for the bound: what is more than linear in any of these takes minutes at this length."""
    body = (piece * (LONGEST // len(piece)))[: LONGEST // 2]
    assert len(to_html(body)) > 0
    to_text(body)
    first(body)
