"""The evidence chain of a notice: each attempt, notification and acknowledgement, each record holding the hash of the last."""

from __future__ import annotations

from service.proof.encoding import Document, encode, sha256

FORMAT = "undersigned-evidence-1"
BEGINNING = "0" * 64


def link(previous: str, record: Document) -> tuple[Document, str]:
    """The record with the hash of the one before it (BEGINNING for the first), and its own.

    A record has at least `notice` and `number`, counted from 1.
    """
    whole = record | {"previous": previous}
    return whole, sha256(b"undersigned evidence 1\n" + encode(whole))


def document(notice: str, records: list[Document], head: str) -> Document:
    """The whole chain of a notice, the oldest record first; `head` is the hash of the last."""
    return {"format": FORMAT, "notice": notice, "records": records, "head": head}


def hashes(notice: str, records: list[Document]) -> list[str]:
    """The hash of each record in turn. Raises ValueError that says which record does not follow on the one before it."""
    chain = [BEGINNING]
    for number, record in enumerate(records, 1):
        if (record["notice"], record["number"], record["previous"]) != (notice, number, chain[-1]):
            raise ValueError(f"record {number} does not follow on the one before it: one was changed, left out or added")
        chain.append(sha256(b"undersigned evidence 1\n" + encode(record)))
    return chain
