"""Markdown as people write it: to HTML by an allow-list, and to plain text with the same links."""

from __future__ import annotations

import re
import textwrap
from functools import cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

TAGS = {
    "p",
    "br",
    "strong",
    "em",
    "s",
    "h1",
    "h2",
    "h3",
    "h4",
    "ul",
    "ol",
    "li",
    "blockquote",
    "a",
    "hr",
    "code",
    "pre",
    "img",
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "img": {"src", "alt"}}
SCHEMES = {"https", "http", "mailto"}
SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("strikethrough")


def to_html(source: str) -> str:
    """Sanitised HTML: no script, style, `javascript:` or bidirectional overrides."""
    html = _parser().render(BIDI.sub("", source))
    return nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel=None)


def to_text(source: str, width: int = 72) -> str:
    """The same for people who read plain text; a link's address stands after its words, whole, on no broken line."""
    lines: list[str] = []
    prefix: list[str] = []
    counters: list[int | None] = []
    first = ""
    for token in _parser().parse(BIDI.sub("", source)):
        match token.type:
            case "bullet_list_open":
                counters.append(None)
            case "ordered_list_open":
                counters.append(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                counters.pop()
            case "list_item_open":
                first, counters[-1] = _marker(counters[-1])
                prefix.append(" " * len(first))
            case "list_item_close" | "blockquote_close":
                prefix.pop()
            case "blockquote_open":
                prefix.append("> ")
            case "inline":
                lines.append(_block(_inline(token), prefix, first, width))
                first = ""
            case "hr":
                lines.append("-" * 20)
            case "fence" | "code_block":
                lines.append(textwrap.indent(token.content.rstrip(), "    "))
    return "\n\n".join(lines)


def _marker(counter: int | None) -> tuple[str, int | None]:
    return ("- ", None) if counter is None else (f"{counter}. ", counter + 1)


def _block(text: str, prefix: list[str], first: str, width: int) -> str:
    indent = "".join(prefix)
    initial = indent[: len(indent) - len(first)] + first if first else indent
    wrapper = textwrap.TextWrapper(
        width, initial_indent=initial, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join("\n".join(wrapper.wrap(line)) for line in text.split("\n"))


def _allowed(href: str) -> bool:
    """Both parts of a letter have the same links: what the sanitiser takes out of one is not in the other."""
    found = SCHEME.match(href)
    return found is None or found[1].lower() in SCHEMES


def _inline(token: Token) -> str:
    parts: list[str] = []
    opened: list[tuple[int, str]] = []
    for child in token.children or []:
        match child.type:
            case "text" | "code_inline":
                parts.append(child.content)
            case "softbreak":
                parts.append(" ")
            case "hardbreak":
                parts.append("\n")
            case "link_open":
                opened.append((len(parts), str(child.attrs["href"])))
            case "link_close":
                start, href = opened.pop()
                shown = _allowed(href) and "".join(parts[start:]) != href
                parts.append(f" <{href}>" if shown else "")
            case "image":
                parts.append(f"[{child.content}]")
    return "".join(parts)
