"""Who reads which partition, as the database says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from tracking.store.database import Connection

PARTITIONS = 16

OWNERS = """
select partition, owner from source_positions where source = 'jetstream' and leased_until > clock_timestamp()
"""


def shares(conn: Connection) -> Counter[int]:
    """How many partitions each worker's process reads, by pid."""
    found: Counter[int] = Counter()
    for _, owner in conn.execute(OWNERS):
        if owner is not None:
            found[pid_of(owner)] += 1
    return found


def settled(conn: Connection, alive: Collection[int], *, without: int | None = None) -> bool:
    """Whether processes that live read every partition, and ``without`` none."""
    found = shares(conn)
    return sum(found.values()) == PARTITIONS and set(found) <= set(alive) and without not in found


def pid_of(worker: str) -> int:
    """A worker's id is ``name@host:pid:token``."""
    return int(worker.split(":")[-2])
