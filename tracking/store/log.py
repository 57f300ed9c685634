"""The log's rows: what has no leaf yet, the leaves, the signed heads, and the subtrees for proofs.

``queries/leaves.sql`` says what each kind of leaf stands for. A leaf's hash is over the canonical JSON of its
row, so whoever has the row can compute it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg.rows import dict_row

from devices.canonical import canonical
from tracking.domain.ledger import merkle
from tracking.domain.ledger.checkpoint import Checkpoint
from tracking.domain.ledger.merkle import Node
from tracking.domain.ledger.proof import split
from tracking.store.arrays import byteas, int2s, int8s, texts
from tracking.store.database import Connection, queries

SQL: Final = queries("log")
LEAVES: Final = queries("leaves")

KINDS: Final = tuple(LEAVES)
"""In the order in which the leaves of one round follow on each other."""

NODE_LEVELS: Final = 8
"""Full subtrees are kept at every eighth level."""

_WAITING: Final = (
    b" where s.key > %(after)s and not exists"
    b" (select from log l where l.kind = %(kind)s and l.key = s.key) order by s.key limit %(limit)s"
)
_BESIDE: Final = (
    b" full join (select key, index as log_index, leaf_hash from log where kind = %(kind)s) l using (key)"
    b" order by key"
)


class Entry(NamedTuple):
    """A leaf of the log; ``place`` is its index."""

    place: int
    kind: str
    key: int
    leaf_hash: bytes


class Key(NamedTuple):
    """A key that signs, or signed, checkpoints."""

    key_id: str
    public_key: bytes
    valid_from: datetime
    valid_to: datetime | None


class Beside(NamedTuple):
    """A row (None: it is gone) beside its leaf (None: it has none yet)."""

    key: int
    leaf: bytes | None
    place: int | None
    leaf_hash: bytes | None


def leaf(kind: str, row: Mapping[str, Any]) -> bytes:
    """What is hashed for a row."""
    return canonical({"leaf": kind, **row})


def waiting(conn: Connection, kind: str, *, after: int, limit: int) -> list[tuple[int, bytes]]:
    """(key, leaf hash) of committed rows that have no leaf yet, by their keys."""
    query = b"select s.* from (" + LEAVES[kind] + b") s" + _WAITING
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(query, {"kind": kind, "after": after, "limit": limit})
        return [(row["key"], merkle.leaf_hash(leaf(kind, row))) for row in found]


def beside(conn: Connection, kind: str, *, page: int = 5000) -> Iterator[Beside]:
    """Every row of a kind beside its leaf, by key. Within a transaction."""
    query = b"select * from (" + LEAVES[kind] + b") s" + _BESIDE
    with conn.cursor(name=f"beside_{kind}", row_factory=dict_row) as cursor:
        cursor.itersize = page
        cursor.execute(query, {"kind": kind})
        columns = [column.name for column in cursor.description or ()]
        required = next(name for name in columns if name not in {"key", "log_index", "leaf_hash"})
        for row in cursor:
            index, hashed = row.pop("log_index"), row.pop("leaf_hash")
            yield Beside(row["key"], None if row[required] is None else leaf(kind, row), index, hashed)


def number_findings(conn: Connection, after: int) -> None:
    """Give each version of a finding that has none the next number in its shipment's ledger."""
    conn.execute(SQL["number_findings"], {"after": after})


def append(conn: Connection, first: int, leaves: Sequence[tuple[str, int, bytes]]) -> None:
    """Put (kind, key, leaf hash) at the end of the log, whose next index is ``first``."""
    conn.execute(
        SQL["append"],
        {
            "first": first,
            "kinds": texts([kind for kind, _, _ in leaves]),
            "keys": int8s([key for _, key, _ in leaves]),
            "hashes": byteas([hashed for _, _, hashed in leaves]),
        },
    )


def add_nodes(conn: Connection, nodes: Sequence[Node]) -> None:
    """Keep full subtrees of every eighth level; others are left out."""
    kept = [node for node in nodes if node.level % NODE_LEVELS == 0]
    if kept:
        conn.execute(
            SQL["add_nodes"],
            {
                "levels": int2s([node.level for node in kept]),
                "positions": int8s([node.position for node in kept]),
                "hashes": byteas([node.hash for node in kept]),
            },
        )


def frontier(conn: Connection) -> merkle.Frontier:
    """The right edge of the tree as of the newest checkpoint."""
    row = conn.execute(SQL["newest_head"]).fetchone()
    return merkle.Frontier() if row is None else merkle.Frontier(row[0], row[1])


def add_checkpoint(conn: Connection, checkpoint: Checkpoint, nodes: Sequence[bytes]) -> None:
    """Keep a signed head with the frontier of its tree."""
    conn.execute(
        SQL["add_checkpoint"],
        {
            "size": checkpoint.size,
            "root": checkpoint.root,
            "made_at": checkpoint.made_at,
            "key_id": checkpoint.key_id,
            "signature": checkpoint.signature,
            "frontier": list(nodes),
        },
    )


def use_key(conn: Connection, key_id: str, public_key: bytes, at: datetime) -> None:
    """Let this key sign from now on; another one that did ends.

    Raises:
        ValueError: this one has ended; a key that was replaced never signs again.
    """
    if any(key.key_id == key_id and key.valid_to is not None for key in keys(conn)):
        raise ValueError(f"the log's key {key_id} has ended; another one has signed since")
    conn.execute(SQL["end_other_keys"], {"key_id": key_id, "at": at})
    conn.execute(SQL["add_key"], {"key_id": key_id, "public_key": public_key, "at": at})


def keys(conn: Connection) -> list[Key]:
    """Every key that ever signed, oldest first."""
    return [Key(*row) for row in conn.execute(SQL["keys"])]


def checkpoints(conn: Connection, *, below: int | None = None, limit: int = 50) -> list[Checkpoint]:
    """Signed heads, newest first, of trees smaller than ``below``."""
    return [Checkpoint(*row) for row in conn.execute(SQL["checkpoints"], {"below": below, "limit": limit})]


def entry(conn: Connection, index: int) -> Entry | None:
    """The leaf at a place of the log."""
    row = conn.execute(SQL["entry"], {"index": index}).fetchone()
    return None if row is None else Entry(*row)


def entry_of(conn: Connection, kind: str, key: int) -> Entry | None:
    """The leaf that stands for a row."""
    row = conn.execute(SQL["entry_of"], {"kind": kind, "key": key}).fetchone()
    return None if row is None else Entry(*row)


def horizon(conn: Connection) -> int:
    """Every transaction with a lower number has ended."""
    return _number(conn, "horizon")


def newest_transaction(conn: Connection) -> int:
    """No transaction with this number or a higher one had begun to write."""
    return _number(conn, "newest_transaction")


def subtree(conn: Connection, begin: int, end: int) -> bytes:
    """The Merkle tree hash over the leaves ``begin`` to ``end - 1``, which a proof asks for.

    Reads at most 256 hashes for each full subtree that the range is made of.
    """
    size = end - begin
    if size & (size - 1):
        middle = begin + split(size)
        return merkle.node_hash(subtree(conn, begin, middle), subtree(conn, middle, end))
    level = (size.bit_length() - 1) // NODE_LEVELS * NODE_LEVELS
    query = "nodes" if level else "hashes"
    parameters = {"level": level, "begin": begin >> level, "end": end >> level}
    return merkle.root_of_hashes([hashed for (hashed,) in conn.execute(SQL[query], parameters)])


def _number(conn: Connection, query: str) -> int:
    row = conn.execute(SQL[query]).fetchone()
    assert row is not None
    return int(row[0])
