"""A serving's manifest, made and signed when its letters are stored; and what is read out of it later."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime, parseaddr

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.emails import links
from service.models import Delivery, Edition, Enclosure, Letter, Manifest, Message, Notice, Serving
from service.proof import manifest
from service.proof.encoding import Document, decode, sha256
from service.proof.letters.letter_check import SALT
from service.proof_store import evidence_chain, signing_key, trees


def issue(session: Session, notice: Notice, serving: Serving, now: datetime) -> Manifest:
    """The signed manifest of a serving whose letters have just been stored; chained, unless it is a rehearsal."""
    before = None if serving.rehearsal else last(session, notice)
    number = None if serving.rehearsal else (before.number or 0) + 1 if before else 1
    edition = serving.edition
    length, head = (0, "0" * 64) if serving.rehearsal else evidence_chain.state(session, notice.id)
    body = manifest.compose(
        service=settings().base_url, notice=notice.slug, number=number or 0, rehearsal=serving.rehearsal,
        edition={"number": edition.number, "hash": edition.hash}, issued_at=now, cut_off=serving.cut_off or 0,
        count=serving.count or 0, tree=_tree(session, serving, edition, before),
        deliveries=[_delivery(session, serving, delivery) for delivery in serving.deliveries],
        evidence={"length": length, "head": head}, previous=before.hash if before else None,
    )  # fmt: skip
    content = manifest.sign(body, signing_key.current(session, now))
    manifest_row = Manifest(
        notice_id=notice.id, serving_id=serving.id, number=number, content=content, hash=sha256(content), issued_at=now
    )
    session.add(manifest_row)
    session.flush()
    return manifest_row


def _tree(session: Session, serving: Serving, edition: Edition, before: Manifest | None) -> Document:
    size, signed = serving.tree_size or 0, serving.cut_off or 0
    old = body_of(before) if before else None
    grown = None
    if old is not None and old["edition"]["hash"] == edition.hash:
        path = trees.consistency(session, edition.id, old["tree"]["size"], size)
        grown = {"size": old["tree"]["size"], "root": old["tree"]["root"], "path": [step.hex() for step in path]}
    root = trees.root(session, edition.id, size)
    totals = {"signed": signed, "withdrawn": size - signed, "struck": serving.struck}
    return {"size": size, "root": root.hex(), **totals, "grown_from": grown}


def _delivery(session: Session, serving: Serving, delivery: Delivery) -> Document:
    letter = session.get_one(Letter, delivery.message_id)
    conditions = (Enclosure.serving_id == serving.id, Enclosure.cohort == letter.cohort)
    enclosures = session.execute(
        select(Enclosure.filename, Enclosure.hash, Enclosure.linked).where(*conditions).order_by(Enclosure.id)
    ).all()
    files = [({"filename": filename, "sha256": hashed}, linked) for filename, hashed, linked in enclosures]
    return {
        "office": delivery.office, "message_id": links.message_id(delivery.message_id), "names": delivery.names_given,
        "text": manifest.words_hash(letter.text), "html": manifest.words_hash(letter.html),
        "attachments": [file for file, linked in files if not linked],
        "linked": [file for file, linked in files if linked],
        "headers": _headers(delivery.message, letter),
    }  # fmt: skip


def _headers(message: Message, letter: Letter) -> Document:
    """What the letter says of itself in its headers; as workers/outbound/letter.py writes them."""
    salt = letter.headers[SALT.title()]
    sender = list(parseaddr(letter.headers["From"]))
    return {
        "from": manifest.mailbox_hash(salt, sender),
        "to": manifest.mailbox_hash(salt, [letter.to_name, message.email or ""]),
        "reply-to": manifest.mailbox_hash(salt, ["", letter.headers["Reply-To"]]),
        "subject": letter.subject,
        "date": format_datetime(message.created_at),
    }


def last(session: Session, notice: Notice) -> Manifest | None:
    conditions = (Manifest.notice_id == notice.id, Manifest.number.is_not(None))
    return session.scalar(select(Manifest).where(*conditions).order_by(Manifest.number.desc()).limit(1))


def of_edition(session: Session, edition: Edition, beyond: int = -1) -> list[Manifest]:
    """The manifests that count this edition's signatures, the oldest first; no rehearsal's. `beyond`: those that count the leaf
    at this position."""
    conditions = (Serving.edition_id == edition.id, Manifest.number.is_not(None), Serving.tree_size > beyond)
    return list(session.scalars(select(Manifest).join(Serving).where(*conditions).order_by(Manifest.number)))


def body_of(manifest: Manifest) -> Document:
    return dict(decode(manifest.content)["manifest"])
