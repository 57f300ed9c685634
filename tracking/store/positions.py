"""Where each partition of a source stands, who reads it, and how far the record reaches: leases, fence,
watermark.

A worker holds a partition by a lease of a few seconds. Every change of owner raises the partition's epoch,
and a batch moves its positions only at the epoch at which it was read: whoever was paused past its lease and
wakes up finds that its batch is fenced.

Leases are the one place where SQL reads the database's clock: they are about how long ago a worker spoke to
this database, and no fact of the record comes from them. The workers' own clocks are never compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from devices.observation import micros, moment
from tracking.domain.errors import Fenced
from tracking.store.arrays import int4s, int8s
from tracking.store.database import Connection, Cursor, queries

SQL: Final = queries("positions")

PARTITIONS: Final = 16
LEASE_S: Final = 3.0
"""With a renewal a second, a dead worker's partitions are with others in less than five seconds."""


class Held(NamedTuple):
    """A partition that a worker holds.

    Attributes:
        epoch: raised at each change of owner.
        sequence: the last sequence that is committed; 0 before the first.
        through_us: broker time up to which everything is recorded; 0 when unknown.
    """

    epoch: int
    sequence: int
    through_us: int


class Step(NamedTuple):
    """A batch's move along one partition."""

    partition: int
    old: int
    new: int
    epoch: int


def keep(
    conn: Connection, source: str, worker: str, *, partitions: int = PARTITIONS, lease_s: float = LEASE_S
) -> dict[int, Held]:
    """Say that the worker lives, renew what it holds, and settle at its fair share of the partitions.

    Call it about once a second on a connection of its own. It never waits for a batch: rows that one is
    moving are passed over, and their lease is renewed by the move itself. A partition given up for a
    newcomer leaves its batch in flight fenced, which is read again by the new owner.

    Args:
        worker: unique for each start of a process, never reused.

    Returns:
        What the worker holds now, by partition.
    """
    who = {"source": source, "worker": worker, "lease_s": lease_s}
    with conn.transaction(), conn.cursor() as cur:
        cur.execute(SQL["make_partitions"], {"source": source, "partitions": partitions})
        cur.execute(SQL["take_up"], who)
        cur.execute(SQL["say_alive"], who)
        cur.execute(SQL["forget_dead"], who)
        cur.execute(SQL["renew"], who)
        cur.execute(SQL["fair_share"], who | {"partitions": partitions})
        row = cur.fetchone()
        assert row is not None  # an aggregate always has a row
        share, held = row
        if held > share:
            cur.execute(SQL["give_up"], who | {"count": held - share})
        elif held < share:
            cur.execute(SQL["claim"], who | {"count": share - held})
        cur.execute(SQL["held"], who)
        return {
            partition: Held(epoch, sequence, micros(through_at) if through_at else 0)
            for partition, epoch, sequence, through_at in cur
        }


def advance(
    cur: Cursor, source: str, worker: str, steps: Sequence[Step], *, through_us: int, lease_s: float = LEASE_S
) -> None:
    """Move positions within the batch's transaction: all of them, or none.

    Args:
        through_us: broker time up to which this and earlier batches hold everything; 0 leaves it as it is.

    Raises:
        Fenced: a partition has another owner, epoch or position; roll back and drop everything held of it.
    """
    if not steps:
        return
    partitions, old, new, epochs = zip(*steps, strict=True)
    cur.execute(
        SQL["advance"],
        {
            "source": source, "worker": worker, "lease_s": lease_s, "through": _through(through_us),
            "partitions": int4s(partitions), "old": int8s(old), "new": int8s(new), "epochs": int8s(epochs),
        },
    )  # fmt: skip
    moved = {partition for (partition,) in cur}
    lost = sorted(set(partitions) - moved)
    if lost:
        raise Fenced(f"{source}: partitions {lost} are no longer with {worker} at these positions and epochs")


def mark_through(
    conn: Connection, source: str, worker: str, epochs: Mapping[int, int], through_us: int
) -> None:
    """An idle source says that everything up to this broker time is recorded.

    Partitions that are lost, or that a batch is moving now, are passed over.
    """
    if epochs:
        conn.execute(
            SQL["mark_through"],
            {
                "source": source, "worker": worker, "through": moment(through_us),
                "partitions": int4s(list(epochs)), "epochs": int8s(list(epochs.values())),
            },
        )  # fmt: skip


def release(conn: Connection, source: str, worker: str) -> None:
    """Give everything back on an orderly stop, so that others needn't wait for the leases to end."""
    with conn.transaction():
        conn.execute(SQL["release"], {"source": source, "worker": worker})
        conn.execute(SQL["say_dead"], {"source": source, "worker": worker})


def watermark(conn: Connection, source: str | None = None) -> datetime | None:
    """The broker time up to which everything is recorded: the smallest of all partitions and sessions.

    Args:
        source: ``jetstream`` or ``mqtt``; None: every one that isn't retired.

    Returns:
        None while some partition has never been read to its end: nothing may come due.
    """
    row = conn.execute(SQL["watermark"], {"source": source}).fetchone()
    return row[0] if row else None


def retire_others(conn: Connection, source: str) -> list[str]:
    """Retire every source but this one that no living worker reads: it holds the watermark back no longer.

    What it knows stays. Whoever leases something of it takes it up again, with ``keep`` or as a session.

    Returns:
        The sources that are retired by this call.
    """
    return [retired for (retired,) in conn.execute(SQL["retire_others"], {"source": source})]


def replay_source(recording_id: str) -> str:
    """The name under which a recording stands among the sources."""
    return f"replay {recording_id}"


def begin_replay(conn: Connection, source: str, first_us: int) -> bool:
    """Give a recording its position, before its first message. Within a transaction.

    Time stands at the recording's beginning from now on, and passes with it. Recordings that were played
    earlier no longer hold it back.

    Returns:
        False when it has one already: it was begun before.
    """
    row = {"source": source, "through": moment(first_us)}
    begun = conn.execute(SQL["begin_at"], row).fetchone() is not None
    conn.execute(SQL["retire_ended_replays"], row)
    _stand_aside(conn, source)
    return begun


def keep_replay(conn: Connection, source: str, worker: str) -> Held | None:
    """Say that whoever plays a recording lives; None: another one plays it."""
    with conn.transaction():
        held = keep(conn, source, worker, partitions=1).get(0)
        _stand_aside(conn, source)
    return held


def _stand_aside(conn: Connection, source: str) -> None:
    """Into a record that has grown by a broker, a recording comes as late data do: it doesn't hold time
    back.
    """
    other = conn.execute(SQL["has_other_record"]).fetchone()
    if other is not None and other[0]:
        conn.execute(SQL["retire"], {"source": source})


def _through(through_us: int) -> datetime | None:
    return moment(through_us) if through_us else None
