"""Addresses that stand in a Markdown text without any mark: kept letter by letter, and made links.

Without this rule `https://example.org/_minutes_/` loses its underscores, because they look like emphasis. An address ends as
GitHub Flavored Markdown §6.9 says, and also at quotation marks, and at a bracket that was not opened in it.
"""

from __future__ import annotations

import re
import string
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

from service.text.markdown import slots

_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_EMAIL = re.compile(rf"[a-z0-9][a-z0-9._+'-]{{0,63}}@(?:{_LABEL}\.){{1,8}}[^\W\d_]{{2,63}}(?![\w-]*[^\W_])", re.IGNORECASE)
_BEGINS = re.compile(
    r"(?<![^\W_])(?:[a-z][a-z0-9+.-]{1,31}://(?=[^\W_]|\[)|www\.(?=[^\W_])|mailto:(?=[^\W_])"
    r"|(?:[a-z0-9][a-z0-9-]{0,62}\.){1,5}[a-z]{2,24}/(?=\w)|[a-z0-9][a-z0-9._+'-]{0,63}@(?=[^\W_]))",
    re.IGNORECASE,
)
_TEXT_ENDS = re.compile(rf"[{re.escape('!#$%&*+-:<=>@[]^_`{}~')}\n\\]|{_BEGINS.pattern}", re.IGNORECASE)
"""Where markdown-it looks at something else than plain words, and where a bare address begins."""
_OUTSIDE = re.compile(r"[\s\x00-\x1f\x7f<>\"`“”„‘’‚«»‹›、。，；：！？）】」』》]")
_CLOSING = {")": "(", "]": "[", "}": "{"}
_TRAILING = "?!.,:;'…"
_EMPHASIS = {mark: re.compile(rf"(?<![^\s*_~(\[\"'“‘>|]){re.escape(mark)}(?=[^\s])") for mark in "*_~"}
"""Where an emphasis may begin: at the beginning of a word."""
_ESCAPED = re.compile(rf"\\([{re.escape(string.punctuation)}])|&amp;")
_LINKED = re.compile(r"https?://|www\.|mailto:", re.IGNORECASE)


def recognise(parser: MarkdownIt) -> None:
    """Teaches the parser this rule."""
    parser.inline.ruler.at("text", _words)
    parser.inline.ruler.before("text", "bare_address", _bare_address)


def _words(state: StateInline, silent: bool) -> bool:
    """Plain words, up to what may mean something else."""
    match = _TEXT_ENDS.search(state.src, state.pos)
    end = min(match.start(), state.posMax) if match else state.posMax
    if end == state.pos:
        return False
    if not silent:
        state.append_pending(state.src[state.pos : end])
    state.pos = end
    return True


def _bare_address(state: StateInline, silent: bool) -> bool:
    begin = _BEGINS.match(state.src, state.pos)
    if begin is None:
        return False
    email = _EMAIL.match(state.src, state.pos) if begin[0].endswith("@") else None
    if begin[0].endswith("@") and email is None:
        return False
    end = min(email.end() if email else _end(state.src, state.pos, begin.end(), state.posMax), state.posMax)
    if not silent:
        shown = _ESCAPED.sub(lambda match: match[1] or "&", state.src[state.pos : end])
        if state.linkLevel or not (email or _LINKED.match(shown)):
            state.append_pending(shown)
        else:
            _link(state, shown, _target(shown, bool(email)))
    state.pos = end
    return True


def _target(shown: str, is_email: bool) -> str:
    if is_email:
        return f"mailto:{shown}"
    return f"https://{shown}" if shown[:4].lower() == "www." else shown


def _link(state: StateInline, shown: str, target: str) -> None:
    opened = state.push("link_open", "a", 1)
    opened.attrs = {"href": state.md.normalizeLink(target)}
    text = state.push("text", "", 0)
    text.content = slots.in_address(shown)
    closed = state.push("link_close", "a", -1)
    for token in (opened, closed):
        token.markup, token.info = "linkify", "auto"


def _end(text: str, start: int, at: int, last: int) -> int:
    """Where the address ends that begins at `start`, and of which everything before `at` is sure."""
    match = _OUTSIDE.search(text, at, last)
    last = match.start() if match else last
    end, opened = start, []
    while end < last:
        character = text[end]
        if character == "\\":
            if text[end + 1 : last] == "" or text[end + 1] not in string.punctuation:
                break
            end += 2
            continue
        if character in _CLOSING.values():
            opened.append(character)
        elif character in _CLOSING and (not opened or opened.pop() != _CLOSING[character]):
            break
        end += 1
    return _without_punctuation(text, start, at, end)


@lru_cache(64)
def _first_emphasis(text: str, mark: str) -> int:
    match = _EMPHASIS[mark].search(text)
    return match.start() if match else len(text)


def _without_punctuation(text: str, start: int, at: int, end: int) -> int:
    """A sentence's full stop is no part of the address; nor is what ends an emphasis that began before it."""
    while end > at and text[end - 2] != "\\":
        last = text[end - 1]
        ends_emphasis = last in _EMPHASIS and _first_emphasis(text, last) < start
        if last not in _TRAILING and not ends_emphasis and last not in _CLOSING.values():
            break
        end -= 1
    return end
