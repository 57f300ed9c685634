"""The Merkle tree hash over a list of leaves, as a transparency log computes it.

A leaf is hashed behind a zero byte and an inner node behind a one, so that a leaf can never be passed off as
a node. A tree of n leaves is split at the largest power of two smaller than n. The same tree serves a batch
(its leaves are the raw bytes of its events, ``observations.leaf`` is the index) and the log above it.

Source: RFC 9162, section 2.1.1 (definition of the Merkle tree). The tests use the vectors published with the
reference implementation of RFC 6962, whose tree is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(leaf: bytes) -> bytes:
    """The 32-byte hash of one leaf's bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32-byte hash of an inner node, from the hashes of its two children."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The Merkle tree hash over the leaves' bytes, in order.

    Returns:
        32 bytes; ``EMPTY_ROOT`` when there is no leaf.
    """
    hash_bytes = sha256
    return root_of_hashes([hash_bytes(b"\x00" + leaf).digest() for leaf in leaves])


def root_of_hashes(hashes: Sequence[bytes]) -> bytes:
    """The Merkle tree hash over leaves that are hashed already.

    Level by level from below: pairs are hashed together and an odd last one moves up unchanged, which gives
    the same tree as the RFC's recursive split at the largest power of two.
    """
    hash_bytes = sha256
    level = hashes
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        odd = level[-1] if len(level) % 2 else None
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [hash_bytes(b"\x01" + left + right).digest() for left, right in pairs]
        if odd is not None:
            level.append(odd)
    return level[0]


class Node(NamedTuple):
    """A full subtree: the ``position``-th of its level, over 2 to the ``level`` leaves."""

    level: int
    position: int
    hash: bytes


class Frontier:
    """The right edge of a tree: all that is needed to append to it, and to know its root.

    It holds the roots of the full subtrees that the tree is made of, largest first: one for each one in the
    binary form of its size.

    Args:
        size: leaves so far.
        nodes: what ``nodes`` said of them.
    """

    def __init__(self, size: int = 0, nodes: Sequence[bytes] = ()) -> None:
        if len(nodes) != size.bit_count():
            raise ValueError(f"{len(nodes)} nodes can't be the frontier of {size} leaves")
        self.size = size
        self.nodes = list(nodes)

    def append(self, hashed: bytes) -> list[Node]:
        """Put a leaf's hash at the end; returns the full subtrees above it that this completes."""
        completed = []
        node, level = hashed, 0
        while self.size >> level & 1:
            node = node_hash(self.nodes.pop(), node)
            level += 1
            completed.append(Node(level, self.size >> level, node))
        self.nodes.append(node)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self.nodes:
            return EMPTY_ROOT
        *others, node = self.nodes
        for left in reversed(others):
            node = node_hash(left, node)
        return node
