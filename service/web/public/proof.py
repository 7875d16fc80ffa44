"""What anyone can check: the keys, manifests, leaves and proofs as files, and the verifier as a page that needs no account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound as NoPage

from service.core.db import reading
from service.errors import Refused
from service.models import Edition, Manifest, Serving
from service.notices import publishing
from service.proof import leaves
from service.proof.encoding import encode
from service.proof.manifests_check import Finding
from service.proof.verify import verdict
from service.proof_store import receipt_files, signing_key, trees, uploaded_files
from service.rate_limits import windows
from service.web.guards import now

blueprint = Blueprint("proof", __name__)
LARGEST_UPLOAD = 32 * 1024 * 1024


@blueprint.url_value_preprocessor
def take_letters(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A delivered letter with its attachments is larger than any other form of ours."""
    if request.path == "/verify":
        request.max_content_length = request.max_form_memory_size = LARGEST_UPLOAD


@blueprint.get("/.well-known/undersigned-keys.json")
def keys() -> ResponseReturnValue:
    with reading() as session:
        return _document(encode(signing_key.document(session)))


@blueprint.get("/notices/<slug>/servings/<int:number>/manifest.json")
def manifest(slug: str, number: int) -> ResponseReturnValue:
    with reading() as session:
        notice = publishing.find_public(session, slug)
        serving = session.get(Serving, number if number < 2**63 else 0)
        if serving is None or serving.notice_id != notice.id:
            raise NoPage
        return _document(receipt_files.manifest_of(session, serving))


@blueprint.get("/notices/<slug>/servings/<int:number>/timestamp.tst")
def timestamp(slug: str, number: int) -> ResponseReturnValue:
    """What a service outside said of when the manifest was there (RFC 3161), where one was asked."""
    with reading() as session:
        notice = publishing.find_public(session, slug)
        conditions = (Manifest.notice_id == notice.id, Manifest.serving_id == (number if number < 2**63 else 0))
        token = session.scalar(select(Manifest.timestamp).where(*conditions))
    if token is None:
        raise NoPage
    return Response(token, content_type="application/vnd.etsi.timestamp-token")


@blueprint.get("/notices/<slug>/editions/<int:number>/leaves.txt")
def all_leaves(slug: str, number: int) -> ResponseReturnValue:
    """Every leaf of an edition's tree, so that anybody can count them and take the head again."""
    windows.verify(request.remote_addr or "")
    with reading() as session:
        edition = _edition(session, slug, number)
        lines = leaves.write(edition.hash, _entries(edition.id, edition.tree_size))
    return Response(lines, content_type="text/plain; charset=utf-8")


def _entries(edition_id: int, size: int) -> Iterator[bytes]:
    """Some thousands at a time: a tree may have millions."""
    for start in range(0, size, trees.CHUNK):
        with reading() as session:
            leaf_entries = trees.entries(session, edition_id, start, min(start + trees.CHUNK, size))
        yield from leaf_entries


@blueprint.get("/notices/<slug>/editions/<int:number>/consistency.json")
def consistency(slug: str, number: int) -> ResponseReturnValue:
    """That one serving's signatures continue another's: `from` and `to` are numbers of servings."""
    old, new = (request.args.get(name, 0, type=int) for name in ("from", "to"))
    with reading() as session:
        return _document(encode(receipt_files.between(session, _edition(session, slug, number), old, new)))


def _edition(session: Session, slug: str, number: int) -> Edition:
    notice = publishing.find_public(session, slug)
    for edition in notice.editions:
        if edition.number == number:
            return edition
    raise NoPage


def _document(content: bytes) -> Response:
    return Response(content, content_type="application/json; charset=utf-8")


@blueprint.get("/verify")
def form() -> ResponseReturnValue:
    return _page(None, "")


@blueprint.post("/verify")
def verify() -> ResponseReturnValue:
    """The same verifier as `python -m service.proof`, for files that are sent here; nothing of them is kept."""
    windows.verify(request.remote_addr or "")
    files = [(file.filename or "file", file.read()) for file in request.files.getlist("files") if file.filename]
    try:
        with reading() as session:
            findings = uploaded_files.verify(session, files, now())
    except Refused as refused:
        return _page(None, str(refused)), 422
    return _page(findings, "")


def _page(findings: list[Finding] | None, problem: str) -> str:
    with reading() as session:
        fingerprints = [key["id"] for key in signing_key.document(session)["keys"]]
    verdict_name = verdict(findings).name if findings else ""
    return render_template(
        "pages/verify.html", findings=findings, problem=problem, verdict=verdict_name, fingerprints=fingerprints
    )
