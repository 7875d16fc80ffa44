"""The Merkle tree of RFC 9162 §2.1 over storage that only grows: each complete subtree is stored once, when it is complete.

A node is (level, position): level 0 are the leaves, and node (l, p) covers the leaves p·2^l … (p+1)·2^l − 1. The hash of any
other range of leaves that begins at such a border follows from the complete subtrees in it. `Fetch` is how stored nodes are
read: all that are wanted at once. Nothing here knows where they are stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Node = tuple[int, int]
Span = tuple[int, int]
"""The leaves from the first number to before the second."""
Fetch = Callable[[Sequence[Node]], Mapping[Node, bytes]]
EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def peaks(span: Span) -> list[Node]:
    """The complete subtrees that make up a span, the largest first."""
    start, end = span
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def append(size: int, leaf: bytes, fetch: Fetch) -> dict[Node, bytes]:
    """The nodes that the next leaf completes in a tree of this size, its own first; `leaf` is its hash."""
    left = [(level, (size >> level) - 1) for level in range(_trailing_ones(size))]
    nodes = fetch(left) if left else {}
    grown, node = {(0, size): leaf}, leaf
    for level, position in left:
        node = node_hash(nodes[level, position], node)
        grown[level + 1, position >> 1] = node
    return grown


def complete(leaves: Sequence[bytes]) -> Iterator[tuple[Node, bytes]]:
    """Every node of a tree that is stored, from all of its leaf hashes at once, level by level."""
    level, hashes = 0, list(leaves)
    while hashes:
        yield from (((level, position), node_hash) for position, node_hash in enumerate(hashes))
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes) - 1, 2)]
        level += 1


def root(size: int, fetch: Fetch) -> bytes:
    """The tree head of the first `size` leaves."""
    return _hashes([(0, size)], fetch)[0] if size else EMPTY


def inclusion(index: int, size: int, fetch: Fetch) -> list[bytes]:
    """The path that proves leaf `index` to a tree head of `size` leaves (§2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    return _hashes(list(_beside(index, (0, size))), fetch)


def consistency(old: int, new: int, fetch: Fetch) -> list[bytes]:
    """The path that proves the tree of `new` leaves to begin with the tree of `old` leaves (§2.1.4.1)."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} leaves cannot be the beginning of one of {new}")
    return _hashes(list(_grown(old, (0, new), whole=True)), fetch) if 0 < old < new else []


def _beside(index: int, span: Span) -> Iterator[Span]:
    start, end = span
    if end - start == 1:
        return
    middle = start + _split(end - start)
    near, far = ((start, middle), (middle, end)) if index < middle else ((middle, end), (start, middle))
    yield from _beside(index, near)
    yield far


def _grown(old: int, span: Span, *, whole: bool) -> Iterator[Span]:
    """SUBPROOF of the RFC; `whole`: the old tree's head is known to whoever checks."""
    start, end = span
    if old == end - start:
        if not whole:
            yield span
        return
    middle = start + _split(end - start)
    if start + old <= middle:
        yield from _grown(old, (start, middle), whole=whole)
        yield middle, end
    else:
        yield from _grown(old - (middle - start), (middle, end), whole=False)
        yield start, middle


def _trailing_ones(size: int) -> int:
    """How many complete subtrees of ever doubling size end where the next leaf begins."""
    return (~size & (size + 1)).bit_length() - 1


def _split(size: int) -> int:
    """The largest power of two below a size."""
    return 1 << (size - 1).bit_length() - 1


def _hashes(spans: Sequence[Span], fetch: Fetch) -> list[bytes]:
    parts = [peaks(span) for span in spans]
    nodes = fetch([node for part in parts for node in part])
    return [_joined([nodes[node] for node in part]) for part in parts]


def _joined(hashes: Sequence[bytes]) -> bytes:
    joined = hashes[-1]
    for left in reversed(hashes[:-1]):
        joined = node_hash(left, joined)
    return joined


def root_of(leaves: Iterable[bytes]) -> tuple[int, bytes]:
    """Size and head of a tree, from all of its leaf hashes in order."""
    size, complete = 0, list[bytes]()  # the heads of the complete subtrees so far, the largest first
    for leaf in leaves:
        node = leaf
        for _ in range(_trailing_ones(size)):
            node = node_hash(complete.pop(), node)
        complete.append(node)
        size += 1
    return size, _joined(complete) if complete else EMPTY


def includes(index: int, size: int, leaf: bytes, path: Sequence[bytes], head: bytes) -> bool:
    """Whether the path leads from this leaf hash to the tree head (§2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, computed = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            computed = node_hash(step, computed)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            computed = node_hash(computed, step)
        at, last = at >> 1, last >> 1
    return last == 0 and computed == head


def grew(old: int, new: int, old_head: bytes, new_head: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path proves that the new tree begins with the old one (§2.1.4.2)."""
    if old == new:
        return not path and old_head == new_head
    if old == 0:
        return not path and old_head == EMPTY
    if old > new or not path:
        return False
    steps = [old_head, *path] if old & (old - 1) == 0 else list(path)
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, step)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_head and after == new_head
