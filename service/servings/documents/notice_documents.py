"""The notice with its signatures (PDF) and the names (CSV), for officials. The same input gives the same bytes."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from unicodedata import category, combining, normalize

from markdown_it.tree import SyntaxTreeNode

from service.servings.documents.pdf_compiler import Content, Typeset
from service.servings.documents.typesetting import typeset
from service.text.characters.scripts import breakable, isolated
from service.text.markdown.parsing import parse
from service.text.tables.csv_cells import plain_cell

_CONTROLS = dict.fromkeys([0x061C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_NO_CHARACTER = ("Cc", "Cn", "Co", "Cs")


@dataclass(frozen=True)
class Signer:
    """Somebody who agreed to be named: `office` is free text ('' for none), `clp` the local party ('' if not given).

    `number` is the signature's, in the order of confirmation: what a later correction names it by.
    """

    name: str
    clp: str = ""
    office: str = ""
    number: int = 0


@dataclass(frozen=True)
class Annex:
    """What is served, but for the names.

    `body` is the edition's Markdown, `edition_hash` its SHA-256 in hexadecimal and `url` where its canonical bytes are
    downloaded. `count` is every confirmed signature, named or not; `cut_off` is the sequence number of the last.
    """

    title: str
    addressed_to: str
    published_by: str
    published_on: date
    edition: int
    edition_hash: str
    body: str
    count: int
    cut_off: int
    served_at: datetime
    imprint: str
    rehearsal: bool
    url: str
    named: int | None = None
    """How many are named in all volumes together; None: those of this one."""
    earlier: int = 0
    """How many would be named, but signed before the office that reads this was added."""
    withdrawn: int = 0
    """How many took their signature back after the count was taken."""
    struck: int = 0
    """How many were struck out as false or abusive after the count was taken."""
    kept_back: int = 0
    """How many would be named, but the office gets counts alone: its mail server takes no encrypted mail."""
    volume: int = 1
    volumes: int = 1


NO_NAMES_IN_CLEAR = "because your mail server takes no encrypted mail, and names do not leave us without encryption"
VOLUME = 20_000
"""Most names of one PDF."""
QUICK = 2_000
"""More names than these are set in a process of their own; typst keeps a document's memory for as long as a process lives."""


def annex_volumes(annex: Annex, signers: Sequence[Signer]) -> list[Typeset]:
    """The notice and its signatures as one PDF, or as several of at most VOLUME names, by local party across all of them.

    Raises NotSet where one of them cannot be made.
    """
    ordered = sorted(signers, key=lambda row: (not row.clp, _party(row.clp))) if len(signers) > VOLUME else signers
    parts = [ordered[start : start + VOLUME] for start in range(0, len(ordered), VOLUME)] or [[]]
    volumes = []
    for number, part in enumerate(parts, 1):
        volume = replace(annex, named=len(signers), volume=number, volumes=len(parts))
        volumes.append(typeset(_content(volume, part), annex.served_at, apart=len(part) > QUICK))
    return volumes


def annex_pdf(annex: Annex, signers: Iterable[Signer]) -> bytes:
    """The notice and its signatures as a tagged PDF (ISO 14289-1, PDF/UA-1), A4, in en-GB, with embedded fonts only.

    Signers appear by local party, within it in the order given. A letter that no font has is shown as □, and the document
    says so. Raises ValueError if `served_at` has no time zone or there are more names than `count`, and NotSet.
    """
    named = list(signers)
    if annex.served_at.tzinfo is None:
        raise ValueError("served_at needs a time zone: the document states the time in UTC")
    if len(named) > annex.count:
        raise ValueError(f"{len(named)} names for {annex.count} signatures")
    return typeset(_content(annex, named), annex.served_at).pdf


def annex_csv(signers: Iterable[Signer]) -> bytes:
    """The same names as CSV (RFC 4180: CRLF, quoted where needed), columns number, name, clp, office, in the order given.

    UTF-8 with a byte order mark: without it Excel takes the file for the local 8-bit code page and spoils every accent.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(("number", "name", "clp", "office"))
    rows.writerows(
        (signer.number, plain_cell(signer.name), plain_cell(signer.clp), plain_cell(signer.office)) for signer in signers
    )
    return text.getvalue().encode("utf-8-sig", errors="replace")


def who_is_named(count: int, named: int, earlier: int = 0, withdrawn: int = 0, struck: int = 0, kept_back: int = 0) -> str:
    """One sentence: how many of those counted are listed by name, and why the others are not."""
    if count == 0:
        return "No signature has been confirmed yet."
    if named == count:
        return "Listed by name below." if count == 1 else "All of them are listed by name."
    without = "; ".join(without_name(count, named, earlier, withdrawn, struck, kept_back))
    if named == 0:
        return f"None is listed by name: {without}."
    return f"{named:,} {'person is' if named == 1 else 'people are'} listed by name; {without}."


def without_name(
    count: int, named: int, earlier: int = 0, withdrawn: int = 0, struck: int = 0, kept_back: int = 0
) -> list[str]:
    """Why the others are not named, each reason with how many it holds for."""
    silent = count - named - earlier - withdrawn - struck - kept_back
    many = "all are" if silent == count > 1 else f"{silent:,} {'is' if silent == 1 else 'are'}"
    return [
        *([f"{many} counted without a name, as they wished"] if silent > 0 else []),
        *([f"{earlier:,} signed before your office was added, so their names do not go to you"] if earlier else []),
        *([f"{withdrawn:,} {'has' if withdrawn == 1 else 'have'} withdrawn since the count was taken"] if withdrawn else []),
        *([f"{struck:,} {'was' if struck == 1 else 'were'} struck out since as false or abusive"] if struck else []),
        *([f"{kept_back:,} {'is' if kept_back == 1 else 'are'} not named here, {NO_NAMES_IN_CLEAR}"] if kept_back else []),
    ]


def _content(annex: Annex, signers: Sequence[Signer]) -> Content:
    served = annex.served_at.astimezone(UTC)
    named = len(signers) if annex.named is None else annex.named
    return {
        **vars(annex),
        **{field: _printed(getattr(annex, field)) for field in ("addressed_to", "published_by", "imprint")},
        "title": _printed(annex.title) or "Untitled",
        "published_on": {part: getattr(annex.published_on, part) for part in ("year", "month", "day")},
        "served_at": {part: getattr(served, part) for part in ("year", "month", "day", "hour", "minute", "second")},
        "body": [_tree(block) for block in SyntaxTreeNode(parse(annex.body)).children],
        "source": _shown(annex.body),
        "named": named,
        "listed": who_is_named(annex.count, named, annex.earlier, annex.withdrawn, annex.struck, annex.kept_back),
        "parties": _by_party(signers),
        "missing": [],
    }


def _by_party(signers: Sequence[Signer]) -> list[dict[str, object]]:
    """[{clp, people: [[name, office, number], …]}, …], alphabetical; spellings that differ in case or accents are one party."""
    parties: dict[str, tuple[str, list[list[str | int]]]] = {}
    for signer in signers:
        _, people = parties.setdefault(_party(signer.clp)[0], (_party(signer.clp)[1] or "No local party given", []))
        people.append([isolated(_printed(signer.name)), isolated(_printed(signer.office)), signer.number])
    return [{"clp": clp, "people": people} for _, (clp, people) in sorted(parties.items(), key=lambda p: (not p[0], p))]


@lru_cache(maxsize=10_000)
def _party(clp: str) -> tuple[str, str]:
    """What a party is sorted by, and how it is shown; many thousands of signers have a few hundred parties."""
    return _sort_key(_line(clp)), isolated(_printed(clp))


def _sort_key(text: str) -> str:
    return "".join(character for character in normalize("NFKD", text.casefold()) if not combining(character))


def _printed(text: str) -> str:
    return breakable(_line(text))


def _line(text: str) -> str:
    return " ".join(_shown(text).split())


def _shown(text: str) -> str:
    """The text without direction overrides and zero width spaces; what is no character, which PDF/UA refuses, becomes �."""
    kept = text.translate(_CONTROLS)
    if kept.isprintable():
        return kept
    return "".join(
        character if character.isspace() or category(character) not in _NO_CHARACTER else "\ufffd" for character in kept
    )


def _tree(node: SyntaxTreeNode) -> dict[str, object]:
    """Markdown as {kind, text, href, address, start, align, children}, its kinds as markdown-it names them, for notice.typ."""
    href = str(node.attrs.get("href", ""))
    href = href if href.startswith(("https://", "http://", "mailto:")) and len(href) < 2000 else ""
    text = "" if node.children else _shown(node.content)
    return {
        "kind": node.type,
        "text": breakable(text, prose=True) if node.type == "text" else text,
        "href": href,
        "address": breakable(href, prose=True),
        "start": node.attrs.get("start", 1),
        "align": node.attrs.get("align", "left"),
        "children": [_tree(child) for child in node.children],
    }
