"""The Merkle tree against RFC 9162 spelt out by its own recursive definition, and every proof against every change."""

from __future__ import annotations

import hashlib

import pytest

from service.proof import merkle
from service.proof.merkle import Node

LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(40)]


def mth(leaves: list[bytes]) -> bytes:
    """Merkle Tree Hash, §2.1.1, as the RFC writes it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = max(1 << power for power in range(10) if 1 << power < len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:split]) + mth(leaves[split:])).digest()


class Store(dict[Node, bytes]):
    """Grows by `append` alone; a node that is there is never written again."""

    def grow(self, leaves: list[bytes]) -> Store:
        for size, leaf in enumerate(leaves):
            added = merkle.append(size, leaf, self.fetch)
            assert not added.keys() & self.keys()
            self.update(added)
        return self

    def fetch(self, wanted: list[Node]) -> dict[Node, bytes]:
        return {node: self[node] for node in wanted}


STORE = Store().grow(LEAVES)


@pytest.mark.parametrize("size", range(41))
def test_the_head_is_the_rfcs(size: int) -> None:
    assert merkle.root(size, STORE.fetch) == mth(LEAVES[:size]) == merkle.root_of(LEAVES[:size])[1]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 31, 32, 40])
def test_a_whole_tree_is_stored_as_one_that_grew(size: int) -> None:
    assert dict(merkle.complete(LEAVES[:size])) == Store().grow(LEAVES[:size])


def test_each_node_is_stored_once() -> None:
    assert len(STORE) == 40 + 20 + 10 + 5 + 2 + 1


@pytest.mark.parametrize("size", range(1, 41))
def test_each_leaf_is_proved_and_no_other_in_its_place(size: int) -> None:
    head = mth(LEAVES[:size])
    for index in range(size):
        path = merkle.inclusion(index, size, STORE.fetch)
        assert merkle.includes(index, size, LEAVES[index], path, head)
        assert not merkle.includes(index, size, LEAVES[(index + 1) % 40], path, head)
        assert not merkle.includes(index + size, size, LEAVES[index], path, head)
        assert not merkle.includes(index, size, LEAVES[index], [*path, head], head)
        assert not path or not merkle.includes(index, size, LEAVES[index], path[:-1], head)
        other = (index + 1) % size
        assert other == index or not merkle.includes(other, size, LEAVES[index], path, head)


@pytest.mark.parametrize("new", range(41))
def test_a_tree_is_proved_to_continue_an_earlier_one_and_no_other(new: int) -> None:
    head = mth(LEAVES[:new])
    for old in range(new + 1):
        path = merkle.consistency(old, new, STORE.fetch)
        before = mth(LEAVES[:old])
        assert merkle.grew(old, new, before, head, path)
        assert not merkle.grew(old, new, LEAVES[-1][::-1], head, path)
        assert old == 0 or not merkle.grew(old, new, before, LEAVES[-1][::-1], path)  # anything continues nothing
        assert not merkle.grew(old, new, before, head, [*path, head])
        for at in range(len(path)):
            changed = [step if other != at else bytes(32) for other, step in enumerate(path)]
            assert not merkle.grew(old, new, before, head, changed)


def test_what_is_not_there_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="no leaf 3"):
        merkle.inclusion(3, 3, STORE.fetch)
    with pytest.raises(ValueError, match="cannot be the beginning"):
        merkle.consistency(4, 3, STORE.fetch)
