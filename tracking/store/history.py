"""What a re-fold of one device's track reads and supersedes: snapshots and milestones by key.

The caller holds the device's row (``record.lock_states``), so no batch folds the same device meanwhile.
Observations come from ``observations.load_observations``; new milestones and snapshots go in through
``record``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from tracking.store.arrays import int8s
from tracking.store.database import Connection, queries
from tracking.store.observations import Key

SQL: Final = queries("history")


class Snapshot(NamedTuple):
    """The state of a track right after the observation with this key."""

    time: datetime
    run: int
    seq: int
    state: bytes

    @property
    def key(self) -> Key:
        return (self.time, self.run, self.seq)


class StoredMilestone(NamedTuple):
    """A milestone that holds now, and the key of the observation at which the fold knew it."""

    milestone_id: int
    time: datetime
    kind: str
    area: str | None
    detail: Mapping[str, Any]
    at_time: datetime
    at_run: int
    at_seq: int


def snapshot_before(conn: Connection, device_id: int, key: Key) -> Snapshot | None:
    """The newest snapshot before a key; None: the fold starts from the beginning."""
    found = _binary(conn, "snapshot_before", device_id, key)
    return Snapshot._make(found[0]) if found else None


def snapshots_from(conn: Connection, device_id: int, key: Key, *, limit: int = 100) -> list[Snapshot]:
    """The snapshots at a key and after it, oldest first."""
    return [Snapshot._make(row) for row in _binary(conn, "snapshots_from", device_id, key, limit=limit)]


def drop_snapshots_in_error(conn: Connection, device_id: int) -> None:
    """Forget states that stand at an observation which counts no longer: a fold would never meet them."""
    conn.execute(SQL["drop_snapshots_in_error"], {"device_id": device_id})


def milestones_between(conn: Connection, device_id: int, after: Key, upto: Key) -> list[StoredMilestone]:
    """The milestones that hold now and became known with after < key <= upto; those of passing time stand at
    the moment that had passed.
    """
    found = conn.execute(
        SQL["milestones_between"],
        {
            "device_id": device_id,
            "after_time": after[0], "after_run": after[1], "after_seq": after[2],
            "upto_time": upto[0], "upto_run": upto[1], "upto_seq": upto[2],
        },
    )  # fmt: skip
    return [StoredMilestone._make(row) for row in found]


def supersede_milestones(conn: Connection, milestone_ids: Sequence[int], *, at: datetime) -> None:
    """These hold no longer."""
    if milestone_ids:
        conn.execute(SQL["supersede_milestones"], {"milestone_ids": int8s(milestone_ids), "at": at})


def _binary(conn: Connection, query: str, device_id: int, key: Key, **more: Any) -> list[tuple[Any, ...]]:
    time, run, seq = key
    parameters = {"device_id": device_id, "time": time, "run": run, "seq": seq, **more}
    return conn.cursor(binary=True).execute(SQL[query], parameters).fetchall()
