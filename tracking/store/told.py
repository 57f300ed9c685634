"""What devices say of things: gates, scans, seals and handovers, found by the things that they name.

A row of ``mentions`` names an observation and a thing, and nothing of what was said: that stands in the
observation's own bytes. So the rows can be made again from the bytes, and ``bondwatch verify`` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from devices.identifiers import Thing
from tracking.domain.custody.facts import Reused
from tracking.store import things
from tracking.store.arrays import bools, int2s, int4s, int8s, moments, texts, timestamps
from tracking.store.carrying import Carrying
from tracking.store.database import Connection, queries
from tracking.store.kinds import KIND_NUMBERS
from tracking.store.record import NUMBERS_REACH

SQL: Final = queries("told")

URGENT: Final = KIND_NUMBERS["gate"]
"""A truck stands at the barrier: who it concerns is judged before anything else."""


BY_CARRIAGE: Final = tuple(KIND_NUMBERS[kind] for kind in ("scan", "seal", "handover"))
"""What a device that is itself on the goods says counts for them, whatever it names."""


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


class ToldRow(NamedTuple):
    """An observation that concerns an owner's things; ``body`` decodes to it."""

    owner: int
    device_id: int
    device: str
    device_kind: str
    dialect: str
    datum: str
    event_time: datetime
    run: int
    seq: int
    body: bytes


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


def told_of(
    conn: Connection, carrying: Mapping[int, Carrying], papers: Sequence[tuple[int, int]]
) -> list[ToldRow]:
    """What was said of owners' things and of what carried them, each observation once an owner, in order.

    Args:
        conn: within the judging's transaction.
        carrying: what they were and what carried them, by owner.
        papers: (owner, entry) of documents: what was said of the passes among them, and what they are about.
    """
    parts = [(owner, *part) for owner, found in carrying.items() for part in found.parts]
    parameters = _by_carriage(carrying) | {
        "owners": int8s([owner for owner, _, _ in parts]),
        "thing_ids": int8s([thing_id for _, thing_id, _ in parts]),
        "begins": moments([part.begins for _, _, part in parts]),
        "ends": moments([part.ends for _, _, part in parts]),
        "goods": bools([part.is_goods for _, _, part in parts]),
        "kinds": list(BY_CARRIAGE),
        "paper_owners": [owner for owner, _ in papers],
        "entries": [entry for _, entry in papers],
    }
    with conn.cursor(binary=True) as cursor:
        return [ToldRow(*row) for row in cursor.execute(SQL["told_of"], parameters)]


def scans_of(conn: Connection, thing_id: int, *, limit: int) -> list[ToldRow]:
    """The newest scans of a thing itself, newest first; the thing is their owner."""
    parameters = {"thing_id": thing_id, "kind": KIND_NUMBERS["scan"], "limit": limit}
    return [ToldRow(*row) for row in conn.execute(SQL["scans_of"], parameters, binary=True)]


def reused(
    conn: Connection, carrying: Mapping[int, Carrying], told: Sequence[ToldRow]
) -> dict[int, tuple[Reused, ...]]:
    """The numbers of the devices on owners' goods, and of what was told, that came again with another
    content, by owner.
    """
    parameters = _by_carriage(carrying) | {
        "owners": int8s([row.owner for row in told]),
        "told_ids": int8s([row.device_id for row in told]),
        "runs": int4s([row.run for row in told]),
        "seqs": int8s([row.seq for row in told]),
        "reach": NUMBERS_REACH,
    }
    found: dict[int, list[Reused]] = {}
    for owner, *row in conn.execute(SQL["reused"], parameters):
        found.setdefault(owner, []).append(Reused(*row))
    return {owner: tuple(rows) for owner, rows in found.items()}


def _by_carriage(carrying: Mapping[int, Carrying]) -> dict[str, Any]:
    carriers = [(owner, one) for owner, found in carrying.items() for one in found.carriers]
    return {
        "by_owners": [owner for owner, _ in carriers],
        "device_ids": [one.device_id for _, one in carriers],
        "by_begins": [one.begins for _, one in carriers],
        "by_ends": [one.ends for _, one in carriers],
    }
