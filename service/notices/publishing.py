"""Story: take in a notice, publish an edition, set its schedule, mark demands met, close."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from difflib import ndiff
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import states
from service.errors import NotFound, Refused
from service.models import Asking, Demand, Edition, MailingList, Milestone, Notice, Organiser, Proposal, Serving
from service.notices import source_file
from service.notices.source_file import Source
from service.organisers import proposals
from service.proof.canonical import canonical, digest
from service.servings import schedule

MARKS = {"  ": "same", "- ": "gone", "+ ": "new"}


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
    reschedule(notice, vars(source))
    notice.list_id = notice.list_id or _updates_list(session, now).id
    session.flush()
    return notice


def reschedule(notice: Notice, values: Mapping[str, Any]) -> None:
    """Sets what is said about servings (as in Source) and leaves the rest as it is."""
    if values.get("milestones"):
        set_milestones(notice, values["milestones"])
    if values.get("wait_minutes") is not None:
        notice.wait_minutes = values["wait_minutes"]
    if values.get("serve_on"):
        notice.serve_on = values["serve_on"]
    if values.get("at_publication") is not None:
        notice.at_publication = values["at_publication"]
    if values.get("repeats"):
        notice.repeats = values["repeats"]


def set_milestones(notice: Notice, thresholds: Iterable[int]) -> None:
    """The counts at which it is served; those crossed already stay as they are."""
    new_thresholds = set(thresholds)
    kept = [milestone for milestone in notice.milestones if milestone.crossed_at or milestone.threshold in new_thresholds]
    old_thresholds = {milestone.threshold for milestone in kept}
    notice.milestones = kept + [Milestone(threshold=threshold) for threshold in sorted(new_thresholds - old_thresholds)]


def _updates_list(session: Session, now: datetime) -> MailingList:
    """The list of updates: the first there is, or a new one."""
    mailing_list = session.scalar(select(MailingList).order_by(MailingList.id).limit(1))
    if mailing_list is None:
        mailing_list = MailingList(
            slug="updates", title="Updates", description="What happens next with our notices.", created_at=now
        )
        session.add(mailing_list)
        session.flush()
    return mailing_list


def freeze(session: Session, notice: Notice, now: datetime) -> Edition:
    """The edition of the notice's present text: the one in force where the text is the same, else a new one."""
    content = canonical(notice.title, notice.addressed_to, notice.body)
    if notice.edition is not None and notice.edition.hash == digest(content):
        return notice.edition
    edition = Edition(
        number=len(notice.editions) + 1, title=notice.title, addressed_to=notice.addressed_to, body=notice.body,
        text=content.decode(), hash=digest(content), published_at=now, last_sequence=0, count=0,
        demands=[Demand(number=number, text=text) for number, text in enumerate(source_file.demands(notice.body), 1)],
    )  # fmt: skip
    before = notice.edition
    notice.editions.append(edition)
    session.flush()
    if before is not None and notice.state == "live":  # who signed other words is asked again, never carried over
        session.add(Asking(edition_id=edition.id, created_at=now))
        if notice.at_publication:
            schedule.fall_due(session, edition, "publication", now, merge=True)
    return edition


def to_serve(session: Session, notice: Notice, now: datetime) -> Edition:
    """What a serving of now would hold: the edition in force; in rehearsal the present text, frozen."""
    return notice.edition if notice.state != "rehearsal" and notice.edition is not None else freeze(session, notice, now)


def unpublished(notice: Notice) -> bool:
    """Whether the present text is another one than the edition in force."""
    return notice.edition is None or notice.edition.hash != digest(canonical(notice.title, notice.addressed_to, notice.body))


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
        session.flush()
        if notice.at_publication:
            schedule.fall_due(session, edition, "publication", now, merge=False)
    return edition


def propose(
    session: Session, notice: Notice, kind: str, content: Mapping[str, str], author: Organiser, now: datetime
) -> Proposal:
    """Going live with the present text, or another schedule: for a second organiser to approve. Raises Refused."""
    if kind == "live":
        fixed: dict[str, Any] = {"hash": digest(canonical(notice.title, notice.addressed_to, notice.body))}
    else:
        given = {name: str(content.get(name, "")).strip() for name in source_file.SCHEDULE}
        source_file.read_schedule({name: value for name, value in given.items() if value})
        fixed = given
    return proposals.propose(session, kind, notice, fixed, author, now)


def approve(session: Session, proposal: Proposal, approver: Organiser, now: datetime) -> None:
    """Does what was proposed, if it still is what was seen. Raises Refused."""
    notice = session.get_one(Notice, proposal.notice_id, with_for_update=True)
    proposals.decide(session, proposal, "approved", approver, now)
    if proposal.kind == "schedule":
        reschedule(notice, source_file.read_schedule({name: value for name, value in proposal.content.items() if value}))
    elif proposal.content["hash"] != digest(canonical(notice.title, notice.addressed_to, notice.body)):
        raise Refused("The text has changed since it was proposed: propose it again.")
    else:
        publish(session, notice.slug, now)


def meet(notice: Notice, number: int, on: date | None) -> None:
    """Marks a demand of the edition in force met on a day, or (None) open again. Raises NotFound."""
    demands = notice.edition.demands if notice.edition else []
    for demand in demands:
        if demand.number == number:
            demand.met_on = on
            return
    raise NotFound(f"there is no demand {number}")


def schedule_of(notice: Notice) -> dict[str, str]:
    """The schedule as a form shows it."""
    return {
        "milestones": ", ".join(str(milestone.threshold) for milestone in notice.milestones),
        "wait_minutes": "" if notice.wait_minutes is None else str(notice.wait_minutes),
        "serve_on": str(notice.serve_on or ""),
        "at_publication": "yes" if notice.at_publication else "no",
        "repeats": notice.repeats,
    }


def changes(notice: Notice) -> list[tuple[Edition, list[tuple[str, str]]]]:
    """The editions, the newest first, each with its lines against the edition before: (same | gone | new, text)."""
    changed_editions = []
    for before, edition in zip([None, *notice.editions], notice.editions, strict=False):
        old = before.text.splitlines() if before else []
        lines = [(MARKS[line[:2]], line[2:]) for line in ndiff(old, edition.text.splitlines()) if line[:2] in MARKS]
        changed_editions.append((edition, lines if before else []))
    return changed_editions[::-1]


def close(session: Session, slug: str, now: datetime) -> Notice:
    notice = find(session, slug)
    end(session, notice, now)
    return notice


def end(session: Session, notice: Notice, now: datetime) -> None:
    """No more signatures, no more servings. Raises Refused where it is not live."""
    if notice.state != "live":
        raise Refused(f"The notice {notice.slug} is not live.")
    states.move(notice, "closed")
    notice.closed_at = now
    session.flush()
    waiting = (Serving.notice_id == notice.id, Serving.rehearsal.is_(False))
    states.claim(session, Serving, "due", "stopped", *waiting, stopped_by="the notice was closed")


def find(session: Session, slug: str) -> Notice:
    notice = session.scalar(select(Notice).where(Notice.slug == slug))
    if notice is None:
        raise NotFound(f"there is no notice called {slug}")
    return notice


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
    """The next count at which it is served; none where it is closed."""
    count = notice.edition.count if notice.edition else 0
    ahead = (milestone.threshold for milestone in notice.milestones if not milestone.crossed_at and milestone.threshold > count)
    return min(ahead, default=None) if notice.state != "closed" else None
