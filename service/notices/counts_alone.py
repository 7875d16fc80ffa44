"""Story: an office whose mail server takes no encrypted mail gets counts alone, once an organiser says so.

From then on its letters leave the names out; a letter that waits with names gives way to one without. The names themselves are
not lost: the office may ask for them another way, and gets them again once an organiser says so.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import states
from service.emails import catalogue, links
from service.errors import NotFound
from service.models import Delivery, Message, Notice, Official, Serving
from service.proof_store import evidence_chain
from service.text.markdown.rendering import to_html, to_text


def choose(session: Session, number: int, counts_alone: bool, now: datetime) -> None:
    """Raises NotFound."""
    official = session.get(Official, number if number < 2**63 else 0)
    if official is None:
        raise NotFound(f"there is no official {number}")
    official.counts_alone = counts_alone
    if counts_alone:
        for delivery in _with_names(session, official):
            _replace(session, delivery, official, now)


def _with_names(session: Session, official: Official) -> list[Delivery]:
    """What waits for this office, and not for organisers who rehearse."""
    named = (Delivery.official_id == official.id, Delivery.correction == 0, Delivery.names_given > 0)
    waits = (Message.state == "queued", Serving.rehearsal.is_(False))
    rows = select(Delivery).join(Message, Message.id == Delivery.message_id).join(Serving, Serving.id == Delivery.serving_id)
    return list(session.scalars(rows.where(*named, *waits).order_by(Delivery.id)))


def _replace(session: Session, delivery: Delivery, official: Official, now: datetime) -> None:
    """The letter without names takes the place of the one that waits; one that a worker has taken up meanwhile stays."""
    this, reason = Message.id == delivery.message_id, "counts alone went in its place"
    if not states.claim(session, Message, "queued", "cancelled", this, settled_at=now, reply_text=reason):
        return
    serving = session.get_one(Serving, delivery.serving_id)
    notice, edition = session.get_one(Notice, serving.notice_id), serving.edition
    context = {
        "notice": notice, "edition": edition, "count": serving.count or 0, "key": delivery.key,
        "body_text": to_text(edition.body), "body_html": to_html(edition.body),
        "page": links.url(f"/notices/{notice.slug}"),
        "edition_url": links.url(f"/notices/{notice.slug}/editions/{edition.number}.txt"),
    }  # fmt: skip
    evidence_chain.append(session, delivery, "counts alone", {"names_kept_back": delivery.names_given}, now)
    delivery.message_id, delivery.names_given = catalogue.counts(session, official, official.address, context, now).id, 0
