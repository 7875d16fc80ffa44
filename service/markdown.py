"""Markdown as people write it: to HTML by an allow-list, and to plain text with the same links."""

from __future__ import annotations

import re
import textwrap
from functools import cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from service.text import characters

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
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES = {"https", "http", "mailto"}
SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("strikethrough")


def _plain(source: str) -> str:
    """Without what no text needs: also of texts that were stored before such characters were cleaned."""
    return characters.BIDI.sub("", characters.clean(source))


def to_html(source: str) -> str:
    """Sanitised HTML: no script, style, `javascript:` or bidirectional overrides."""
    html = _parser().render(_plain(source))
    return nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel=None)


def to_text(source: str, width: int = 72) -> str:
    """The same for people who read plain text; a link's address stands after its words, whole, on no broken line."""
    page = _Page(width)
    for token in _parser().parse(_plain(source)):
        page.take(token)
    return page.text


class _Page:
    """Plain text as it grows: blocks with a blank line between them, the items of a tight list without."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.text = ""
        self.prefix: list[str] = []
        self.counters: list[int | None] = []
        self.marker = ""
        self.heading = ""
        self.tight = self.after_tight = False

    def take(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open":
                self.counters.append(None)
            case "ordered_list_open":
                self.counters.append(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                self.counters.pop()
                self.after_tight = self.after_tight and bool(self.counters)
            case "list_item_open":
                self.marker, self.counters[-1] = _marker(self.counters[-1])
                self.prefix.append(" " * len(self.marker))
            case "list_item_close" | "blockquote_close":
                self.prefix.pop()
                self.marker = ""
            case "blockquote_open":
                self.prefix.append("> ")
            case "heading_open":
                self.heading = "=" if token.tag == "h1" else "-"
            case "paragraph_open":
                self.tight = token.hidden
            case "inline":
                self._paragraph(_inline(token))
            case "hr":
                self._add("-" * 20, tight=False)
            case "fence" | "code_block":
                self._add(textwrap.indent(token.content.rstrip(), "    "), tight=False)

    def _paragraph(self, text: str) -> None:
        room = self.width - sum(map(len, self.prefix))
        wrapper = textwrap.TextWrapper(max(room, 20), break_long_words=False, break_on_hyphens=False)
        lines = [piece for line in text.split("\n") for piece in wrapper.wrap(line)]
        if self.heading:
            lines.append(self.heading * max(map(len, lines), default=0))
        self._add("\n".join(lines), tight=self.tight)
        self.tight, self.heading = False, ""

    def _add(self, block: str, *, tight: bool) -> None:
        """Appends a block, each line behind its list's indent or its quotation's mark, the first behind the item's marker."""
        indent = "".join(self.prefix)
        first = indent[: len(indent) - len(self.marker)] + self.marker
        between = ("\n" if tight and self.after_tight else "\n\n") if self.text else ""
        self.text += between + first + block.replace("\n", f"\n{indent}")
        self.marker, self.after_tight = "", tight


def _marker(counter: int | None) -> tuple[str, int | None]:
    return ("- ", None) if counter is None else (f"{counter}. ", counter + 1)


HANGING = re.compile(r"( *)(- |\d+\. |> )?")


def tidy(text: str, width: int = 78) -> str:
    """A letter's text: lines of at most 78 characters (RFC 5322 §2.1.1) but for long addresses, no trailing spaces but in
    the signature's "-- ", one blank line where a template left more."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        bare = line if line == "-- " else line.rstrip()
        if bare or (lines and lines[-1]):
            lines += [bare] if len(bare) <= width or bare.startswith("    ") else _rewrapped(bare)
    return "\n".join(lines).rstrip("\n") + "\n"


def _rewrapped(line: str) -> list[str]:
    found = HANGING.match(line)
    lead, mark = (found[1], found[2] or "") if found else ("", "")
    hanging = lead + (mark if mark == "> " else " " * len(mark))
    wrapper = textwrap.TextWrapper(72, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
    return wrapper.wrap(line)


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
