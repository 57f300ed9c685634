"""Proofs of inclusion and consistency, for every tree and against everything that could be passed off."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.domain.ledger import proof
from tracking.domain.ledger.merkle import Frontier, leaf_hash, root_of_hashes

# The tree of 7 leaves in RFC 9162, section 2.1.5, has the proofs that the text names by letters.
LEAVES = [leaf_hash(bytes([number])) for number in range(7)]


def subtree(hashes: list[bytes]) -> Callable[[int, int], bytes]:
    return lambda begin, end: root_of_hashes(hashes[begin:end])


def test_the_rfc_s_example_tree() -> None:
    a, b, c, d, e, f, j = LEAVES
    pair = root_of_hashes
    g, h, i = pair([a, b]), pair([c, d]), pair([e, f])
    k, l, n = pair([a, b, c, d]), pair([e, f, j]), pair([a, b])  # noqa: E741 - the RFC's letters
    at = subtree(LEAVES)
    assert n == g
    assert proof.inclusion(0, 7, at) == [b, h, l]
    assert proof.inclusion(3, 7, at) == [c, g, l]
    assert proof.inclusion(4, 7, at) == [f, j, k]
    assert proof.inclusion(6, 7, at) == [i, k]
    assert proof.consistency(3, 7, at) == [c, d, g, l]
    assert proof.consistency(4, 7, at) == [l]
    assert proof.consistency(6, 7, at) == [i, j, k]


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_proof_for_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(IndexError):
        proof.inclusion(index, size, subtree(LEAVES))


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3)])
def test_no_proof_that_a_tree_shrank(old: int, new: int) -> None:
    with pytest.raises(IndexError):
        proof.consistency(old, new, subtree(LEAVES))


sizes = st.integers(1, 300)


@given(sizes, st.data())
def test_a_leaf_is_proved_where_it_is_and_nowhere_else(size: int, data: st.DataObject) -> None:
    hashes = [leaf_hash(number.to_bytes(2)) for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    path, root = proof.inclusion(index, size, subtree(hashes)), root_of_hashes(hashes)
    assert proof.includes(hashes[index], index, size, path, root)
    other = data.draw(st.integers(0, size + 1))
    if other != index:
        assert not proof.includes(hashes[index], other, size, path, root)
    assert not proof.includes(leaf_hash(b"other"), index, size, path, root)
    assert not proof.includes(hashes[index], index, size, [*path, bytes(32)], root)
    if path:
        assert not proof.includes(hashes[index], index, size, path[:-1], root)
        assert not proof.includes(hashes[index], index, size, [*path[:-1], bytes(32)], root)


@given(sizes, st.data())
def test_an_extension_is_proved_and_a_changed_past_is_not(size: int, data: st.DataObject) -> None:
    hashes = [leaf_hash(number.to_bytes(2)) for number in range(size)]
    old = data.draw(st.integers(1, size))
    shown = proof.consistency(old, size, subtree(hashes))
    before, after = root_of_hashes(hashes[:old]), root_of_hashes(hashes)
    assert proof.extends(old, before, size, after, shown)
    changed = list(hashes)
    changed[data.draw(st.integers(0, old - 1))] = leaf_hash(b"changed")
    assert not proof.extends(old, before, size, root_of_hashes(changed), shown)
    assert not proof.extends(
        old, before, size, root_of_hashes(changed), proof.consistency(old, size, subtree(changed))
    )
    assert not proof.extends(old, before, size, after, [*shown, bytes(32)])
    if shown:
        assert not proof.extends(old, before, size, after, shown[:-1])


@given(sizes, st.data())
def test_appending_to_the_frontier_is_the_whole_tree(size: int, data: st.DataObject) -> None:
    hashes = [leaf_hash(number.to_bytes(2)) for number in range(size)]
    tree, cut = Frontier(), data.draw(st.integers(0, size))
    for count, hashed in enumerate(hashes):
        if count == cut:
            tree = Frontier(tree.size, tree.nodes)
        for node in tree.append(hashed):
            begin = node.position << node.level
            assert node.hash == root_of_hashes(hashes[begin : begin + (1 << node.level)])
    assert (tree.size, tree.root()) == (size, root_of_hashes(hashes))


def test_a_frontier_has_as_many_nodes_as_its_size_has_ones() -> None:
    with pytest.raises(ValueError, match="frontier of 3"):
        Frontier(3, [bytes(32)])
