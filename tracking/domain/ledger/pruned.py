"""A batch's Merkle tree of which some leaves are gone: its root and its paths from what is left.

Of what is dropped, the hashes of the largest subtrees stay that are gone whole. A batch that is gone
altogether is one hash, its root; one event that stays in a batch of a thousand costs ten.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from tracking.domain.ledger.merkle import node_hash
from tracking.domain.ledger.proof import split


class Gone(NamedTuple):
    """A subtree without its leaves: those from ``begins`` to ``ends - 1``."""

    begins: int
    ends: int
    hash: bytes


class Missing(LookupError):
    """A leaf is neither there nor among what is known to be gone. ``leaf`` is its index."""

    def __init__(self, leaf: int) -> None:
        super().__init__(f"leaf {leaf} is missing")
        self.leaf = leaf


class PrunedTree:
    """The tree of a batch.

    Args:
        size: leaves that it had.
        hashes: the leaf hashes that are left, by index.
        gone: what was dropped.

    Attributes:
        size: leaves that it had.
    """

    def __init__(self, size: int, hashes: Mapping[int, bytes], gone: Collection[Gone] = ()) -> None:
        self.size = size
        self._hashes = hashes
        self._gone = {(one.begins, one.ends): one.hash for one in gone}

    def root(self) -> bytes:
        """The root.

        Raises:
            Missing: a leaf is unaccounted for.
        """
        return self.subtree(0, self.size)

    def subtree(self, begin: int, end: int) -> bytes:
        """The hash over the leaves ``begin`` to ``end - 1``, as a proof asks for it.

        Raises:
            Missing: a leaf is unaccounted for.
        """
        known = self._gone.get((begin, end))
        if known is not None:
            return known
        if end - begin == 1:
            if begin not in self._hashes:
                raise Missing(begin)
            return self._hashes[begin]
        middle = begin + split(end - begin)
        return node_hash(self.subtree(begin, middle), self.subtree(middle, end))

    def without(self, leaves: Collection[int]) -> list[Gone]:
        """What is gone when these leaves go, too: the largest subtrees, in order.

        Raises:
            Missing: a leaf is unaccounted for, so that nothing may be dropped on top.
        """
        going = [0] * self.size
        for leaf in leaves:
            going[leaf] = 1
        for begins, ends in self._gone:
            going[begins:ends] = [1] * (ends - begins)
        upto = [0, *accumulate(going)]
        found: list[Gone] = []
        self._collect(0, self.size, upto, found)
        return found

    def _collect(self, begin: int, end: int, upto: Sequence[int], found: list[Gone]) -> None:
        count = upto[end] - upto[begin]
        if count == end - begin:
            found.append(Gone(begin, end, self.subtree(begin, end)))
        elif count:
            middle = begin + split(end - begin)
            self._collect(begin, middle, upto, found)
            self._collect(middle, end, upto, found)
