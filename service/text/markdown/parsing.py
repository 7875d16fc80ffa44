"""The one way in which Markdown is parsed, for pages, letters, feeds and documents alike.

It is CommonMark with the tables and strikethrough of GitHub Flavored Markdown, and with links from bare addresses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token

from service.text.characters import control
from service.text.markdown import bare_addresses, slots

SCHEMES = {"https", "http", "mailto"}
DEEPEST = 100
"""How deep lists and quotations may be nested, at two for a list; from there on markdown-it leaves out the rest of the text."""
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_SLOT_BEHIND_HOST = re.compile(rf"(?:https?://[^/?#{slots.IN_ADDRESS}]+[/?#]|mailto:[^?{slots.IN_ADDRESS}]+\?)", re.IGNORECASE)


class _Parser(MarkdownIt):
    """Slots of placeholders stay slots in an address, to be filled with values that are percent-encoded."""

    def normalizeLink(self, url: str) -> str:
        return _without_slots(url, super().normalizeLink)

    def normalizeLinkText(self, link: str) -> str:
        return _without_slots(link, super().normalizeLinkText)


def _without_slots(url: str, normalise: Callable[[str], str]) -> str:
    """What `normalise` makes of an address; it would percent-encode the slots themselves."""
    kept = [match[0] for match in slots.SLOT.finditer(url)]
    if not kept:
        return normalise(url)
    stem = "slot"
    while stem in url:
        stem += "s"
    numbered = iter(range(len(kept)))
    url = normalise(slots.SLOT.sub(lambda _: f"{stem}{next(numbered)}x", url))
    return re.sub(rf"{stem}(\d+)x", lambda match: slots.in_address(kept[int(match[1])]), url)


@cache
def _parser() -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False, "maxNesting": DEEPEST}).enable(["strikethrough", "table"])
    bare_addresses.recognise(parser)
    parser.add_render_rule("image", lambda _, tokens, index, *__: escapeHtml(f"[{tokens[index].content}]"))
    return parser


def parse(source: str) -> list[Token]:
    """The tokens of a text, which may hold slots.

    Control characters and overrides of direction are taken out before, also of texts that were stored when they were taken.
    """
    tokens = _parser().parse(control.BIDI.sub("", slots.outside(source, control.clean)))
    for token in tokens:
        if token.children:
            token.children = list(_with_words(token.children))
        elif token.type in {"th_open", "td_open"}:
            align = str(token.attrs.pop("style", "")).removeprefix("text-align:")
            token.attrs |= ({"align": align} if align else {}) | ({"scope": "col"} if token.tag == "th" else {})
    return tokens


def is_whole(tokens: list[Token]) -> bool:
    """Whether nothing of the text was left out because it is nested too deep."""
    return max((token.level for token in tokens), default=0) < DEEPEST - 1


def _with_words(tokens: list[Token]) -> Iterator[Token]:
    """A link without words shows its address: nobody could press it, or know of it."""
    for token, following in pairwise([*tokens, None]):
        assert token is not None
        yield token
        if token.type == "link_open" and following is not None and following.type == "link_close":
            yield Token("text", "", 0, content=str(token.attrs["href"]))


def to_html(tokens: list[Token]) -> str:
    """HTML that nobody has sanitised yet; an address that leads nowhere good is left out."""
    for token in tokens:
        for child in token.children or []:
            if child.type == "link_open" and not is_allowed(str(child.attrs["href"])):
                del child.attrs["href"]
    parser = _parser()
    return str(parser.renderer.render(tokens, parser.options, {}))


def is_allowed(href: str) -> bool:
    """Whether both parts of a letter show this address: no script, and no host that a reader's name would make up."""
    scheme = _SCHEME.match(href)
    if slots.IN_ADDRESS in href and not _SLOT_BEHIND_HOST.match(href):
        return False
    return scheme is None or scheme[1].lower() in SCHEMES
