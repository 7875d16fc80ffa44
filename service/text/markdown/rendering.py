"""Markdown as people write it: to HTML by an allow-list, and to plain text with the same links."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Mapping

import nh3

from service.text.markdown import parsing, plain_text, slots

TAGS = {
    "p", "br", "strong", "em", "s", "h1", "h2", "h3", "h4", "ul", "ol", "li", "blockquote", "a", "hr", "code", "pre",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "th": {"align", "scope"}, "td": {"align"}}


def to_html(source: str) -> str:
    """Sanitised HTML: no script, style, `javascript:` or bidirectional overrides."""
    unsafe = parsing.to_html(parsing.parse(source))
    return nh3.clean(unsafe, tags=TAGS, attributes=ATTRIBUTES, url_schemes=parsing.SCHEMES, link_rel=None)


def to_text(source: str) -> str:
    """The same for people who read plain text; a link's address stands after its words, whole, on no broken line."""
    return plain_text.to_text(parsing.parse(source))


def fill_html(page: str, values: Mapping[str, str]) -> str:
    """Puts a reader's values into the slots of a page; they can break no markup."""
    return slots.fill(page, values, html.escape)


def fill_text(text: str, values: Mapping[str, str]) -> str:
    return plain_text.fill(text, values)


HANGING = re.compile(r"( *)(- |\d+\. |> )?")


def tidy(text: str, width: int = 78) -> str:
    """A letter's text: lines of at most 78 characters (RFC 5322 §2.1.1) but for long addresses, no trailing spaces but in
    the signature's "-- ", one blank line where a template left more."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        bare = line if line == "-- " else line.rstrip()
        if bare or (lines and lines[-1]):
            whole = len(bare) <= width or bare.startswith("    ") or plain_text.is_open(bare)
            lines += [bare] if whole else _rewrapped(bare)
    return "\n".join(lines).rstrip("\n") + "\n"


def _rewrapped(line: str) -> list[str]:
    match = HANGING.match(line)
    lead, mark = (match[1], match[2] or "") if match else ("", "")
    hanging = lead + (mark if mark == "> " else " " * len(mark))
    wrapper = textwrap.TextWrapper(72, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
    return wrapper.wrap(line)
