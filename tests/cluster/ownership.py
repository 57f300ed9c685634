"""Who reads which partition, as the database says."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Collection
from typing import TypeVar

import psycopg

from tracking.store.database import Connection, connect

Answer = TypeVar("Answer")

PARTITIONS = 16

OWNERS = """
select partition, owner from source_positions where source = 'jetstream' and leased_until > clock_timestamp()
"""


class Watch:
    """A connection that outlives the database's deaths."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._conn: Connection | None = None

    def ask(self, question: Callable[[Connection], Answer], otherwise: Answer) -> Answer:
        """The answer; ``otherwise`` while the database is away."""
        try:
            self._conn = self._conn or connect(self._dsn, application="bondwatch-cluster-test")
            return question(self._conn)
        except psycopg.OperationalError:
            self.close()
            return otherwise

    def close(self) -> None:
        if self._conn is not None:
            with contextlib.suppress(psycopg.Error):
                self._conn.close()
        self._conn = None


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
