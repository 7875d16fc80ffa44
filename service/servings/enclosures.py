"""What goes with a serving's letters: for whom which names, the list as PDF and CSV, and the exact text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.emails import links
from service.models import Edition, Enclosure, Notice, Official, Serving, Signature
from service.proof.canonical import digest
from service.servings.documents import notice_documents
from service.servings.documents.notice_documents import Signer
from service.servings.documents.pdf_compiler import NotSet, Typeset

NAMED = ("public", "officials")
"""How somebody chose to be shown who is named to officials."""


@dataclass(frozen=True)
class Cohort:
    """Officials who were there since the same time: they receive the names of those who signed after it.

    `earlier` would be named, but signed before that time; `withdrawn` and `struck` were taken out after the cut-off;
    `kept_back` would be named, but the offices get counts alone.
    """

    key: str
    officials: Sequence[Official]
    signers: Sequence[Signer]
    earlier: int = 0
    withdrawn: int = 0
    struck: int = 0
    kept_back: int = 0


@dataclass(frozen=True)
class Papers:
    """What goes with the letters to a cohort. Without `pdf` none could be made; `missing` are scripts that it shows as □."""

    enclosures: Sequence[Enclosure]
    pdf: bool
    missing: tuple[str, ...]


def cohorts(session: Session, serving: Serving) -> list[Cohort]:
    written_to = (Official.removed_at.is_(None), Official.objected_at.is_(None), Official.held_at.is_(None))
    officials = list(
        session.scalars(select(Official).where(*written_to).order_by(Official.added_at, Official.counts_alone, Official.id))
    )
    counted = (
        Signature.edition_id == serving.edition_id, Signature.state == "confirmed", Signature.sequence <= (serving.cut_off or 0)
    )  # fmt: skip
    standing, nameable = session.execute(
        select(func.count(), func.count(case((Signature.display.in_(NAMED), 1)))).where(*counted)
    ).one()
    struck = _struck_since(session, serving)
    withdrawn = max((serving.count or 0) - standing - struck, 0)
    made = []
    for (since, counts_alone), members in groupby(officials, key=lambda official: (official.added_at, official.counts_alone)):
        signers = list(_signers(session, serving, since))
        cohort = Cohort(since.isoformat(), list(members), signers, nameable - len(signers), withdrawn, struck)
        made.append(_without_names(cohort) if counts_alone else cohort)
    return made


def _without_names(cohort: Cohort) -> Cohort:
    return replace(cohort, key=f"{cohort.key} counts alone", signers=[], kept_back=len(cohort.signers))


def _struck_since(session: Session, serving: Serving) -> int:
    """How many that this serving counts have been struck out since its cut-off: their leaves stand behind its tree."""
    counted = (Signature.edition_id == serving.edition_id, Signature.sequence <= (serving.cut_off or 0))
    since = (Signature.state == "struck", Signature.withdrawal_leaf >= (serving.tree_size or 0))
    return session.scalar(select(func.count()).select_from(Signature).where(*counted, *since)) or 0


def _signers(session: Session, serving: Serving, since: datetime) -> Iterator[Signer]:
    """Those who agreed that these officials receive their name, up to the cut-off, by CLP."""
    rows = session.execute(
        select(Signature.name, Signature.clp, Signature.office, Signature.sequence)
        .where(Signature.edition_id == serving.edition_id, Signature.state == "confirmed")
        .where(Signature.sequence <= (serving.cut_off or 0), Signature.display.in_(NAMED))
        .where(func.coalesce(Signature.agreed_again_at, Signature.created_at) >= since)
        .order_by(Signature.clp == "", Signature.clp, Signature.sequence)
    )
    return (Signer(name, clp, office, number or 0) for name, clp, office, number in rows)


def make(session: Session, serving: Serving, cohort: Cohort) -> Papers:
    """The list as PDF and as CSV. Slow for long lists: called with no write transaction open."""
    edition, notice = serving.edition, session.get_one(Notice, serving.notice_id)
    linked = len(cohort.signers) > settings().attach_names
    volumes = _volumes(notice, serving, cohort)
    made = [(f"edition-{edition.number}.txt", "text/plain; charset=utf-8", edition.text.encode(), False)]
    for number, volume in enumerate(volumes, 1):
        name = f"{notice.slug}.pdf" if len(volumes) == 1 else f"{notice.slug}-{number}-of-{len(volumes)}.pdf"
        made.append((name, "application/pdf", volume.pdf, linked))
    made.append(
        (f"{notice.slug}-signatures.csv", "text/csv; charset=utf-8", notice_documents.annex_csv(cohort.signers), linked)
    )
    enclosures = [
        Enclosure(serving_id=serving.id, cohort=cohort.key, filename=filename, content_type=content_type, content=content,
                  hash=digest(content), linked=linked)
        for filename, content_type, content, linked in made
    ]  # fmt: skip
    missing = {script for volume in volumes for script in volume.missing}
    return Papers(enclosures, bool(volumes), tuple(sorted(missing)))


def _volumes(notice: Notice, serving: Serving, cohort: Cohort) -> list[Typeset]:
    """The PDF, or none where it cannot be made: the letter goes all the same, and says so."""
    edition = serving.edition
    annex = notice_documents.Annex(
        title=edition.title, addressed_to=edition.addressed_to, published_by=notice.published_by,
        published_on=notice.published_on or edition.published_at.date(), edition=edition.number, edition_hash=edition.hash,
        body=edition.body, count=serving.count or 0, cut_off=serving.cut_off or 0, earlier=cohort.earlier,
        withdrawn=cohort.withdrawn, struck=cohort.struck, kept_back=cohort.kept_back,
        served_at=(serving.started_at or edition.published_at).replace(microsecond=0),
        imprint=settings().imprint, rehearsal=serving.rehearsal, url=edition_url(notice, edition),
    )  # fmt: skip
    try:
        return notice_documents.annex_volumes(annex, cohort.signers)
    except NotSet:
        return []


def edition_url(notice: Notice, edition: Edition) -> str:
    return links.url(f"/notices/{notice.slug}/editions/{edition.number}.txt")
