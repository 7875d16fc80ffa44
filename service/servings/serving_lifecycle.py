"""Story: serve a notice on its officials: it falls due, takes its cut-off, writes one letter to each, and a manifest."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import states
from service.core import queues
from service.core.config import settings
from service.emails import catalogue, links
from service.errors import Refused
from service.models import Delivery, Edition, Message, Notice, Official, Organiser, Serving
from service.proof_store import due_timestamps, signing_key, stored_manifests, trees
from service.servings import corrections, schedule, signature_groups
from service.servings.documents import notice_documents
from service.servings.enclosures import Cohort, Papers, cohorts, edition_url
from service.text.characters import scripts
from service.text.markdown.rendering import to_html, to_text

LOOK_AGAIN = timedelta(hours=1)
"""A group may have become small among those who signed meanwhile."""
NAMES_IN_LETTER = 300
"""Above so many names the letter's own text refers to the attached list."""


class ListChanged(RuntimeError):
    """Somebody withdrew, or hid a name, between the reading of the list and its writing."""


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
    if _waits_for_look(session, serving, edition):
        serving.waits_for_look, serving.due_at = True, now + LOOK_AGAIN
        return False
    values = {
        "started_at": now, "cut_off": edition.last_sequence, "count": edition.count, "struck": edition.struck,
        "tree_size": edition.tree_size,
    }  # fmt: skip
    return bool(states.claim(session, Serving, "due", "started", Serving.id == serving_id, **values))


def _waits_for_look(session: Session, serving: Serving, edition: Edition) -> bool:
    """Whether only milestones ask for it, which a large group of signatures reached, and no organiser has looked at that."""
    by_milestone = all(cause.startswith("milestone ") for cause in serving.causes)
    if serving.rehearsal or serving.looked_at is not None or not by_milestone or not settings().group_share:
        return False
    return signature_groups.largest_share(session, edition) >= settings().group_share


def looked_at(session: Session, serving_id: int, now: datetime) -> None:
    """An organiser has looked at the groups: it goes now. Raises Refused where it waits for no look."""
    serving = session.get(Serving, serving_id if serving_id < 2**63 else 0, with_for_update=True)
    if serving is None or serving.state != "due" or not serving.waits_for_look:
        raise Refused("It waits for nobody's look any more: reload the page.")
    serving.waits_for_look, serving.looked_at, serving.due_at = False, now, now
    session.flush()
    queues.wake(session, "serve", serving.id, queues.NOTICES)


def _why_not(session: Session, serving: Serving, notice: Notice, edition: Edition) -> str:
    """What happened while it waited that ends a serving; empty where it may start. A rehearsal never reaches officials."""
    if notice.state == "closed":
        return "the notice was closed"
    if serving.rehearsal != (notice.state == "rehearsal"):
        return "the notice was published"
    return "nothing is new since the last letter" if not serving.rehearsal and _nothing_new(session, edition) else ""


def write(session: Session, serving_id: int, made: list[tuple[Cohort, Papers]], now: datetime) -> bool:
    """Stores one letter for each official, with the documents made for it; once. False where that is done already.

    Raises ListChanged where somebody withdrew while the documents were made: then they are made again. The edition is held:
    who withdraws meanwhile waits until the letters are stored, and is owed a correction of them.
    """
    serving = session.get_one(Serving, serving_id)
    trees.hold(session, serving.edition_id)
    if [_counts(cohort) for cohort in cohorts(session, serving)] != [_counts(cohort) for cohort, _ in made]:
        raise ListChanged(serving_id)
    without_pdf = not all(papers.pdf for _, papers in made)
    missing = scripts.listed(script for _, papers in made for script in papers.missing)
    values = {"written_at": now, "without_pdf": without_pdf, "missing_scripts": missing}
    if not states.claim(session, Serving, "started", "written", Serving.id == serving_id, **values):
        return False
    session.refresh(serving)
    notice = session.get_one(Notice, serving.notice_id)
    for cohort, papers in made:
        session.add_all(papers.enclosures)
        _write_letters(session, notice, serving, cohort, papers, now)
    session.flush()
    session.refresh(serving, ["deliveries"])
    manifest = stored_manifests.issue(session, notice, serving, now)
    due_timestamps.wake(session, manifest)
    if settings().witness_email and not serving.rehearsal:
        catalogue.witness(session, notice, manifest, now)
    return True


def _counts(cohort: Cohort) -> tuple[object, ...]:
    """What a letter says of its cohort's signatures."""
    return cohort.key, list(cohort.signers), cohort.earlier, cohort.withdrawn, cohort.struck, cohort.kept_back


def _write_letters(
    session: Session, notice: Notice, serving: Serving, cohort: Cohort, papers: Papers, now: datetime
) -> None:  # fmt: skip
    organisers = _organisers(session) if serving.rehearsal else []
    fingerprint = signing_key.fingerprint(session, now)
    for official in cohort.officials:
        before = _last_letter(session, serving, official)
        context = _context(notice, serving, cohort, before, papers) | {"fingerprint": fingerprint}
        for office, email in _addressees(serving, official, organisers):
            key = links.new_key()
            message = catalogue.to_official(session, serving, official, email, cohort.key, context | {"key": key}, now)
            session.add(
                Delivery(serving_id=serving.id, official_id=official.id, office=office, message_id=message.id, key=key,
                         names_given=len(cohort.signers))
            )  # fmt: skip


def _organisers(session: Session) -> list[Organiser]:
    return list(session.scalars(select(Organiser).where(Organiser.removed_at.is_(None)).order_by(Organiser.id)))


def _addressees(serving: Serving, official: Official, organisers: list[Organiser]) -> list[tuple[str, str]]:
    """Where a letter goes: to the official; in rehearsal to every organiser instead."""
    if not serving.rehearsal:
        return [(official.office, official.address)]
    return [(f"{official.office} (rehearsal, organiser {organiser.id})", organiser.email) for organiser in organisers]


def _last_letter(session: Session, serving: Serving, official: Official) -> Serving | None:
    """The serving whose letter this official had last about the same edition: what has changed since is said first.

    A letter that was refused or came back told them nothing.
    """
    earlier = (
        Serving.edition_id == serving.edition_id, Serving.id < serving.id, Serving.state == "written",
        Serving.rehearsal.is_(False), Delivery.official_id == official.id, Delivery.correction == 0,
        Message.state.in_(corrections.REACHED),
    )  # fmt: skip
    letters = select(Serving).join(Delivery, Delivery.serving_id == Serving.id).join(Message, Message.id == Delivery.message_id)
    return session.scalar(letters.where(*earlier).order_by(Serving.id.desc()).limit(1))


def _context(notice: Notice, serving: Serving, cohort: Cohort, before: Serving | None, papers: Papers) -> dict[str, object]:
    count, named, edition = serving.count or 0, len(cohort.signers), serving.edition
    new = [signer for signer in cohort.signers if before is not None and signer.number > (before.cut_off or 0)]
    listed = new if before is not None else cohort.signers
    shown = listed if len(listed) <= NAMES_IN_LETTER else []
    met = [demand for demand in edition.demands if demand.met_on]
    return {
        "notice": notice, "edition": edition, "count": count, "grown": count - (before.count or 0) if before else None,
        "named": named, "new": len(new), "by_clp": [(clp, list(rows)) for clp, rows in groupby(shown, lambda row: row.clp)],
        "before": before, "struck": serving.struck - (before.struck if before else 0), "met": met,
        "body_text": to_text(edition.body), "body_html": to_html(edition.body),
        "without_name": notice_documents.without_name(
            count, named, cohort.earlier, cohort.withdrawn, cohort.struck, cohort.kept_back
        ),
        "pdf": papers.pdf,
        "missing_scripts": scripts.listed(papers.missing),
        "enclosures": [enclosure for enclosure in papers.enclosures if not enclosure.linked],
        "linked": [enclosure for enclosure in papers.enclosures if enclosure.linked],
        "page": links.url(f"/notices/{notice.slug}"), "edition_url": edition_url(notice, edition),
    }  # fmt: skip


def unfinished(session: Session, now: datetime) -> list[int]:
    """Servings that wait for a worker: due by now, or started and not yet written."""
    waiting = (Serving.state == "due") & (Serving.due_at <= now) | (Serving.state == "started")
    return list(session.scalars(select(Serving.id).where(waiting).order_by(Serving.id)))


def wake_unfinished(session: Session, now: datetime) -> None:
    for serving_id in unfinished(session, now):
        queues.wake(session, "serve", serving_id, queues.NOTICES)


def waiting(session: Session) -> list[tuple[Serving, Notice]]:
    """Servings that can still be stopped."""
    stoppable = Serving.state.in_(("due", "started"))
    rows = select(Serving, Notice).join(Notice, Notice.id == Serving.notice_id).where(stoppable).order_by(Serving.id)
    return [row._tuple() for row in session.execute(rows)]
