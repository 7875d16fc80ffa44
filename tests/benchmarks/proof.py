"""Figures of serving with proof: a serving end to end, its documents, the tree at a million leaves, the verifier."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from service.app import create_app
from service.core import config
from service.core.db import reading, transaction
from service.models import Delivery, Edition, Message, Signature
from service.notices import officials, publishing, source_file
from service.proof import leaves, manifest, merkle
from service.proof.verify import verify
from service.proof_store import trees
from service.servings import serving_lifecycle
from service.servings.documents import notice_documents
from service.servings.documents.notice_documents import Annex, Signer
from tests.benchmarks.place import place
from tests.benchmarks.sinks import smtp_sink
from tests.support.people import NOTICE, SLUG
from workers import jobs
from workers.outbound import letter
from workers.outbound.smtp.transport import VerifiedMail

Figure = tuple[str, float, str]
SIGNERS, OFFICIALS, LEAVES = 100_000, 39, 1_000_000


def serving(_folder: Path) -> Iterator[Figure]:
    """From an organiser's word until every letter was accepted: cut-off, tree, documents, letters, manifest, SMTP, evidence."""
    with smtp_sink() as port, place(0, port, SERVING_WAIT_MINUTES="0") as where:
        edition_id = _publish()
        _sign(edition_id, SIGNERS)
        app = create_app(config.settings())
        app.extensions["undersigned.mail"] = VerifiedMail(app)
        del where
        with app.app_context():
            began = time.perf_counter()
            with transaction() as session:
                notice = publishing.find(session, SLUG)
                number = serving_lifecycle.order(session, notice, session.get_one(Edition, edition_id), datetime.now(UTC)).id
            jobs.serve(number)
            with reading() as session:
                letters = list(session.scalars(select(Delivery.message_id)))
            for message_id in letters:
                letter.deliver(message_id)
            seconds = time.perf_counter() - began
        with reading() as session:
            accepted = session.scalar(select(func.count()).select_from(Message).where(Message.state == "accepted"))
        assert accepted == OFFICIALS, accepted
    yield "serve_39_officials_s", seconds, "s"


def _publish() -> int:
    now = datetime.now(UTC) - timedelta(hours=1)
    with transaction() as session:
        lines = [{"office": f"Office {number}", "name": f"Official {number}", "email": f"o{number}@nec.example",
                  "source": "x", "verified_on": str(now.date())} for number in range(OFFICIALS)]  # fmt: skip
        officials.take_in(session, [officials.read(line) for line in lines], now)
        publishing.take_in(session, source_file.read_file(NOTICE), now)
        return publishing.publish(session, SLUG, now).id


def _sign(edition_id: int, count: int) -> None:
    """Confirmed signatures over 40 parties, with their leaves, as they would have come in one by one."""
    now = datetime.now(UTC)
    with transaction() as session:
        for start in range(0, count, 20_000):
            session.execute(insert(Signature), [_row(edition_id, number, now) for number in range(start + 1, start + 20_001)])
        edition = session.get_one(Edition, edition_id)
        edition.count = edition.last_sequence = count
        session.flush()
        trees.catch_up(session, edition)
        session.info.pop("bells", None)


def _row(edition_id: int, number: int, now: datetime) -> dict[str, object]:
    name, email = f"Member Number{number}", f"m{number}@c.example"
    return {
        "edition_id": edition_id, "email": email, "mailbox": email, "name": name, "name_key": name.casefold(),
        "clp": f"Party {number % 40}", "office": "chair" if number % 50 == 0 else "", "display": "public", "state": "confirmed",
        "sequence": number, "created_at": now, "confirmed_at": now,
    }  # fmt: skip


def annex(_folder: Path) -> Iterator[Figure]:
    """The documents alone. The memory is that of the largest process that made one."""
    made = Annex(
        title="Open the books", addressed_to="the General Secretary", published_by="The Network",
        published_on=date(2026, 11, 2), edition=1, edition_hash="0" * 64, body="We demand:\n\n- the books.", count=SIGNERS,
        cut_off=SIGNERS, served_at=datetime.now(UTC).replace(microsecond=0), imprint="By the Network.", rehearsal=False,
        url="https://notices.example.org/notices/open-the-books/editions/1.txt",
    )  # fmt: skip
    signers = [Signer(f"Member Number{number}", f"Party {number % 40}", "", number) for number in range(SIGNERS)]
    notice_documents.annex_volumes(made, signers[:10])
    began = time.perf_counter()
    notice_documents.annex_volumes(made, signers[:300])
    yield "annex_pdf_300_rows_s", time.perf_counter() - began, "s"
    began = time.perf_counter()
    volumes = notice_documents.annex_volumes(made, signers)
    seconds = time.perf_counter() - began
    assert len(volumes) == SIGNERS // notice_documents.VOLUME
    yield "annex_pdf_rows_per_s", SIGNERS / seconds, "1/s"
    yield "annex_pdf_peak_mb", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, "MB"


def tree(_folder: Path) -> Iterator[Figure]:
    """A stored tree of a million leaves (SQLite): the next leaf with the new head; the path of one leaf."""
    with place(0, 1):
        edition_id = _publish()
        with transaction() as session:
            edition = session.get_one(Edition, edition_id)
            trees._store(session, edition, [leaves.KINDS["sign"] + os.urandom(32) for _ in range(LEAVES)])
        with transaction() as session:
            edition = trees.hold(session, edition_id)
            yield "merkle_append_us", _microseconds(1_000, lambda _: _append(session, edition)), "us"
        with reading() as session:
            each = LEAVES // 1_000
            took = _microseconds(1_000, lambda turn: trees.inclusion(session, edition_id, turn * each, LEAVES))
        yield "merkle_proof_us", took, "us"


def _append(session: Session, edition: Edition) -> None:
    """The next leaf, and the head that it makes."""
    trees.append(session, edition, leaves.KINDS["sign"] + os.urandom(32))
    trees.root(session, edition.id, edition.tree_size)


def _microseconds(turns: int, act: Callable[[int], object]) -> float:
    began = time.perf_counter()
    for turn in range(turns):
        act(turn)
    return (time.perf_counter() - began) / turns * 1e6


def verifier(_folder: Path) -> Iterator[Figure]:
    """One manifest with 39 deliveries, read, its signature and totals checked."""
    files = [{"filename": "a.pdf", "sha256": "0" * 64}] * 3
    one = {"office": "Office", "message_id": "<x@example.org>", "names": 1, "text": "0" * 64, "html": "0" * 64}
    body = manifest.compose(
        service="https://notices.example.org", notice=SLUG, number=1, rehearsal=False, edition={"number": 1, "hash": "0" * 64},
        issued_at=datetime.now(UTC), cut_off=1, count=1, deliveries=[one | {"attachments": files, "linked": []}] * OFFICIALS,
        tree={"size": 1, "root": merkle.EMPTY.hex(), "signed": 1, "withdrawn": 0, "grown_from": None},
        evidence={"length": 0, "head": "0" * 64}, previous=None,
    )  # fmt: skip
    signed = manifest.sign(body, Ed25519PrivateKey.generate())
    now = datetime.now(UTC)
    yield "verify_manifest_ms", _microseconds(200, lambda _: verify([("manifest.json", signed)], now)) / 1000, "ms"
