"""The notice with its signatures (PDF) and the names (CSV), for officials. The same input gives the same bytes."""

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from unicodedata import category, combining, normalize

import typst
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from service.text.csv_cells import plain_cell

_ROOT = Path(__file__).resolve().parent.parent
_TEMPLATE = _ROOT / "templates" / "documents" / "notice.typ"
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable("image")
_BIDI_CONTROLS = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_NO_CHARACTER = ("Cc", "Cn", "Co", "Cs")
_UNSHOWN = re.compile(r'the text `"(.+?)"` could not be displayed')


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
    volume: int = 1
    volumes: int = 1


VOLUME = 20_000
"""Most names of one PDF."""
QUICK = 2_000
"""So many names are set in this process; typst keeps the memory of a larger document for as long as a process lives."""


def annex_volumes(annex: Annex, signers: Sequence[Signer]) -> list[bytes]:
    """The notice and its signatures as one PDF, or as several of at most VOLUME names, by local party across all of them."""
    ordered = sorted(signers, key=lambda one: (not one.clp, _party(one.clp))) if len(signers) > VOLUME else signers
    parts = [ordered[start : start + VOLUME] for start in range(0, len(ordered), VOLUME)] or [[]]
    found = []
    for number, part in enumerate(parts, 1):
        volume = replace(annex, named=len(signers), volume=number, volumes=len(parts))
        found.append(annex_pdf(volume, part) if len(part) <= QUICK else _elsewhere(volume, part))
    return found


def _elsewhere(annex: Annex, signers: Sequence[Signer]) -> bytes:
    """A volume made in a process of its own, whose memory ends with it."""
    command = [sys.executable, "-m", "service.volume"]
    content = json.dumps({"content": _content(annex, signers), "served_at": annex.served_at.isoformat()}).encode()
    return subprocess.run(command, input=content, stdout=subprocess.PIPE, check=True, cwd=_ROOT).stdout


def annex_pdf(annex: Annex, signers: Iterable[Signer]) -> bytes:
    """The notice and its signatures as a tagged PDF (ISO 14289-1, PDF/UA-1), A4, in en-GB, with embedded fonts only.

    Signers appear by local party, within it in the order given. A character that no embedded font has is shown as □,
    and the document says so. Raises ValueError if `served_at` has no time zone or there are more names than `count`.
    """
    named = list(signers)
    if annex.served_at.tzinfo is None:
        raise ValueError("served_at needs a time zone: the document states the time in UTC")
    if len(named) > annex.count:
        raise ValueError(f"{len(named)} names for {annex.count} signatures")
    return compile_pdf(json.dumps(_content(annex, named), ensure_ascii=False), annex.served_at)


def annex_csv(signers: Iterable[Signer]) -> bytes:
    """The same names as CSV (RFC 4180: CRLF, quoted where needed), columns number, name, clp, office, in the order given.

    UTF-8 with a byte order mark: without it Excel takes the file for the local 8-bit code page and spoils every accent.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(("number", "name", "clp", "office"))
    rows.writerows((one.number, plain_cell(one.name), plain_cell(one.clp), plain_cell(one.office)) for one in signers)
    return text.getvalue().encode("utf-8-sig", errors="replace")


def compile_pdf(content: str, served_at: datetime, unshown: frozenset[str] = frozenset()) -> bytes:
    """PDF/UA forbids text without a glyph, so typst names the characters it lacks and we compile again without them."""
    inputs = {"content": content.translate({ord(one): "□" for one in unshown}), "unshown": "yes" if unshown else ""}
    try:
        return typst.compile(
            str(_TEMPLATE), sys_inputs=inputs, ignore_system_fonts=True, pdf_standards=["ua-1"],
            timestamp=served_at.astimezone(UTC),
        )  # fmt: skip
    except typst.TypstError as error:
        lacking = {one for text in _UNSHOWN.findall(error.diagnostic) for one in text if not one.isascii()}
        if lacking <= unshown:
            raise
        return compile_pdf(content, served_at, unshown | lacking)


def _content(annex: Annex, signers: Sequence[Signer]) -> dict[str, object]:
    served = annex.served_at.astimezone(UTC)
    return {
        **{field: _line(value) if isinstance(value, str) else value for field, value in vars(annex).items()},
        "published_on": {part: getattr(annex.published_on, part) for part in ("year", "month", "day")},
        "served_at": {part: getattr(served, part) for part in ("year", "month", "day", "hour", "minute", "second")},
        "body": [_tree(block) for block in SyntaxTreeNode(_MARKDOWN.parse(annex.body)).children],
        "named": len(signers) if annex.named is None else annex.named,
        "parties": _by_party(signers),
    }


def _by_party(signers: Sequence[Signer]) -> list[dict[str, object]]:
    """[{clp, people: [[name, office], …]}, …], alphabetical; spellings that differ in case or accents are one party."""
    parties: dict[str, tuple[str, list[list[str]]]] = {}
    for one in signers:
        _, people = parties.setdefault(_party(one.clp)[0], (_party(one.clp)[1] or "No local party given", []))
        people.append([_line(one.name), _line(one.office)])
    return [{"clp": clp, "people": people} for _, (clp, people) in sorted(parties.items(), key=lambda p: (not p[0], p))]


@lru_cache(maxsize=10_000)
def _party(clp: str) -> tuple[str, str]:
    """What a party is sorted by, and how it is shown; many thousands of signers have a few hundred parties."""
    return _sort_key(_line(clp)), _line(clp)


def _sort_key(text: str) -> str:
    return "".join(one for one in normalize("NFKD", text.casefold()) if not combining(one))


def _line(text: str) -> str:
    return " ".join(_shown(text).split())


def _shown(text: str) -> str:
    """The text without direction overrides; what is no character becomes �, since PDF/UA refuses or hides it."""
    kept = text.translate(_BIDI_CONTROLS)
    if kept.isprintable():
        return kept
    return "".join(one if one.isspace() or category(one) not in _NO_CHARACTER else "\ufffd" for one in kept)


def _tree(node: SyntaxTreeNode) -> dict[str, object]:
    """Markdown as {kind, text, href, start, children}, kinds named as markdown-it names them; notice.typ sets it."""
    href = str(node.attrs.get("href", ""))
    return {
        "kind": node.type,
        "text": "" if node.children else _shown(node.content),
        "href": href if href.startswith(("https://", "http://", "mailto:")) and len(href) < 2000 else "",
        "start": node.attrs.get("start", 1),
        "children": [_tree(child) for child in node.children],
    }
