"""The tree of an edition in the database: a leaf for each confirmation and each withdrawal, in order; heads and proofs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from itertools import islice

from sqlalchemy import BindParameter, Insert, Row, bindparam, insert, select
from sqlalchemy.orm import Session

from service.models import Edition, Leaf, Signature, TreeNode
from service.proof import leaves, merkle
from service.proof.merkle import Node

LEVEL = 1 << 40
CHUNK = 5_000
LEAF, NODE = Leaf.__table__, TreeNode.__table__
WANTED: BindParameter[list[int]] = bindparam("wanted", expanding=True)
ADD_LEAF, ADD_NODE = insert(Leaf), insert(TreeNode)
LEAVES_AT = select(LEAF.c.position, LEAF.c.entry).where(LEAF.c.edition_id == bindparam("edition"), LEAF.c.position.in_(WANTED))
NODES_AT = select(NODE.c.place, NODE.c.hash).where(NODE.c.edition_id == bindparam("edition"), NODE.c.place.in_(WANTED))
"""Made once: to build a statement takes longer than to run it."""


def hold(session: Session, edition_id: int) -> Edition:
    """The edition, its row ours until the commit and its tree complete: the next leaf is for us to add."""
    edition = session.get_one(Edition, edition_id, with_for_update=True, populate_existing=True)
    catch_up(session, edition)
    return edition


def append(session: Session, edition: Edition, entry: bytes) -> int:
    """Adds a leaf to an edition that is held, and returns its position."""
    position, connection = edition.tree_size, session.connection()
    grown = merkle.append(
        position, merkle.leaf_hash(entry), lambda nodes_asked_for: nodes(session, edition.id, nodes_asked_for)
    )
    connection.execute(ADD_LEAF, {"edition_id": edition.id, "position": position, "entry": entry})
    if rows := [_row(edition.id, node, node_hash) for node, node_hash in grown.items() if node[0] > 0]:
        connection.execute(ADD_NODE, rows)
    edition.tree_size = position + 1
    return position


def nodes(session: Session, edition_id: int, nodes_asked_for: Sequence[Node]) -> dict[Node, bytes]:
    """Stored hashes; a leaf's follows from its entry."""
    positions = [position for level, position in nodes_asked_for if level == 0]
    places = [level * LEVEL + position for level, position in nodes_asked_for if level > 0]
    hashes: dict[Node, bytes] = {}
    connection = session.connection()
    if positions:
        rows = connection.execute(LEAVES_AT, {"edition": edition_id, "wanted": positions})
        hashes |= {(0, position): merkle.leaf_hash(entry) for position, entry in rows}
    if places:
        rows = connection.execute(NODES_AT, {"edition": edition_id, "wanted": places})
        hashes |= {divmod(place, LEVEL): hashed for place, hashed in rows}
    return hashes


def root(session: Session, edition_id: int, size: int) -> bytes:
    return merkle.root(size, lambda nodes_asked_for: nodes(session, edition_id, nodes_asked_for))


def inclusion(session: Session, edition_id: int, position: int, size: int) -> list[bytes]:
    return merkle.inclusion(position, size, lambda nodes_asked_for: nodes(session, edition_id, nodes_asked_for))


def consistency(session: Session, edition_id: int, old: int, new: int) -> list[bytes]:
    return merkle.consistency(old, new, lambda nodes_asked_for: nodes(session, edition_id, nodes_asked_for))


def entries(session: Session, edition_id: int, start: int, end: int) -> list[bytes]:
    """The leaves from one position to before another, in order."""
    conditions = (Leaf.edition_id == edition_id, Leaf.position >= start, Leaf.position < end)
    return list(session.scalars(select(Leaf.entry).where(*conditions).order_by(Leaf.position)))


def nonce() -> bytes:
    return secrets.token_bytes(leaves.NONCE_BYTES)


def catch_up(session: Session, edition: Edition) -> None:
    """Leaves for signatures that came in without one: confirmed before there were trees, or put in by hand.

    Where the row is gone already, or was withdrawn, its leaf is noise: the totals are right, and nobody can open it.
    """
    if edition.tree_size >= 2 * edition.last_sequence - edition.count:
        return
    if edition.tree_size:
        raise RuntimeError(f"the tree of edition {edition.id} lacks leaves in its middle")
    conditions = (Signature.edition_id == edition.id, Signature.state == "confirmed", Signature.sequence.is_not(None))
    columns = (Signature.id, Signature.sequence, Signature.name, Signature.clp)
    standing = {row.sequence: row for row in session.execute(select(*columns).where(*conditions))}
    made, opened = [], []
    for sequence in range(1, edition.last_sequence + 1):
        secret = nonce()
        made.append(_entry(edition, secret, standing.get(sequence)))
        if sequence in standing:
            opened.append({"id": standing[sequence].id, "leaf": sequence - 1, "nonce": secret})
    made += [leaves.KINDS["withdraw"] + nonce() for _ in range(edition.last_sequence - edition.count)]
    _store(session, edition, made)
    for start in range(0, len(opened), CHUNK):
        session.bulk_update_mappings(Signature.__mapper__, opened[start : start + CHUNK])


def _entry(edition: Edition, secret: bytes, row: Row[int, int | None, str, str] | None) -> bytes:
    if row is None:
        return leaves.KINDS["sign"] + secret
    return leaves.entry("sign", secret, leaves.signed(edition.hash, row.sequence or 0, row.name, row.clp))


def _store(session: Session, edition: Edition, made: list[bytes]) -> None:
    """A whole tree at once."""
    rows = ({"edition_id": edition.id, "position": position, "entry": entry} for position, entry in enumerate(made))
    _in_chunks(session, ADD_LEAF, rows)
    stored = merkle.complete([merkle.leaf_hash(entry) for entry in made])
    _in_chunks(session, ADD_NODE, (_row(edition.id, node, node_hash) for node, node_hash in stored if node[0] > 0))
    edition.tree_size = len(made)


def _in_chunks(session: Session, statement: Insert, rows: Iterator[dict[str, object]]) -> None:
    while part := list(islice(rows, CHUNK)):
        session.connection().execute(statement, part)


def _row(edition_id: int, node: Node, node_hash: bytes) -> dict[str, object]:
    return {"edition_id": edition_id, "place": node[0] * LEVEL + node[1], "hash": node_hash}
