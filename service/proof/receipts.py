"""A signer's receipt: opens one leaf, and proves it to be counted in servings."""

from __future__ import annotations

from service.proof.encoding import Document

RECEIPT = "undersigned-receipt-1"
CONSISTENCY = "undersigned-consistency-1"


def receipt(service: str, notice: str, statement: Document, nonce: bytes, position: int, servings: list[Document]) -> Document:
    """`servings`: [{"manifest": the manifest's file as a document, "path": [hexadecimal, …]}], those that count the leaf."""
    return {
        "format": RECEIPT, "service": service, "notice": notice, "statement": statement, "nonce": nonce.hex(),
        "position": position, "servings": servings,
    }  # fmt: skip


def consistency(edition_hash: str, old: Document, new: Document, path: list[bytes]) -> Document:
    """That the tree of one head ({"size", "root"}) begins with the tree of another."""
    return {"format": CONSISTENCY, "edition": edition_hash, "old": old, "new": new, "path": [step.hex() for step in path]}
