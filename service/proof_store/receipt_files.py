"""Proofs to take home: a signer's receipt, and that one serving's tree continues another's."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from service.core.config import settings
from service.errors import NotFound
from service.models import Edition, Enclosure, Manifest, Serving, Signature
from service.proof import leaves, receipts
from service.proof.encoding import Document, decode, sha256
from service.proof_store import stored_manifests, trees


def receipt(session: Session, signature: Signature, edition: Edition) -> Document:
    """Opens a signature's leaf, with the proof of each serving that has counted it. Raises NotFound where it is noise."""
    if signature.nonce is None or signature.leaf is None or signature.sequence is None:
        raise NotFound("this signature has no leaf that could be opened")
    statement = leaves.signed(edition.hash, signature.sequence, signature.name, signature.clp)
    return _receipt(session, edition, statement, signature.nonce, signature.leaf)


def receipt_of_withdrawal(session: Session, signature: Signature, edition: Edition) -> Document:
    """The same for its withdrawal, or for its being struck out."""
    if signature.withdrawal_nonce is None or signature.withdrawal_leaf is None:
        raise NotFound("this signature was not withdrawn")
    make = leaves.struck if signature.struck_at is not None else leaves.withdrawn
    statement = make(edition.hash, signature.sequence or 0)
    return _receipt(session, edition, statement, signature.withdrawal_nonce, signature.withdrawal_leaf)


def _receipt(session: Session, edition: Edition, statement: Document, nonce: bytes, position: int) -> Document:
    servings = [
        {
            "manifest": decode(manifest.content),
            "path": _hex(trees.inclusion(session, edition.id, position, _tree(manifest)["size"])),
        }
        for manifest in stored_manifests.of_edition(session, edition, beyond=position)
    ]
    return receipts.receipt(settings().base_url, edition.notice.slug, statement, nonce, position, servings)


def between(session: Session, edition: Edition, old_serving: int, new_serving: int) -> Document:
    """That the tree of a later serving continues the one of an earlier. Raises NotFound."""
    trees_by_serving = {manifest.serving_id: _tree(manifest) for manifest in stored_manifests.of_edition(session, edition)}
    old, new = trees_by_serving.get(old_serving), trees_by_serving.get(new_serving)
    if old is None or new is None or old["size"] > new["size"]:
        raise NotFound("these are not two servings of this text, the earlier one first")
    path = trees.consistency(session, edition.id, old["size"], new["size"])
    before, after = ({"size": tree["size"], "root": tree["root"]} for tree in (old, new))
    return receipts.consistency(edition.hash, before, after, path)


def manifest_of(session: Session, serving: Serving) -> bytes:
    """The file of a serving that the public may know of. Raises NotFound."""
    manifest = session.scalar(select(Manifest).where(Manifest.serving_id == serving.id))
    if manifest is None or serving.rehearsal:
        raise NotFound("this serving has no manifest")
    return manifest.content


def manifest_naming(session: Session, file: bytes) -> Manifest | None:
    """The newest manifest of a public serving that names exactly this file: a list that was served, or the text itself."""
    file_hash = sha256(file)
    served_lists = select(Enclosure.serving_id).where(Enclosure.hash == file_hash)
    served_texts = select(Serving.id).join(Edition, Edition.id == Serving.edition_id).where(Edition.hash == file_hash)
    naming = or_(Manifest.serving_id.in_(served_lists), Manifest.serving_id.in_(served_texts))
    public = (Manifest.number.is_not(None), naming)
    return session.scalar(select(Manifest).where(*public).order_by(Manifest.id.desc()).limit(1))


def _tree(manifest: Manifest) -> Document:
    return dict(stored_manifests.body_of(manifest)["tree"])


def _hex(path: list[bytes]) -> list[str]:
    return [step.hex() for step in path]
