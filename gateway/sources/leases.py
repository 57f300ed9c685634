"""Which worker reads which partition: leases and positions, as a source sees them.

A worker owns a partition while it holds the lease at an epoch. Whoever takes it over raises the epoch, and a
commit at an older epoch finds no row: so taking over is safe at any moment, also from a worker that is only
paused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Struct

LEASE_S: Final = 3.0
"""How long a worker that says nothing keeps its partitions."""

RENEW_S: Final = 0.8
"""How often it says something. Together with the source's idle wait: taken over within 5 s of a death."""


class Held(Struct, frozen=True):
    """A partition that this worker owns, and where its recorded position stands.

    Attributes:
        epoch: raised by every takeover; part of the fence.
        sequence: the last stream sequence that is committed.
        through_us: broker time up to which everything is recorded; 0 when nothing ever was.
    """

    epoch: int
    sequence: int
    through_us: int


class Leases(Protocol):
    """The partitions of one worker. Calls block on the database; a source makes them from a thread."""

    @property
    def worker(self) -> str:
        """This worker's id."""
        ...

    def keep(self) -> Mapping[int, Held]:
        """Renew what this worker holds, take its fair share, and say what it owns now, with fresh
        positions."""
        ...

    def mark(self, epochs: Mapping[int, int], through_us: int) -> None:
        """Everything of these partitions up to this broker time is recorded."""
        ...

    def release(self) -> None:
        """Give everything back, so that others needn't wait for the lease to end."""
        ...
