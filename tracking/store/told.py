"""What devices say of things: gates, scans, seals and handovers, found by the things that they name.

A row of ``mentions`` names an observation and a thing, and nothing of what was said: that stands in the
observation's own bytes. So the rows can be made again from the bytes, and ``bondwatch verify`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from devices.identifiers import Thing
from tracking.store import things
from tracking.store.arrays import bools, int2s, int4s, int8s, texts, timestamps
from tracking.store.database import Connection, queries
from tracking.store.kinds import KIND_NUMBERS

SQL: Final = queries("told")

URGENT: Final = KIND_NUMBERS["gate"]
"""A truck stands at the barrier: who it concerns is judged before anything else."""


class MentionRow(NamedTuple):
    """A thing that an observation names, for the record.

    Attributes:
        kind: number of the observation's kind.
        thing: None where it names nothing; then only its device's attachment tells what it is about.
        is_parent: a scan names the thing only as what another one went into or came out of.
        is_move: the thing goes into or out of another by this very observation.
    """

    device_id: int
    run: int
    seq: int
    time_us: int
    kind: int
    thing: Thing | None
    is_parent: bool = False
    is_move: bool = False


def add_mentions(conn: Connection, rows: Sequence[MentionRow]) -> None:
    """Record what new observations name, the things themselves, and the work that follows."""
    if not rows:
        return
    things.add_things(conn, [row.thing for row in rows if row.thing is not None])
    device_ids, runs, seqs, times, kinds, named, are_parents, are_moves = zip(*rows, strict=True)
    conn.execute(
        SQL["add_mentions"],
        (
            int8s(device_ids),
            int4s(runs),
            int8s(seqs),
            timestamps(times),
            int2s(kinds),
            texts([None if thing is None else thing.uri for thing in named]),
            bools(are_parents),
            bools(are_moves),
            URGENT,
        ),
    )
