"""Story: serve a notice on its officials: it falls due, takes its cut-off, writes one letter to each, and a manifest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service import documents, emails, links, manifests, queue, schedule, states, trees
from service.config import settings
from service.documents import Signer
from service.errors import Refused
from service.markdown import to_html, to_text
from service.models import (
    Delivery,
    Edition,
    Enclosure,
    Notice,
    Official,
    Organiser,
    Serving,
    Signature,
)  # fmt: skip
from service.proof.canonical import digest

NAMES_IN_LETTER = 300
"""Above so many names the letter's own text refers to the attached list."""


class ListChanged(RuntimeError):
    """Somebody withdrew, or hid a name, between the reading of the list and its writing."""


@dataclass(frozen=True)
class Cohort:
    """Officials who were there since the same time: they receive the names of those who signed after it."""

    key: str
    officials: Sequence[Official]
    signers: Sequence[Signer]


def order(session: Session, notice: Notice, edition: Edition, now: datetime) -> Serving:
    """An organiser's word: serve. Refused where the officials know everything already."""
    if notice.state == "closed":
        raise Refused("This notice is closed; it is not served any more.")
    if notice.state == "live" and _nothing_new(session, edition):
        raise Refused("The officials have been served with exactly this text and count; nothing has changed since.")
    return schedule.fall_due(session, edition, "organiser", now, merge=False)


def _nothing_new(session: Session, edition: Edition) -> bool:
    """Whether the last letter to the officials said just what another one would."""
    served = (Serving.notice_id == edition.notice_id, Serving.state.in_(("started", "written")), Serving.rehearsal.is_(False))
    last = session.scalar(select(Serving).where(*served).order_by(Serving.id.desc()).limit(1))
    now = (edition.id, edition.last_sequence, edition.count)
    return last is not None and (last.edition_id, last.cut_off, last.count) == now


def stop(session: Session, serving_id: int, who: str) -> bool:
    """Stops a serving whose letters are not written yet. False where they are, or where it was stopped before."""
    this = Serving.id == serving_id
    return any(states.claim(session, Serving, state, "stopped", this, stopped_by=who) for state in ("due", "started"))


def start(session: Session, serving_id: int, now: datetime) -> bool:
    """Takes the cut-off, once. False where it is not due, or somebody else has started it."""
    serving = session.get(Serving, serving_id)
    if serving is None or serving.state != "due" or serving.due_at > now:
        return False
    notice = session.get_one(Notice, serving.notice_id, with_for_update=True)
    session.refresh(serving)  # while we waited for the lock a new edition may have joined it, or another worker started it
    if serving.state != "due":
        return False
    edition = trees.hold(session, serving.edition_id)
    if why := _why_not(session, serving, notice, edition):
        states.claim(session, Serving, "due", "stopped", Serving.id == serving_id, stopped_by=why)
        return False
    values = {"started_at": now, "cut_off": edition.last_sequence, "count": edition.count, "tree_size": edition.tree_size}
    return bool(states.claim(session, Serving, "due", "started", Serving.id == serving_id, **values))


def _why_not(session: Session, serving: Serving, notice: Notice, edition: Edition) -> str:
    """What happened while it waited that ends a serving; empty where it may start. A rehearsal never reaches officials."""
    if notice.state == "closed":
        return "the notice was closed"
    if serving.rehearsal != (notice.state == "rehearsal"):
        return "the notice was published"
    return "nothing is new since the last letter" if not serving.rehearsal and _nothing_new(session, edition) else ""


def cohorts(session: Session, serving: Serving) -> list[Cohort]:
    written_to = (Official.removed_at.is_(None), Official.objected_at.is_(None))
    officials = session.scalars(select(Official).where(*written_to).order_by(Official.added_at, Official.id))
    return [
        Cohort(since.isoformat(), list(members), list(_signers(session, serving, since)))
        for since, members in groupby(officials, key=lambda official: official.added_at)
    ]


def _signers(session: Session, serving: Serving, since: datetime) -> Iterator[Signer]:
    """Those who agreed that these officials receive their name, up to the cut-off, by CLP."""
    rows = session.execute(
        select(Signature.name, Signature.clp, Signature.office, Signature.sequence)
        .where(Signature.edition_id == serving.edition_id, Signature.state == "confirmed")
        .where(Signature.sequence <= (serving.cut_off or 0), Signature.display.in_(("public", "officials")))
        .where(func.coalesce(Signature.agreed_again_at, Signature.created_at) >= since)
        .order_by(Signature.clp == "", Signature.clp, Signature.sequence)
    )
    return (Signer(name, clp, office, number or 0) for name, clp, office, number in rows)


def enclosures(session: Session, serving: Serving, cohort: Cohort) -> list[Enclosure]:
    """The list as PDF and as CSV. Slow for long lists: called with no write transaction open."""
    edition, notice = serving.edition, session.get_one(Notice, serving.notice_id)
    annex = documents.Annex(
        title=edition.title, addressed_to=edition.addressed_to, published_by=notice.published_by,
        published_on=notice.published_on or edition.published_at.date(), edition=edition.number, edition_hash=edition.hash,
        body=edition.body, count=serving.count or 0, cut_off=serving.cut_off or 0,
        served_at=(serving.started_at or edition.published_at).replace(microsecond=0),
        imprint=settings().imprint, rehearsal=serving.rehearsal, url=edition_url(notice, edition),
    )  # fmt: skip
    made = [(f"edition-{edition.number}.txt", "text/plain; charset=utf-8", edition.text.encode(), False)]
    linked = len(cohort.signers) > settings().attach_names
    volumes = documents.annex_volumes(annex, cohort.signers)
    for number, volume in enumerate(volumes, 1):
        name = f"{notice.slug}.pdf" if len(volumes) == 1 else f"{notice.slug}-{number}-of-{len(volumes)}.pdf"
        made.append((name, "application/pdf", volume.pdf, linked))
    made.append((f"{notice.slug}-signatures.csv", "text/csv; charset=utf-8", documents.annex_csv(cohort.signers), linked))
    return [
        Enclosure(serving_id=serving.id, cohort=cohort.key, filename=filename, content_type=content_type, content=content,
                  hash=digest(content), linked=linked)
        for filename, content_type, content, linked in made
    ]  # fmt: skip


def edition_url(notice: Notice, edition: Edition) -> str:
    return links.url(f"/notices/{notice.slug}/editions/{edition.number}.txt")


def write(session: Session, serving_id: int, made: list[tuple[Cohort, list[Enclosure]]], now: datetime) -> bool:
    """Stores one letter for each official, with the documents made for it; once. False where that is done already.

    Raises ListChanged where somebody withdrew while the documents were made: then they are made again.
    """
    serving = session.get_one(Serving, serving_id)
    session.get_one(Edition, serving.edition_id, with_for_update=True)  # who is taken out meanwhile finds the letters written
    if any(list(_signers(session, serving, cohort.officials[0].added_at)) != cohort.signers for cohort, _ in made):
        raise ListChanged(serving_id)
    if not states.claim(session, Serving, "started", "written", Serving.id == serving_id, written_at=now):
        return False
    session.refresh(serving)
    notice = session.get_one(Notice, serving.notice_id)
    before = _last_before(session, serving)
    organisers = _organisers(session) if serving.rehearsal else []
    for cohort, documents_made in made:
        session.add_all(documents_made)
        context = _context(notice, serving, cohort, before, documents_made)
        for official in cohort.officials:
            for office, email in _addressees(serving, official, organisers):
                key = links.new_key()
                message = emails.to_official(session, serving, official, email, cohort.key, context | {"key": key}, now)
                session.add(
                    Delivery(serving_id=serving.id, official_id=official.id, office=office, message_id=message.id, key=key,
                             names_given=len(cohort.signers))
                )  # fmt: skip
    session.flush()
    session.refresh(serving, ["deliveries"])
    manifest = manifests.issue(session, notice, serving, now)
    if settings().witness_email and not serving.rehearsal:
        emails.witness(session, notice, manifest, now)
    return True


def _organisers(session: Session) -> list[Organiser]:
    return list(session.scalars(select(Organiser).where(Organiser.removed_at.is_(None)).order_by(Organiser.id)))


def _addressees(serving: Serving, official: Official, organisers: list[Organiser]) -> list[tuple[str, str]]:
    """Where a letter goes: to the official; in rehearsal to every organiser instead."""
    if not serving.rehearsal:
        return [(official.office, official.address)]
    return [(f"{official.office} (rehearsal, organiser {one.id})", one.email) for one in organisers]


def _last_before(session: Session, serving: Serving) -> Serving | None:
    """The serving of the same edition before this one: what has changed since is said first."""
    earlier = select(Serving).where(
        Serving.edition_id == serving.edition_id, Serving.id < serving.id, Serving.state == "written",
        Serving.rehearsal.is_(False),
    )  # fmt: skip
    return session.scalar(earlier.order_by(Serving.id.desc()).limit(1))


def _context(
    notice: Notice, serving: Serving, cohort: Cohort, before: Serving | None, made: list[Enclosure]
) -> dict[str, object]:
    count, named, edition = serving.count or 0, len(cohort.signers), serving.edition
    new = [one for one in cohort.signers if before is not None and one.number > (before.cut_off or 0)]
    listed = new if before is not None else cohort.signers
    shown = listed if len(listed) <= NAMES_IN_LETTER else []
    met = [one for one in edition.demands if one.met_on]
    return {
        "notice": notice, "edition": edition, "count": count, "grown": count - (before.count or 0) if before else None,
        "named": named, "new": len(new), "by_clp": [(clp, list(rows)) for clp, rows in groupby(shown, lambda one: one.clp)],
        "before": before, "met": met, "body_text": to_text(edition.body), "body_html": to_html(edition.body),
        "enclosures": [one for one in made if not one.linked], "linked": [one for one in made if one.linked],
        "page": links.url(f"/notices/{notice.slug}"), "edition_url": edition_url(notice, edition),
    }  # fmt: skip


def unfinished(session: Session, now: datetime) -> list[int]:
    """Servings that wait for a worker: due by now, or started and not yet written."""
    waiting = (Serving.state == "due") & (Serving.due_at <= now) | (Serving.state == "started")
    return list(session.scalars(select(Serving.id).where(waiting).order_by(Serving.id)))


def wake_unfinished(session: Session, now: datetime) -> None:
    for serving_id in unfinished(session, now):
        queue.wake(session, "serve", serving_id, queue.NOTICES)


def waiting(session: Session) -> list[tuple[Serving, Notice]]:
    """Servings that can still be stopped."""
    stoppable = Serving.state.in_(("due", "started"))
    rows = select(Serving, Notice).join(Notice, Notice.id == Serving.notice_id).where(stoppable).order_by(Serving.id)
    return [row._tuple() for row in session.execute(rows)]
