"""Markdown as people read it without HTML: the same words and links, in lines of a letter's width."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markdown_it.token import Token

from service.text.markdown import slots, text_table
from service.text.markdown.parsing import is_allowed

WIDTH = 72
_BEGIN, _NEXT, _BREAK, _END = "\ufdd3", "\ufdd4", "\ufdd5", "\ufdd6"
_FIELD = f"([^{_BEGIN}{_NEXT}{_END}]*+)"
OPEN = re.compile(f"{_BEGIN}{_FIELD}{_NEXT}{_FIELD}{_NEXT}(.?){_NEXT}{_FIELD}{_END}")
"""A paragraph that holds slots, not broken into lines yet."""


class Paragraph(NamedTuple):
    """Words with what stands before the first line and before the others; `underline` marks a heading."""

    first: str
    rest: str
    underline: str
    text: str

    def lines(self) -> str:
        """As lines of at most the width; a longer address stands whole on one of its own."""
        wrapper = textwrap.TextWrapper(max(WIDTH - len(self.rest), 20), break_long_words=False, break_on_hyphens=False)
        lines = [piece for line in self.text.split("\n") for piece in wrapper.wrap(line)]
        if self.underline:
            lines.append(self.underline * max(map(len, lines), default=0))
        return self.first + f"\n{self.rest}".join(lines)

    def left_open(self) -> str:
        """One line that says all of this, for `fill`: how long the lines are is known when the slots are filled."""
        return f"{_BEGIN}{self.first}{_NEXT}{self.rest}{_NEXT}{self.underline}{_NEXT}{self.text.replace(chr(10), _BREAK)}{_END}"


def read_open(match: re.Match[str]) -> Paragraph:
    return Paragraph(match[1], match[2], match[3], match[4].replace(_BREAK, "\n"))


def is_open(line: str) -> bool:
    """Whether it holds a paragraph that nobody may break into lines before its slots are filled."""
    return _BEGIN in line


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its slots filled, and every paragraph broken where a reader's line is full."""

    def filled(match: re.Match[str]) -> str:
        paragraph = read_open(match)
        return paragraph._replace(text=slots.fill(paragraph.text, values)).lines()

    return slots.fill(OPEN.sub(filled, text), values)


def to_text(tokens: Sequence[Token]) -> str:
    """A link's address stands after its words. A text with slots must be filled by `fill`."""
    page = _Page()
    for token in tokens:
        page.take(token)
    return page.text


class _Page:
    """Plain text as it grows: blocks with a blank line between them, the items of a tight list without."""

    def __init__(self) -> None:
        self.text = ""
        self.prefix: list[str] = []
        self.shared = 0
        """How many of the quotations and lists around the last block hold the next one, too."""
        self.counters: list[int | None] = []
        self.marker = ""
        self.heading = ""
        self.tight = self.after_tight = False
        self.table: text_table.Table | None = None

    def take(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open" | "ordered_list_open" | "bullet_list_close" | "ordered_list_close" | "list_item_open":
                self._list(token)
            case "list_item_close" | "blockquote_close":
                self.prefix.pop()
                self.marker, self.shared = "", min(self.shared, len(self.prefix))
            case "blockquote_open":
                self.prefix.append("> ")
            case "heading_open":
                self.heading = "=" if token.tag == "h1" else "-"
            case "paragraph_open":
                self.tight = token.hidden
            case "inline":
                self._words(_inline(token))
            case "hr":
                self._add("-" * 20, tight=False)
            case "fence" | "code_block":
                self._add(textwrap.indent(token.content.rstrip(), "    "), tight=False)
            case "table_open" | "tr_open" | "th_open" | "table_close":
                self._table(token)

    def _list(self, token: Token) -> None:
        if token.type == "list_item_open":
            self.marker, self.counters[-1] = _marker(self.counters[-1])
            self.prefix.append(" " * len(self.marker))
        elif token.nesting > 0:
            self.counters.append(int(token.attrs.get("start", 1)) if token.tag == "ol" else None)
        else:
            self.counters.pop()
            self.after_tight = self.after_tight and bool(self.counters)

    def _words(self, text: str) -> None:
        if self.table is not None:
            self.table.rows[-1].append(text)
            return
        self._paragraph(text, tight=self.tight)
        self.tight, self.heading = False, ""

    def _paragraph(self, text: str, *, tight: bool) -> None:
        indent = "".join(self.prefix)
        first = indent[: len(indent) - len(self.marker)] + self.marker
        paragraph = Paragraph(first, indent, self.heading, text)
        self._append(paragraph.left_open() if slots.SLOT.search(text) else paragraph.lines(), tight=tight)

    def _table(self, token: Token) -> None:
        if self.table is None:
            self.table = text_table.Table()
        elif token.type == "tr_open":
            self.table.rows.append([])
        elif token.type == "th_open":
            self.table.aligned.append(str(token.attrs.get("align", "")))
        else:
            self._add_table(self.table)
            self.table = None

    def _add_table(self, table: text_table.Table) -> None:
        room = WIDTH - sum(map(len, self.prefix))
        if (lines := table.columns(room)) is not None:
            self._add(lines, tight=False)
            return
        for row in table.in_words():
            self._paragraph(row, tight=False)

    def _add(self, block: str, *, tight: bool) -> None:
        """Appends a block, each line behind its list's indent or its quotation's mark, the first behind the item's marker."""
        indent = "".join(self.prefix)
        first = indent[: len(indent) - len(self.marker)] + self.marker
        self._append(first + block.replace("\n", f"\n{indent}"), tight=tight)

    def _append(self, lines: str, *, tight: bool) -> None:
        if self.text:
            blank = "".join(self.prefix[: self.shared]).rstrip()
            self.text += "\n" if tight and self.after_tight else f"\n{blank}\n"
        self.text += lines
        self.marker, self.after_tight, self.shared = "", tight, len(self.prefix)


def _marker(counter: int | None) -> tuple[str, int | None]:
    return ("- ", None) if counter is None else (f"{counter}. ", counter + 1)


def _inline(token: Token) -> str:
    parts: list[str] = []
    opened: list[tuple[int, Token]] = []
    for child in token.children or []:
        match child.type:
            case "text" | "code_inline":
                parts.append(child.content)
            case "s_open":
                parts.append("[struck out: ")
            case "s_close":
                parts.append("]")
            case "softbreak":
                parts.append(" ")
            case "hardbreak":
                parts.append("\n")
            case "link_open":
                opened.append((len(parts), child))
            case "link_close":
                start, link = opened.pop()
                parts.append(_address("".join(parts[start:]), link))
            case "image":
                parts.append(f"[{child.content}]")
    return "".join(parts)


def _address(shown: str, link: Token) -> str:
    """Where a link leads, behind its words; nothing where the words say it already."""
    href = str(link.attrs["href"])
    said_already = link.markup == "linkify" or href in {shown, f"mailto:{shown}"}
    return "" if said_already or not is_allowed(href) else f" <{href}>"
