"""The Merkle tree hash over a list of leaves, as a transparency log computes it.

A leaf is hashed behind a zero byte and an inner node behind a one, so that a leaf can never be passed off as
a node. A tree of n leaves is split at the largest power of two smaller than n. The same tree serves a batch
(its leaves are the raw bytes of its events, ``observations.leaf`` is the index) and the log above it.

Source: RFC 9162, section 2.1.1 (definition of the Merkle tree). The tests use the vectors published with the
reference implementation of RFC 6962, whose tree is the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

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

    Level by level from below: pairs are hashed together and an odd last one moves up unchanged, which gives
    the same tree as the RFC's recursive split at the largest power of two.

    Returns:
        32 bytes; ``EMPTY_ROOT`` when there is no leaf.
    """
    hash_bytes = sha256
    level = [hash_bytes(b"\x00" + leaf).digest() for leaf in leaves]
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        odd = level[-1] if len(level) % 2 else None
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [hash_bytes(b"\x01" + left + right).digest() for left, right in pairs]
        if odd is not None:
            level.append(odd)
    return level[0]
