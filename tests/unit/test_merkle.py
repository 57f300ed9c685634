"""The Merkle tree hash against its published vectors and against the RFC's own recursive definition."""

from hashlib import sha256

import pytest

from tracking.domain.ledger.merkle import EMPTY_ROOT, leaf_hash, node_hash, root

LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]

# The roots of the first 1 to 8 of these leaves, as published with the reference code of RFC 6962.
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize(("count", "expected"), list(enumerate(ROOTS, start=1)))
def test_the_published_roots(count: int, expected: str) -> None:
    assert root(LEAVES[:count]).hex() == expected


def test_a_tree_without_leaves_has_the_hash_of_nothing() -> None:
    assert root([]) == EMPTY_ROOT == sha256(b"").digest()


def _by_the_book(leaves: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + _by_the_book(leaves[:split]) + _by_the_book(leaves[split:])).digest()


@pytest.mark.parametrize("count", [9, 10, 15, 16, 17, 31, 100, 255, 1000])
def test_level_by_level_is_the_recursive_definition(count: int) -> None:
    leaves = [f"event {number}".encode() for number in range(count)]

    assert root(leaves) == _by_the_book(leaves)


def test_an_inner_node_cannot_be_passed_off_as_a_leaf() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")

    assert root([b"a", b"b"]) == node_hash(left, right)
    assert root([left + right]) != node_hash(left, right)


def test_order_counts() -> None:
    assert root([b"a", b"b"]) != root([b"b", b"a"])
