"""Merkle trees as RFC 6962 section 2.1 defines them, computed by appending.

``CompactRange`` keeps one hash for each perfect subtree, largest first, so that a tree of a billion leaves is
carried on from thirty hashes: a checkpoint stores them and the next one starts there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """``MTH({d(0)})`` = SHA-256(0x00 || d(0))."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The state of an append-only tree: its size and the roots of its perfect subtrees."""

    def __init__(self, size: int = 0, frontier: bytes = b"") -> None:
        if size < 0 or len(frontier) != HASH_SIZE * size.bit_count():
            raise ValueError(f"A tree of {size} leaves has {size.bit_count()} subtree hashes of {HASH_SIZE} bytes.")
        self.size = size
        self._subtrees = [frontier[start : start + HASH_SIZE] for start in range(0, len(frontier), HASH_SIZE)]

    @property
    def frontier(self) -> bytes:
        """The subtree roots, largest subtree first: all that is needed to go on."""
        return b"".join(self._subtrees)

    def append(self, leaf: bytes) -> None:
        """Add one leaf *hash*. Two subtrees of equal size merge, as a carry does in a binary sum."""
        node = leaf
        carry = self.size
        while carry & 1:
            node = node_hash(self._subtrees.pop(), node)
            carry >>= 1
        self._subtrees.append(node)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """``MTH(D[n])``: the smaller subtrees are joined to the right of the larger ones."""
        if not self._subtrees:
            return EMPTY_ROOT
        node = self._subtrees[-1]
        for left in reversed(self._subtrees[:-1]):
            node = node_hash(left, node)
        return node
