"""Proofs about the log: a leaf is in it, and a later state of it is an extension of an earlier one.

Making one asks for the hashes of some subtrees, through a function ``subtree(begin, end)`` that gives the
Merkle tree hash over the leaves ``begin`` to ``end - 1``. Checking one needs nothing but the proof, two roots
or a root and a leaf's hash, so that a stranger can do it with any implementation.

Source: RFC 9162, sections 2.1.3 (inclusion) and 2.1.4 (consistency).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tracking.domain.ledger.merkle import node_hash

Subtree: TypeAlias = Callable[[int, int], bytes]


def split(size: int) -> int:
    """The largest power of two smaller than ``size``: where a tree of two leaves or more is split."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """The audit path of a leaf in the tree of the first ``size`` leaves, from the leaf upwards.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise IndexError(f"no leaf {index} among {size}")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + split(end - begin)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(begin, middle))
            begin = middle
    return path[::-1]


def consistency(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """Why the tree of the first ``new`` leaves extends the tree of the first ``old`` ones.

    Raises:
        IndexError: unless 0 < old <= new.
    """
    if not 0 < old <= new:
        raise IndexError(f"{new} leaves do not extend {old}")
    proof: list[bytes] = []
    begin, end, is_whole = 0, new, True
    while old != end:
        middle = begin + split(end - begin)
        if old <= middle:
            proof.append(subtree(middle, end))
            end = middle
        else:
            proof.append(subtree(begin, middle))
            begin, is_whole = middle, False
    if not is_whole:
        proof.append(subtree(begin, end))
    return proof[::-1]


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a path proves that the leaf with this hash stands at ``index`` below this root."""
    if not 0 <= index < size:
        return False
    place, last, node = index, size - 1, leaf
    for other in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = node_hash(other, node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = node_hash(node, other)
        place, last = place >> 1, last >> 1
    return last == 0 and node == root


def extends(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that the tree with the new root begins with the whole tree of the old one."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    given = list(proof)
    if old & (old - 1) == 0:
        given.insert(0, old_root)
    if not given:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = given[0]
    for other in given[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(other, first), node_hash(other, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, other)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root
