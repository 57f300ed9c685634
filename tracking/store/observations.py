"""Observations and readings: the hot insert, the slow path for old arrivals, and reading back in key order.

The plain insert has no ``on conflict``: duplicates are known before, from the device's committed ranges, and
a key that is there all the same is a bug that must stop the batch. Columns are filled as Python lists (None
is null) and travel as binary arrays; ``select unnest(..), unnest(..)`` streams them in lockstep into the
table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import compress
from typing import Final, NamedTuple, Self, TypeAlias

import numpy as np

from devices.observation import Observation, Position, measured
from tracking.store.arrays import byteas, float4s, float8s, int2s, int4s, int8s, texts, timestamps
from tracking.store.database import Connection, Cursor, queries
from tracking.store.kinds import FACT_NUMBERS

SQL: Final = queries("observations")
Key: TypeAlias = tuple[datetime, int, int]
"""(event_time, run, seq): the total order of one device's observations."""

BEGINNING: Final[Key] = (datetime(1, 1, 1, tzinfo=UTC), -1, -1)
END: Final[Key] = (datetime(9999, 12, 31, tzinfo=UTC), 2**31 - 1, 2**63 - 1)
CHUNK_US: Final = 7 * 86_400 * 1_000_000


class _Columns:
    """Parallel lists of the same length, one a column."""

    __slots__: tuple[str, ...] = ()
    time_us: list[int]

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, [])

    def __len__(self) -> int:
        return len(self.time_us)

    def check(self) -> None:
        """Raise ValueError unless all columns have the same length: a short one would be filled up with
        nulls.
        """
        lengths = {name: len(getattr(self, name)) for name in self.__slots__}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of different lengths: {lengths}")

    def where(self, keep: Sequence[bool]) -> Self:
        """A copy with only the rows for which ``keep`` is true."""
        chosen = type(self)()
        for name in self.__slots__:
            setattr(chosen, name, list(compress(getattr(self, name), keep)))
        return chosen

    def split(self, before_us: int) -> tuple[Self, Self]:
        """Rows older than ``before_us``, and the rest (self, untouched, when none is older)."""
        if not self.time_us or min(self.time_us) >= before_us:
            return type(self)(), self
        late = [time < before_us for time in self.time_us]
        return self.where(late), self.where([not is_late for is_late in late])


class ObservationColumns(_Columns):
    """Observations to insert. ``add`` takes one; code that has columns already may extend the lists
    itself.
    """

    __slots__ = (
        "accuracy_m", "body", "device_id", "heading_deg", "kind", "lat", "leaf", "lon", "received_us", "run",
        "seq", "speed_mps", "thing", "time_us",
    )  # fmt: skip
    device_id: list[int]
    time_us: list[int]
    run: list[int]
    seq: list[int]
    kind: list[int]
    received_us: list[int]
    lon: list[float | None]
    lat: list[float | None]
    accuracy_m: list[float | None]
    speed_mps: list[float | None]
    heading_deg: list[float | None]
    thing: list[str | None]
    body: list[bytes]
    leaf: list[int]

    def add(
        self, device_id: int, received_us: int, leaf: int, observation: Observation, thing: str | None = None
    ) -> None:
        """Append one observation.

        Args:
            device_id: whose it is.
            received_us: when the broker had it.
            leaf: its place in the batch's Merkle tree.
            observation: decoded; positions in WGS-84.
            thing: normalised code of what the event itself names; None where the attachment decides.
        """
        fact = observation.fact
        self.device_id.append(device_id)
        self.time_us.append(observation.time_us)
        self.run.append(observation.run)
        self.seq.append(observation.seq)
        self.kind.append(FACT_NUMBERS[type(fact)])
        self.received_us.append(received_us)
        self.thing.append(thing)
        self.body.append(observation.raw)
        self.leaf.append(leaf)
        if isinstance(fact, Position):
            self.lon.append(fact.lon)
            self.lat.append(fact.lat)
            self.accuracy_m.append(fact.accuracy_m)
            self.speed_mps.append(fact.speed_mps)
            self.heading_deg.append(fact.heading_deg)
        else:
            self.lon.append(None)
            self.lat.append(None)
            self.accuracy_m.append(None)
            self.speed_mps.append(None)
            self.heading_deg.append(None)


class ReadingColumns(_Columns):
    """Sensor values to insert: one row a quantity."""

    __slots__ = ("device_id", "quantity", "run", "seq", "time_us", "value")
    device_id: list[int]
    time_us: list[int]
    run: list[int]
    seq: list[int]
    quantity: list[str]
    value: list[float]

    def add(self, device_id: int, observation: Observation) -> None:
        """Append every value that an observation measured."""
        for quantity, value in measured(observation.fact).items():
            self.device_id.append(device_id)
            self.time_us.append(observation.time_us)
            self.run.append(observation.run)
            self.seq.append(observation.seq)
            self.quantity.append(quantity)
            self.value.append(float(value))


class Stored(NamedTuple):
    """A recorded observation as it stands in the table; ``body`` decodes to the observation itself."""

    event_time: datetime
    run: int
    seq: int
    kind: int
    received_at: datetime
    lon: float | None
    lat: float | None
    thing: str | None
    body: bytes


def insert_observations(
    cur: Cursor, rows: ObservationColumns, *, batch_id: int, recorded_at: datetime
) -> None:
    """Insert new observations of one batch.

    Raises:
        psycopg.errors.UniqueViolation: a key is there already; the caller's ranges are wrong.
        psycopg.errors.CheckViolation: no partition for a time; see ``partitions.Partitions``.
    """
    rows.check()
    if len(rows):
        values = (
            int8s(rows.device_id), timestamps(rows.time_us), int8s(rows.seq), timestamps(rows.received_us),
            float8s(rows.lon), float8s(rows.lat), int4s(rows.run), int4s(rows.leaf), float4s(rows.accuracy_m),
            float4s(rows.speed_mps), float4s(rows.heading_deg), int2s(rows.kind), texts(rows.thing),
            byteas(rows.body), recorded_at, batch_id,
        )  # fmt: skip
        cur.execute(SQL["insert_observations"], values, prepare=True)


def insert_readings(cur: Cursor, rows: ReadingColumns) -> None:
    """Insert new readings; a value that is not a number is refused by the table."""
    rows.check()
    if len(rows):
        values = (
            int8s(rows.device_id), timestamps(rows.time_us), int8s(rows.seq), float8s(rows.value),
            int4s(rows.run), texts(rows.quantity),
        )  # fmt: skip
        cur.execute(SQL["insert_readings"], values, prepare=True)


def insert_late(
    cur: Cursor,
    observations: ObservationColumns,
    readings: ReadingColumns,
    *,
    batch_id: int,
    recorded_at: datetime,
) -> None:
    """The slow path: insert rows from before the late window, one chunk at a time, oldest first.

    There TimescaleDB may have compressed the chunks. It then decompresses the segments that could hold the
    same keys and puts new rows beside them, within this transaction, up to a limit of rows that is meant for
    bulk updates and is lifted here. The compression policy compresses the chunk again. Chunk by chunk means
    that each statement touches one chunk only, so its plan and its locks are small. With native partitions
    it is the plain insert.
    """
    cur.execute(SQL["lift_decompression_limit"])
    for week in _weeks(observations.time_us):
        part = observations.where([time // CHUNK_US == week for time in observations.time_us])
        insert_observations(cur, part, batch_id=batch_id, recorded_at=recorded_at)
    for week in _weeks(readings.time_us):
        insert_readings(cur, readings.where([time // CHUNK_US == week for time in readings.time_us]))


def load_observations(
    conn: Connection,
    device_id: int,
    after: Key = BEGINNING,
    upto: Key = END,
    *,
    page: int = 2000,
) -> Iterator[Stored]:
    """One device's observations with ``after`` < key <= ``upto``, in key order, streamed through a
    server-side cursor.

    Args:
        conn: within a transaction.
        page: rows fetched at a time.
    """
    with conn.cursor(name="load_observations") as cur:
        cur.itersize = page
        cur.execute(
            SQL["load_observations"],
            {
                "device_id": device_id,
                "after_time": after[0], "after_run": after[1], "after_seq": after[2],
                "upto_time": upto[0], "upto_run": upto[1], "upto_seq": upto[2],
            },
        )  # fmt: skip
        for row in cur:
            yield Stored._make(row)


def _weeks(times_us: Sequence[int]) -> list[int]:
    weeks: list[int] = np.unique(np.asarray(times_us, dtype=np.int64) // CHUNK_US).tolist()
    return weeks
