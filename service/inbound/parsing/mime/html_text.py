"""HTML of a message as the lines that people read: quotations marked as in plain text, nothing fetched, linear in time.

Where a page is broken, its words are shown rather than hidden: what a person wrote must not vanish behind a missing bracket.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:]{0,30})\b|<[!?]")
INSIDE = re.compile(r"[>\"']")
HIDDEN = {"style", "script", "title"}
BREAKING = {
    "br", "p", "div", "tr", "li", "ul", "ol", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "table", "pre",
    "blockquote", "section", "article", "header", "footer", "center", "form", "body", "html", "head", "address", "fieldset",
}  # fmt: skip
PARAGRAPHS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "table", "ul", "ol"}
ALTERNATIVE = re.compile(r"\balt\s*=\s*(?:\"([^\"]{0,40})\"|'([^']{0,40})'|([^\s>\"']{1,40}))", re.IGNORECASE)
TINY = re.compile(r"\b(?:width|height)\s*[=:]\s*[\"']?[01](?:px)?\b", re.IGNORECASE)
NO_CHARACTER = re.compile(r"&#x?[0-9a-f]{9,}", re.IGNORECASE)
"""Python refuses numbers of thousands of digits; none of more than seven names a character."""
DEEPEST = 20


class Tag(NamedTuple):
    name: str
    closes: bool
    attributes: str


@dataclass
class Page:
    """What a page shows."""

    lines: list[str] = field(default_factory=list)
    has_picture: bool = False
    """A picture outside quotations, but for the dots that tell a sender that a message was opened."""


def without_tags(page: str) -> str:
    """The words alone, for whom quotations do not matter."""
    words: list[str] = []
    for piece in _pieces(page):
        if isinstance(piece, str):
            words.append(piece)
        else:
            words.append("\n" if piece.name in BREAKING else " ")
    return "".join(words)


def read(page: str) -> Page:
    """Lines as a reader sees them; those of a quotation begin with a mark for each of its levels."""
    shown, line, depth, preformatted = Page(), _Line(), 0, False
    for piece in _pieces(page):
        if isinstance(piece, str):
            line.add(piece, depth, preformatted, shown.lines)
            continue
        if piece.name in BREAKING:
            line.end(shown.lines, blank=piece.name in PARAGRAPHS)
        if piece.name == "blockquote":
            depth = max(0, min(DEEPEST, depth + (-1 if piece.closes else 1)))
        elif piece.name == "pre":
            preformatted = not piece.closes
        elif piece.name == "img":
            line.add(_symbol(piece), depth, False, shown.lines)
            shown.has_picture = shown.has_picture or (not depth and not _symbol(piece) and not _is_dot(piece))
    line.end(shown.lines)
    return shown


class _Line:
    """The line that is being filled; its depth is that of its first words."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.depth = 0

    def add(self, text: str, depth: int, preformatted: bool, lines: list[str]) -> None:
        if preformatted and "\n" in text:
            *whole, text = text.split("\n")
            for whole_line in whole:
                self.add(whole_line, depth, False, lines)
                self.end(lines)
        if text.strip() and not self.words:
            self.depth = depth
        if text.strip() or self.words:
            self.words.append(text)

    def end(self, lines: list[str], *, blank: bool = False) -> None:
        text = " ".join("".join(self.words).split())
        if text:
            lines.append(f"{'>' * self.depth} {text}" if self.depth else text)
        if (blank or not text) and lines and lines[-1]:
            lines.append("")
        self.words = []


def _symbol(picture: Tag) -> str:
    """A smiley or a thumb that a mail program drew; other pictures say nothing in words."""
    match = ALTERNATIVE.search(picture.attributes)
    text = html.unescape(next((group for group in match.groups() if group), "")) if match else ""
    return "" if any(c.isalnum() and c.isascii() for c in text) or not any(ord(c) > 0x2000 for c in text) else text


def _is_dot(picture: Tag) -> bool:
    return len(TINY.findall(picture.attributes)) > 1 or "display:none" in picture.attributes.replace(" ", "").lower()


def _pieces(page: str) -> Iterator[str | Tag]:
    """Text, unescaped, and tags, in their order; no comments, and nothing of a style or a script."""
    at, ends = 0, _Ends(page)
    while match := TAG.search(page, at):
        if match.start() > at:
            yield _unescaped(page[at : match.start()])
        end = ends.comment(match.start()) if page.startswith("<!--", match.start()) else ends.tag(match.end())
        if end < 0:
            at = match.start()
            break
        at = end
        if name := (match[2] or "").lower():
            yield Tag(name, bool(match[1]), page[match.end() : end - 1])
            if name in HIDDEN and not match[1]:
                at = ends.hidden(name, at)
    yield _unescaped(page[at:])


class _Ends:
    """Where things end. What ends nowhere is looked for once."""

    def __init__(self, page: str) -> None:
        self.page, self.missing = page, set[str]()

    def find(self, text: str, at: int) -> int:
        """Behind the next `text`; -1 where there is none."""
        start = -1 if text in self.missing else self.page.find(text, at)
        if start < 0:
            self.missing.add(text)
            return -1
        return start + len(text)

    def comment(self, at: int) -> int:
        return max(self.find("-->", at + 2), -1)

    def tag(self, at: int) -> int:
        """Behind the bracket that closes a tag; one in a quoted attribute closes nothing."""
        first = -1
        while match := INSIDE.search(self.page, at):
            if match[0] == ">":
                return match.end()
            if first < 0:
                first = match.start()
            at = self.find(match[0], match.end())
            if at < 0:  # a quote that nobody closed
                return self.find(">", first)
        return -1 if first < 0 else self.find(">", first)

    def hidden(self, name: str, at: int) -> int:
        end = self.find(f"</{name}", at)
        if end < 0:
            end = self.find(f"</{name.upper()}", at)
        return at if end < 0 else max(self.find(">", end), end)


def _unescaped(text: str) -> str:
    return html.unescape(NO_CHARACTER.sub(" ", text))
