"""Story: take in a notice, publish an edition, close; and the officials it is addressed to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from markdown_it import MarkdownIt
from sqlalchemy import select
from sqlalchemy.orm import Session

from service import addresses, names, schedule, states
from service.errors import NotFound, Refused
from service.models import Demand, Edition, MailingList, Milestone, Notice, Official, Serving
from service.proof.canonical import canonical, digest

FRONT_MATTER = ("title", "slug", "addressed_to", "published_by", "published_on")
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


def read_file(text: str) -> Source:
    """Parses `---`, `key: value` lines, `---`, Markdown. Raises Refused with a sentence that names what is missing."""
    match = re.match(r"---\n(.*?)\n---\n(.*)\Z", text.replace("\r\n", "\n").lstrip("\ufeff"), re.DOTALL)
    if not match:
        raise Refused("The file does not begin with front matter between two lines of three dashes.")
    fields = dict(_pair(line) for line in match[1].split("\n") if line.strip())
    if missing := [name for name in FRONT_MATTER if not fields.get(name)]:
        raise Refused(f"The front matter lacks {', '.join(missing)}.")
    if not SLUG.match(fields["slug"]):
        raise Refused(f"The slug {fields['slug']!r} may hold small letters, digits and single dashes only.")
    try:
        published_on = date.fromisoformat(fields["published_on"])
    except ValueError:
        raise Refused(f"published_on is {fields['published_on']!r}; write it like 2021-01-18.") from None
    texts = (names.clean(fields[name], name, longest=300) for name in ("title", "addressed_to", "published_by"))
    title, addressed_to, published_by = texts
    if not match[2].strip():
        raise Refused("The notice has no text.")
    return Source(title, fields["slug"], addressed_to, published_by, published_on, match[2].strip(), **_schedule(fields))


def _schedule(fields: Mapping[str, str]) -> dict[str, Any]:
    """What the front matter may say about servings: `milestones: 10, 100`, `wait_minutes: 15`, `serve_on: 2026-12-01`."""
    found: dict[str, Any] = {}
    try:
        if "milestones" in fields:
            found["milestones"] = tuple(sorted({int(part) for part in fields["milestones"].split(",")}))
        if "wait_minutes" in fields:
            found["wait_minutes"] = int(fields["wait_minutes"])
        if "serve_on" in fields:
            found["serve_on"] = date.fromisoformat(fields["serve_on"])
    except ValueError:
        raise Refused("Write milestones like 10, 100, wait_minutes like 15 and serve_on like 2026-12-01.") from None
    if any(number < 1 for number in found.get("milestones", ())) or (found.get("wait_minutes") or 0) < 0:
        raise Refused("Milestones begin at 1, and a wait cannot be negative.")
    return found


def _pair(line: str) -> tuple[str, str]:
    key, colon, value = line.partition(":")
    if not colon:
        raise Refused(f"The front matter has a line without a colon: {line!r}.")
    return key.strip(), value.strip().strip("\"'")


def demands(body: str) -> list[str]:
    """The points of the notice's first list, in order: what it demands."""
    tokens = MarkdownIt("commonmark").parse(body)
    found: list[str] = []
    depth = 0
    for token in tokens:
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            depth += 1
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            depth -= 1
            if depth == 0:
                return found
        elif token.type == "list_item_open" and depth == 1:
            found.append("")
        elif token.type == "inline" and depth >= 1:
            found[-1] = f"{found[-1]} {token.content}".strip().replace("\n", " ").rstrip(";")
    return found


def take_in(session: Session, source: Source, now: datetime) -> Notice:
    """A new notice in rehearsal, or a new text of one that is known; nothing is published by this."""
    notice = session.scalar(select(Notice).where(Notice.slug == source.slug))
    if notice is None:
        notice = Notice(slug=source.slug, state="rehearsal", created_at=now)
        set_milestones(notice, source.milestones or schedule.DEFAULT_MILESTONES)
        session.add(notice)
    elif notice.state == "closed":
        raise Refused(f"The notice {source.slug} is closed; its text can no longer change.")
    notice.title, notice.addressed_to, notice.body = source.title, source.addressed_to, source.body
    notice.published_by, notice.published_on = source.published_by, source.published_on
    if source.milestones:
        set_milestones(notice, source.milestones)
    notice.wait_minutes = notice.wait_minutes if source.wait_minutes is None else source.wait_minutes
    notice.serve_on = source.serve_on or notice.serve_on
    notice.list_id = notice.list_id or _updates_list(session, now).id
    session.flush()
    return notice


def set_milestones(notice: Notice, thresholds: Iterable[int]) -> None:
    """The counts at which it is served; those crossed already stay as they are."""
    wanted = set(thresholds)
    kept = [one for one in notice.milestones if one.crossed_at or one.threshold in wanted]
    known = {one.threshold for one in kept}
    notice.milestones = kept + [Milestone(threshold=threshold) for threshold in sorted(wanted - known)]


def _updates_list(session: Session, now: datetime) -> MailingList:
    """The list of updates: the first there is, or a new one."""
    found = session.scalar(select(MailingList).order_by(MailingList.id).limit(1))
    if found is None:
        found = MailingList(slug="updates", title="Updates", description="What happens next with our notices.", created_at=now)
        session.add(found)
        session.flush()
    return found


def freeze(session: Session, notice: Notice, now: datetime) -> Edition:
    """The edition of the notice's present text: the one in force where the text is the same, else a new one."""
    content = canonical(notice.title, notice.addressed_to, notice.body)
    if notice.edition is not None and notice.edition.hash == digest(content):
        return notice.edition
    edition = Edition(
        number=len(notice.editions) + 1, title=notice.title, addressed_to=notice.addressed_to, body=notice.body,
        text=content.decode(), hash=digest(content), published_at=now, last_sequence=0, count=0,
        demands=[Demand(number=number, text=text) for number, text in enumerate(demands(notice.body), 1)],
    )  # fmt: skip
    notice.editions.append(edition)
    session.flush()
    return edition


def publish(session: Session, slug: str, now: datetime) -> Edition:
    """Freezes the text as an edition and makes the notice live: open for signatures, served on its officials."""
    notice = find(session, slug)
    if notice.state == "closed":
        raise Refused(f"The notice {slug} is closed.")
    edition = freeze(session, notice, now)
    if notice.state == "rehearsal":
        rehearsing = (Serving.notice_id == notice.id, Serving.rehearsal.is_(True))
        states.claim(session, Serving, "due", "stopped", *rehearsing, stopped_by="the notice was published")
        states.move(notice, "live")
        notice.published_at = now
    return edition


def close(session: Session, slug: str, now: datetime) -> Notice:
    notice = find(session, slug)
    if notice.state != "live":
        raise Refused(f"The notice {slug} is not live.")
    states.move(notice, "closed")
    notice.closed_at = now
    return notice


def find(session: Session, slug: str) -> Notice:
    found = session.scalar(select(Notice).where(Notice.slug == slug))
    if found is None:
        raise NotFound(f"there is no notice called {slug}")
    return found


def find_public(session: Session, slug: str) -> Notice:
    """A notice that the public may see. Raises NotFound for a rehearsal."""
    notice = find(session, slug)
    if notice.state == "rehearsal":
        raise NotFound(f"there is no notice called {slug}")
    return notice


def in_force(session: Session) -> list[Notice]:
    """The live notices, the newest first; the first is the one on the front page."""
    return list(session.scalars(select(Notice).where(Notice.state == "live").order_by(Notice.published_at.desc())))


def all_of_them(session: Session) -> list[Notice]:
    return list(session.scalars(select(Notice).order_by(Notice.id)))


def next_milestone(notice: Notice) -> int | None:
    count = notice.edition.count if notice.edition else 0
    return next((one.threshold for one in notice.milestones if not one.crossed_at and one.threshold > count), None)


def officials(session: Session) -> list[Official]:
    return list(session.scalars(select(Official).where(Official.removed_at.is_(None)).order_by(Official.id)))


def read_official(fields: Mapping[str, str | None]) -> dict[str, object]:
    """Checks a line of a CSV file (columns office,name,email,source,verified_on). Raises Refused."""
    found: dict[str, object] = {}
    for field in ("office", "name", "source"):
        found[field] = names.clean(fields.get(field) or "", field, longest=300)
        if not found[field]:
            raise Refused(**{field: f"The {field} is missing."})
    found["email"] = addresses.parse(fields.get("email") or "")
    try:
        found["verified_on"] = date.fromisoformat((fields.get("verified_on") or "").strip())
    except ValueError:
        raise Refused(verified_on="Write verified_on like 2026-11-22.") from None
    return found


def take_in_officials(session: Session, lines: Iterable[dict[str, object]], now: datetime) -> tuple[int, int]:
    """Adds offices that are new and changes those that say something else; returns how many of each."""
    added = changed = 0
    for line in lines:
        official = session.scalar(select(Official).where(Official.office == line["office"]))
        if official is None:
            session.add(Official(**line, added_at=now))
            session.flush()
            added += 1
            continue
        if all(getattr(official, field) == value for field, value in line.items()) and official.removed_at is None:
            continue
        changed += 1
        for field, value in line.items():
            setattr(official, field, value)
        if official.removed_at is not None:  # somebody new to the names of those who signed meanwhile
            official.added_at, official.removed_at = now, None
    return added, changed
