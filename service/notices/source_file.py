"""A notice as a file says it: front matter and Markdown; when it is served; what it demands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from service.errors import Refused
from service.servings import schedule
from service.text import person_names
from service.text.characters import control, near_names
from service.text.markdown import pictures
from service.text.markdown.parsing import is_whole, parse

FRONT_MATTER = ("title", "slug", "addressed_to", "published_by", "published_on")
SCHEDULE = ("milestones", "wait_minutes", "serve_on", "at_publication", "repeats")
"""What the front matter may say besides: when it is served."""
REPEATS = tuple(schedule.PERIODS)
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


@dataclass(frozen=True)
class Source:
    """A notice as a file says it: front matter and Markdown."""

    title: str
    slug: str
    addressed_to: str
    published_by: str
    published_on: date
    body: str
    milestones: tuple[int, ...] = ()
    wait_minutes: int | None = None
    serve_on: date | None = None
    at_publication: bool | None = None
    repeats: str = ""


def read_file(text: str) -> Source:
    """Parses `---`, `key: value` lines, `---`, Markdown. Raises Refused, which names what is missing or unknown."""
    match = re.match(r"---\n(.*?)\n---\n(.*)\Z", control.clean(text).lstrip("\ufeff"), re.DOTALL)
    if not match:
        raise Refused("The file does not begin with front matter between two lines of three dashes.")
    fields = _fields([_pair(line) for line in match[1].split("\n") if line.strip()])
    if missing := [name for name in FRONT_MATTER if not fields.get(name)]:
        raise Refused(f"The front matter lacks {', '.join(missing)}.")
    if not SLUG.match(fields["slug"]):
        raise Refused(f"The slug {fields['slug']!r} may hold small letters, digits and single dashes only.")
    try:
        published_on = date.fromisoformat(fields["published_on"])
    except ValueError:
        raise Refused(f"published_on is {fields['published_on']!r}; write it like 2021-01-18.") from None
    texts = (person_names.clean(fields[name], name, longest=300) for name in ("title", "addressed_to", "published_by"))
    title, addressed_to, published_by = texts
    if not match[2].strip():
        raise Refused("The notice has no text.")
    if not is_whole(parse(match[2])):
        raise Refused("The notice has lists or quotations inside one another, deeper than anybody could read.")
    if (picture := pictures.first(match[0])) is not None:
        raise Refused(pictures.sentence(picture))
    _check_demands(match[2])
    return Source(title, fields["slug"], addressed_to, published_by, published_on, match[2].strip(), **read_schedule(fields))


def read_schedule(fields: Mapping[str, str]) -> dict[str, Any]:
    """What the front matter, or the organisers' form, may say about servings.

    `milestones: 10, 100`, `wait_minutes: 15`, `serve_on: 2026-12-01`, `at_publication: yes`, `repeats: monthly`.
    """
    values: dict[str, Any] = {}
    if fields.get("repeats", "never") not in REPEATS:
        raise Refused(repeats=f"Write repeats as one of {', '.join(REPEATS)}.")
    if fields.get("at_publication", "no") not in {"yes", "no"}:
        raise Refused(at_publication="Write at_publication as yes or no.")
    if "repeats" in fields:
        values["repeats"] = fields["repeats"]
    if "at_publication" in fields:
        values["at_publication"] = fields["at_publication"] == "yes"
    try:
        if fields.get("milestones"):
            values["milestones"] = tuple(sorted({int(part) for part in fields["milestones"].split(",")}))
        if fields.get("wait_minutes"):
            values["wait_minutes"] = int(fields["wait_minutes"])
        if fields.get("serve_on"):
            values["serve_on"] = date.fromisoformat(fields["serve_on"])
    except ValueError:
        raise Refused("Write milestones like 10, 100, wait_minutes like 15 and serve_on like 2026-12-01.") from None
    if any(number < 1 for number in values.get("milestones", ())) or (values.get("wait_minutes") or 0) < 0:
        raise Refused("Milestones begin at 1, and a wait cannot be negative.")
    return values


def _fields(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Each key once, and none that would be left out without a word. Raises Refused."""
    keys = [key for key, _ in pairs]
    field_names = (*FRONT_MATTER, *SCHEDULE)
    if unknown := [key for key in dict.fromkeys(keys) if key not in field_names]:
        meant = [
            f"“{key}”{f' (did you mean {near}?)' if (near := near_names.meant(key, field_names)) else ''}" for key in unknown
        ]
        raise Refused(
            f"The front matter has a key that we do not know: {', '.join(meant)}. It may hold {', '.join(field_names)}."
        )
    if twice := [key for key in dict.fromkeys(keys) if keys.count(key) > 1]:
        raise Refused(f"The front matter has {', '.join(twice)} more than once.")
    return dict(pairs)


def _check_demands(body: str) -> None:
    """A notice demands something: its page, its letters and its register show where each demand stands. Raises Refused."""
    points = demands(body)
    if not points:
        raise Refused("The notice demands nothing: the points of its first list are its demands, and it has no list.")
    if empty := [str(number) for number, text in enumerate(points, 1) if not text]:
        raise Refused(f"Of the notice's first list, whose points are its demands, point {', '.join(empty)} is empty.")


def _pair(line: str) -> tuple[str, str]:
    key, colon, value = line.partition(":")
    if not colon:
        raise Refused(f"The front matter has a line without a colon: {line!r}.")
    return key.strip(), value.strip().strip("\"'")


def demands(body: str) -> list[str]:
    """The points of the notice's first list, in order: what it demands."""
    points: list[str] = []
    depth = 0
    for token in parse(body):
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            depth += 1
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            depth -= 1
            if depth == 0:
                return points
        elif token.type == "list_item_open" and depth == 1:
            points.append("")
        elif token.type == "inline" and depth >= 1:
            points[-1] = f"{points[-1]} {token.content}".strip().replace("\n", " ").rstrip(";")
    return points
