"""What anyone can check: the keys, manifests, leaves and proofs as files, and the verifier as a page that needs no account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound as NoPage

from service import limits, notices, proof_keys, proofs, trees
from service.db import reading
from service.models import Edition, Serving
from service.proof import leaves
from service.proof.__main__ import holds, verdict
from service.proof.encoding import Unreadable, encode
from service.proof.signed import Finding
from service.proof.verify import in_order
from service.proof.verify import verify as verify_files
from service.web.guards import now

blueprint = Blueprint("proof", __name__)
FILES_LOOKED_UP = 20
Given = tuple[str, bytes]
"""A file's name and its bytes."""
LARGEST_UPLOAD = 32 * 1024 * 1024


@blueprint.url_value_preprocessor
def take_letters(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A delivered letter with its attachments is larger than any other form of ours."""
    if request.path == "/verify":
        request.max_content_length = request.max_form_memory_size = LARGEST_UPLOAD


@blueprint.get("/.well-known/undersigned-keys.json")
def keys() -> ResponseReturnValue:
    with reading() as session:
        return _document(encode(proof_keys.document(session)))


@blueprint.get("/notices/<slug>/servings/<int:number>/manifest.json")
def manifest(slug: str, number: int) -> ResponseReturnValue:
    with reading() as session:
        notice = notices.find_public(session, slug)
        serving = session.get(Serving, number if number < 2**63 else 0)
        if serving is None or serving.notice_id != notice.id:
            raise NoPage
        return _document(proofs.manifest_of(session, serving))


@blueprint.get("/notices/<slug>/editions/<int:number>/leaves.txt")
def all_leaves(slug: str, number: int) -> ResponseReturnValue:
    """Every leaf of an edition's tree, so that anybody can count them and take the head again."""
    with reading() as session:
        edition = _edition(session, slug, number)
        lines = leaves.write(edition.hash, _entries(edition.id, edition.tree_size))
    return Response(lines, content_type="text/plain; charset=utf-8")


def _entries(edition_id: int, size: int) -> Iterator[bytes]:
    """Some thousands at a time: a tree may have millions."""
    for start in range(0, size, trees.CHUNK):
        with reading() as session:
            found = trees.entries(session, edition_id, start, min(start + trees.CHUNK, size))
        yield from found


@blueprint.get("/notices/<slug>/editions/<int:number>/consistency.json")
def consistency(slug: str, number: int) -> ResponseReturnValue:
    """That one serving's signatures continue another's: `from` and `to` are numbers of servings."""
    old, new = (request.args.get(name, 0, type=int) for name in ("from", "to"))
    with reading() as session:
        return _document(encode(proofs.between(session, _edition(session, slug, number), old, new)))


def _edition(session: Session, slug: str, number: int) -> Edition:
    notice = notices.find_public(session, slug)
    for edition in notice.editions:
        if edition.number == number:
            return edition
    raise NoPage


def _document(content: bytes) -> Response:
    return Response(content, content_type="application/json; charset=utf-8")


@blueprint.get("/verify")
def form() -> ResponseReturnValue:
    return render_template("pages/verify.html", findings=None, problem="")


@blueprint.post("/verify")
def verify() -> ResponseReturnValue:
    """The same verifier as `python -m service.proof`, for files that are sent here; nothing of them is kept."""
    limits.visitor(request.remote_addr or "")
    files = [(file.filename or "file", file.read()) for file in request.files.getlist("files") if file.filename]
    try:
        findings = _findings(files)
        problem = "" if findings else "Choose at least one file."
    except Unreadable as error:
        findings, problem = [], str(error)
    said = verdict(findings) if findings else ""
    page = render_template("pages/verify.html", findings=findings, problem=problem, verdict=said, holds=holds(findings))
    return page, 200 if findings else 422


def _findings(files: list[Given]) -> list[Finding]:
    """What was served needs no manifest beside it, because ours is at hand. Raises Unreadable."""
    with reading() as session:
        published = proof_keys.document(session)
        manifests = [proofs.manifest_naming(session, content) for _, content in files[:FILES_LOOKED_UP]]
    keys_file = [("our published keys", encode(published))] if published["keys"] else []
    groups, others = [], files[FILES_LOOKED_UP:]
    for file, manifest_file in zip(files, manifests, strict=False):
        if manifest_file is None:
            others.append(file)
        else:
            groups.append([file, (f"our manifest {manifest_file.number}", manifest_file.content)])
    groups += [others] if others else []
    return in_order([finding for group in groups for finding in verify_files(group + keys_file, now())])
