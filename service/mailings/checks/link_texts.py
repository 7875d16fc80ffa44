"""What is looked at in the links of an update before it goes: where each leads, and whether its words say something else.

Nothing here fetches what a link names: a page that our server asks for at an author's word is a way into our network.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from markdown_it.token import Token

from service.mailings.checks.findings import Finding
from service.text.markdown import placeholders, slots
from service.text.markdown.parsing import is_allowed, parse

MOST = 5
"""Findings of one kind that are shown."""
HOST_OF_PLACEHOLDER = re.compile(rf"(?:https?|ftp)://[^\s/?#]*{slots.IN_TEXT}", re.IGNORECASE)
SHOWN_ADDRESS = re.compile(
    r"(?:https?://|www\.)[^\s<>\"“”]+|[\w.+-]+@(?:[\w-]+\.)+[^\W\d_]{2,}|(?<![\w@.-])(?:[\w-]+\.)+[^\W\d_]{2,24}(?:/[^\s<>\"“”]*)?(?![\w-])",
    re.IGNORECASE,
)
"""What a reader takes for an address in a link's words: with a scheme, an e-mail address, or a host alone."""


FILES = (".pdf", ".doc", ".docx", ".odt", ".xls", ".xlsx", ".ods", ".csv", ".txt", ".zip", ".html", ".png", ".jpg", ".ics")
"""Endings of files; “minutes.pdf” is no host."""
TOGETHER = {"CJK", "HIRAGANA", "KATAKANA", "LATIN"}
"""Scripts that are written together, in Japanese."""
LIKE_LATIN = set("асԁеһіјӏорԛѕԝхуѵьανορυικτω-0123456789")
"""Cyrillic and Greek letters that the eye takes for Latin ones (UTS #39 §4, whole-script confusables)."""


class Link(NamedTuple):
    """Where a link leads, with slots where readers' values stand, and what its reader sees of it."""

    href: str
    words: str


def links(body: str) -> list[Link]:
    return [link for token in parse(placeholders.marked(body)) for link in _links_of(token.children or [])]


def _links_of(tokens: Sequence[Token]) -> Iterator[Link]:
    href, words = "", ""
    for token in tokens:
        if token.type == "link_open":
            href, words = str(token.attrs["href"]), str(token.attrs.get("title", "")) + " "
        elif token.type == "link_close":
            yield Link(href, words.strip())
        else:
            words += token.content or " "


def targets(body: str) -> list[str]:
    """Where its links lead."""
    return [link.href for link in links(body)]


def findings(body: str) -> list[Finding]:
    linked = links(body)
    return [*_leading(body, linked), *_disguised(linked)]


def _leading(body: str, text_links: Sequence[Link]) -> list[Finding]:
    """Whether each leads somewhere, by a connection that nobody reads on the way."""
    if HOST_OF_PLACEHOLDER.search(placeholders.marked(body)):
        sentence = "A placeholder stands in the host of an address."
        return [Finding("Links", "serious", sentence, "Write the host itself; placeholders may stand behind it.")]
    bad = [problem for link in text_links if (problem := _leads_astray(link.href)) is not None]
    return bad[:MOST] or [Finding("Links", "ok", f"{len(text_links)}, all to https.")]


def _leads_astray(href: str) -> Finding | None:
    parts, shown = _split(href), slots.named(href)[:80]
    if not is_allowed(href) and slots.IN_ADDRESS in href:
        return Finding(
            "Links", "serious", f"“{shown}” begins with a placeholder.", "Placeholders may stand behind the host alone."
        )
    if parts is not None and parts.scheme == "https" and parts.hostname and parts.username is not None:
        sentence = f"“{shown}” seems to lead to {unquote(parts.username)[:60]}, and leads to {parts.hostname}."
        return Finding("Links", "serious", sentence, "Leave out what stands before the @.")
    if parts is not None and (parts.scheme == "mailto" or (parts.scheme == "https" and parts.hostname)):
        return None
    unencrypted = parts is not None and parts.scheme == "http"
    sentence = f"“{shown}” is not encrypted." if unencrypted else f"“{shown}” leads nowhere from a letter."
    return Finding("Links", "serious", sentence, "Write the whole address, beginning with https://.")


def _split(href: str) -> SplitResult | None:
    """None where it is no address at all, such as one with a wrong port or an unclosed bracket."""
    try:
        parts = urlsplit(href)
        _ = parts.port, parts.hostname
    except ValueError:
        return None
    return parts


def _disguised(text_links: Sequence[Link]) -> list[Finding]:
    """Links whose words are another address, and hosts that look like others."""
    sentences = [sentence for link in text_links for sentence in _seems(link)]
    sentences += [sentence for host in dict.fromkeys(_host(link.href) for link in text_links) for sentence in _look_alike(host)]
    remedy = "Make sure that its reader gets where the words say."
    return [Finding("Where links lead", "warning", sentence, remedy) for sentence in list(dict.fromkeys(sentences))[:MOST]]


def _seems(link: Link) -> Iterator[str]:
    if link.href == link.words:
        return
    for shown in SHOWN_ADDRESS.findall(slots.in_address(link.words)):
        if not shown.casefold().endswith(FILES) and _differs(shown.rstrip(".,;:!?)"), link.href):
            yield f"The link “{slots.named(shown)[:80]}” leads to “{slots.named(link.href)[:80]}”."
            return


def _differs(shown: str, href: str) -> bool:
    """Whether an address that a reader sees is another one than that to which the link leads.

    A host alone may stand for any page of it, with or without www.; a longer address for itself, and what it begins.
    """
    if "@" in shown.partition("/")[0] or href.startswith("mailto:"):
        return shown.casefold() != unquote(href.removeprefix("mailto:").partition("?")[0]).casefold()
    seen, target = _split(shown if "://" in shown else f"https://{shown}"), _split(href)
    if seen is None or target is None:
        return True
    if _bare_host(seen.netloc) != _bare_host(target.netloc):
        return True
    path = unquote(seen.path).rstrip("/…")
    return bool(path) and not unquote(target.path).startswith(path)


def _bare_host(netloc: str) -> str:
    return _ascii(netloc.casefold().removesuffix(":443").rstrip(".")).removeprefix("www.")


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def _host(href: str) -> str:
    parts = _split(href)
    return (parts.hostname or "") if parts is not None else ""


def _look_alike(host: str) -> Iterator[str]:
    """A host one of whose labels mixes scripts, as Latin with Cyrillic: to the eye it is another one (UTS #39 §5.1)."""
    for label in host.split("."):
        if not label.startswith("xn--"):
            continue
        try:
            shown = label.encode().decode("idna")
        except UnicodeError:
            continue
        scripts = _scripts(shown)
        if len(scripts) > 1 and not scripts <= TOGETHER:
            yield f"“{shown}” in {host} mixes letters of {' and '.join(sorted(script.capitalize() for script in scripts))}."
        elif set(shown) <= LIKE_LATIN:
            yield f"“{shown}” in {host} is written in {'/'.join(scripts).capitalize()}, and looks like Latin letters."


def _scripts(text: str) -> set[str]:
    return {unicodedata.name(character, "?").partition(" ")[0] for character in text if character.isalpha()}
