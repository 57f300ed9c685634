"""Whatever is dropped from a batch, its root and the paths of what stays are those of before."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.domain.ledger import merkle, proof
from tracking.domain.ledger.pruned import Gone, Missing, PrunedTree


@settings(deadline=None)
@given(st.data(), st.integers(1, 70))
def test_roots_and_paths_survive_what_is_dropped(data: st.DataObject, size: int) -> None:
    leaves = [merkle.leaf_hash(b"%d" % n) for n in range(size)]
    root = merkle.root_of_hashes(leaves)
    left, gone = dict(enumerate(leaves)), list[Gone]()
    for _ in range(data.draw(st.integers(1, 3))):
        going = data.draw(st.sets(st.sampled_from(sorted(left)))) if left else set()
        gone = PrunedTree(size, left, gone).without(going)
        left = {leaf: hashed for leaf, hashed in left.items() if leaf not in going}
        tree = PrunedTree(size, left, gone)
        assert tree.root() == root
        assert sum(one.ends - one.begins for one in gone) + len(left) == size
        for leaf, hashed in left.items():
            path = proof.inclusion(leaf, size, tree.subtree)
            assert proof.includes(hashed, leaf, size, path, root)
    if not left:
        assert gone == [Gone(0, size, root)]


@settings(deadline=None)
@given(st.integers(1, 40), st.data())
def test_what_is_missing_without_having_been_dropped_is_named(size: int, data: st.DataObject) -> None:
    leaves = {n: merkle.leaf_hash(b"%d" % n) for n in range(size)}
    lost = data.draw(st.integers(0, size - 1))
    del leaves[lost]
    with pytest.raises(Missing) as missing:
        PrunedTree(size, leaves).root()
    assert missing.value.leaf == lost
