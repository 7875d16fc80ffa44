"""Compiles a document with typst, whatever stands in it: letters that no font has become □, and the document says so.

PDF/UA-1 forbids text without a glyph, and typst refuses to make such a file. So the texts are mended until it makes one. The
module knows no settings and no database: it is all that the process of `typesetting` loads, in 40 ms.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typst

from service.servings.documents import fonts
from service.text.characters import scripts

Content = dict[str, Any]
"""What notice.typ sets, as `documents` gathers it; `source` is the body as it was typed, `missing` what is not even tried."""
TEMPLATE = Path(__file__).resolve().parent.parent.parent.parent / "templates" / "documents" / "notice.typ"
PROBE = b"""#set document(title: "Letters")
#set text(font: json(bytes(sys.inputs.families)), fallback: false)
#for letter in json(bytes(sys.inputs.letters)) { par(letter) }"""
BOX = "□"
ROUNDS = 5
"""How often letters are taken out that typst names; once has always been enough."""
IN_ALPHABETS = re.compile("[\x00-\u052f\u1e00-\u27bf\ufffd]*")
"""Latin, Greek and Cyrillic with punctuation: nothing that needs a font from a file, or that a shaper stumbles over."""
NOT_PLAIN = re.compile("[^\n -~\u00a0-\u017f\u0386-\u03ce\u0400-\u045f–—‘’“”•…€□]")
_NAMED = re.compile(r'the text `"(.+?)"` could not be displayed')
_ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}|\\(.)")


class NotSet(Exception):
    """No PDF can be made of this; the reason is in the log."""


@dataclass(frozen=True)
class Typeset:
    """A PDF, and the scripts of the letters that stand as □ in it."""

    pdf: bytes
    missing: tuple[str, ...] = ()


def compile_content(content: Content, served_at: datetime) -> Typeset:
    """Sets it in this process. Raises typst.TypstError where typst complains of more than letters without a glyph."""
    missing: frozenset[str] = frozenset(content["missing"])
    faces = fonts.packaged()
    if unusual := _unusual(_boxed(content, missing)):
        faces, unprintable = _try_out(unusual)
        missing |= unprintable
    for _ in range(ROUNDS):
        try:
            return Typeset(_compile(_boxed(content, missing), served_at, faces, _scripts(missing)), _scripts(missing))
        except typst.TypstError as error:
            if not (named := _without_glyph(error.diagnostic)) - missing:
                raise
            missing |= named
    raise NotSet


def _unusual(content: Content) -> list[str]:
    """Each letter with its marks, once, of the words that are not in an alphabet."""
    words = {word for text in _texts(content) if not IN_ALPHABETS.fullmatch(text) for word in text.split()}
    return sorted({letter for word in words for letter in scripts.clusters(word)})


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _try_out(letters: list[str]) -> tuple[fonts.Fonts, frozenset[str]]:
    """The fonts that have these letters, and the characters that none has.

    A page with each letter once takes milliseconds; a list of 20,000 names to be set again takes seconds, and 300 MB.
    """
    for faces in (fonts.packaged(), fonts.all_there_are()):
        unprintable = _complaints(letters, faces)
        if not unprintable:
            break
    return faces, unprintable


def _complaints(letters: list[str], faces: fonts.Fonts) -> frozenset[str]:
    inputs = {"letters": json.dumps(letters, ensure_ascii=False), "families": json.dumps(faces.families)}
    try:
        typst.compile(PROBE, sys_inputs=inputs, font_paths=faces.loaded, ignore_system_fonts=True, pdf_standards=["ua-1"])
    except typst.TypstError as error:
        return _without_glyph(error.diagnostic)
    return frozenset()


def _compile(content: Content, served_at: datetime, faces: fonts.Fonts, missing: tuple[str, ...]) -> bytes:
    inputs = {
        "content": json.dumps(content, ensure_ascii=False), "families": json.dumps(faces.families),
        "missing": scripts.listed(missing),
    }  # fmt: skip
    return typst.compile(
        str(TEMPLATE), sys_inputs=inputs, font_paths=faces.loaded, ignore_system_fonts=True, pdf_standards=["ua-1"],
        timestamp=served_at.astimezone(UTC),
    )  # fmt: skip


def _without_glyph(diagnostic: str) -> frozenset[str]:
    """The characters that typst names as having no glyph; it writes marks as \\u{e31}, as Rust does (fmt::Debug of a str)."""
    names = (_ESCAPED.sub(_unescaped, text) for text in _NAMED.findall(diagnostic))
    return frozenset("".join(names)) - {BOX, " "}


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else match[2]


def _scripts(missing: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted({scripts.script(character) for character in missing}))


def _boxed(value: Any, missing: frozenset[str]) -> Any:
    """The content with □ for each letter that holds one of these characters."""
    if not missing:
        return value
    if isinstance(value, str):
        return scripts.replace(value, missing, BOX)
    if isinstance(value, list):
        return [_boxed(part, missing) for part in value]
    if isinstance(value, dict):
        return {key: _boxed(part, missing) for key, part in value.items()}
    return value


def as_typed(content: Content) -> Content:
    """The content with the notice's text as it was typed, of which nothing can be nested too deep for typst."""
    return content | {"body": [{"kind": "code_block", "text": content["source"], "href": "", "start": 1, "children": []}]}


def plain(content: Content) -> Content:
    """The content as the last resort: no letter that is not in every font is even tried."""
    rare = frozenset(NOT_PLAIN.findall(json.dumps(content, ensure_ascii=False)))
    return content | {"missing": sorted(rare)}
