"""What the record transaction reads and writes, besides the series (``observations``) and the positions.

The transaction belongs to the road of a batch (``gateway.pipeline``): one batch, one transaction. Every
function takes many rows at once and does nothing for none. Times are microseconds, but for ``recorded_at``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from devices.observation import moment
from tracking.store.arrays import Array, bools, byteas, int4s, int8s, moments, texts, timestamps
from tracking.store.database import REFERENCE_LOCK, Connection, queries

SQL: Final = queries("record")

NUMBERS_REACH: Final = timedelta(days=7)
"""What a device's numbers tell of the time on a thing (some are missing, one came again with another content)
is looked for so far before it was put there, and so far after it was taken off.
"""


class DeviceRow(NamedTuple):
    """A registered device, as the road needs it."""

    device_id: int
    name: str
    dialect: str
    datum: str
    expected_every_s: int
    revoked_at: datetime | None


class Claim(NamedTuple):
    """An event whose number may be taken. ``place`` is the caller's own index, ``key`` its rejection's."""

    place: int
    device_id: int
    time_us: int
    run: int
    seq: int
    id: str | None
    body: bytes
    key: bytes


class Precedent(NamedTuple):
    """What stands recorded under a claimed number: this event, another one, or this one's rejection."""

    place: int
    same: bool
    other: bool
    reason: str | None


class SnapshotRow(NamedTuple):
    """A track's state right after the observation with this key."""

    device_id: int
    time_us: int
    run: int
    seq: int
    state: bytes


class MilestoneRow(NamedTuple):
    """A change in a track, and the key of the observation at which it was known."""

    device_id: int
    time_us: int
    kind: str
    area: str | None
    detail: dict[str, Any]
    at_us: int
    at_run: int
    at_seq: int


class WorkRow(NamedTuple):
    """Something for the judge. ``due_us`` None: at once."""

    kind: str
    key: int
    changed_from_us: int
    due_us: int | None = None
    urgent: bool = False


class GapRow(NamedTuple):
    """Numbers of one run that were skipped, first and last included."""

    device_id: int
    run: int
    first: int
    last: int


class RejectionRow(NamedTuple):
    """What couldn't be taken, whole. ``payload`` is what a replay sends to ``topic`` again."""

    key: bytes
    topic: str
    payload: bytes
    properties: dict[str, str]
    reason: str
    detail: str
    device_id: int | None
    run: int | None
    seq: int | None
    received_us: int
    leaf: str


class NoteRow(NamedTuple):
    """What arrival alone shows: ``times`` of them between the two moments."""

    device_id: int | None
    kind: str
    first_us: int
    last_us: int
    times: int
    detail: dict[str, Any]


def hold_reference(conn: Connection) -> int:
    """Keep areas and devices as they are until this transaction ends; returns their revision."""
    conn.execute(SQL["hold_reference"], (REFERENCE_LOCK,))
    row = conn.execute(SQL["reference_revision"]).fetchone()
    assert row is not None  # the migration made the row
    return int(row[0])


def devices(conn: Connection) -> list[DeviceRow]:
    """Every registered device, revoked ones too: what arrived before the revocation still counts."""
    return [DeviceRow(*row) for row in conn.execute(SQL["devices"])]


def make_states(conn: Connection, device_ids: Sequence[int], empty: bytes) -> None:
    """Give devices that were never heard a state to lock. Repeating it changes nothing."""
    conn.execute(SQL["make_states"], (empty, int8s(device_ids)))


def lock_states(conn: Connection, device_ids: Sequence[int]) -> dict[int, bytes]:
    """Lock the devices' states until this transaction ends, in device order; those found, by device."""
    with conn.cursor(binary=True) as cursor:
        return dict(cursor.execute(SQL["lock_states"], (int8s(device_ids),)).fetchall())


def save_states(conn: Connection, rows: Sequence[tuple[int, bytes, int]]) -> None:
    """Write (device, state, time of its newest folded observation, or 0) over the locked rows."""
    if rows:
        conn.execute(SQL["save_states"], _arrays(rows, int8s, byteas, timestamps))


def precedents(conn: Connection, claims: Sequence[Claim]) -> list[Precedent]:
    """What stands recorded under the numbers or ids of these events, for each of them."""
    if not claims:
        return []
    arrays = _arrays(claims, int4s, int8s, timestamps, int4s, int8s, texts, byteas, byteas)
    return [Precedent(*row) for row in conn.execute(SQL["precedents"], arrays)]


def recorded_at_any_time(conn: Connection, claims: Sequence[Claim]) -> set[int]:
    """The places of those claims whose number is recorded, whatever its time. Slow: for replays."""
    if not claims:
        return set()
    numbers = [(claim.place, claim.device_id, claim.run, claim.seq) for claim in claims]
    found = conn.execute(SQL["recorded_at_any_time"], _arrays(numbers, int4s, int8s, int4s, int8s))
    return {place for (place,) in found}


def add_batch(
    conn: Connection, *, source: str, worker: str, recorded_at: datetime, events: int, root: bytes
) -> int:
    """A batch of observations and the root of the Merkle tree over their raw bytes; returns its id."""
    row = conn.execute(SQL["add_batch"], (source, worker, recorded_at, events, root)).fetchone()
    assert row is not None  # an insert that returns
    return int(row[0])


def add_snapshots(conn: Connection, rows: Sequence[SnapshotRow]) -> None:
    """Keep states to which a late event can go back."""
    if rows:
        conn.execute(SQL["add_snapshots"], _arrays(rows, int8s, timestamps, int4s, int8s, byteas))


def add_milestones(
    conn: Connection, rows: Sequence[MilestoneRow], *, fold_version: int, recorded_at: datetime
) -> None:
    """Add milestones that hold from now on."""
    if rows:
        arrays = _arrays(rows, int8s, timestamps, texts, texts, _documents, timestamps, int4s, int8s)
        conn.execute(SQL["add_milestones"], (fold_version, recorded_at, *arrays))


def add_work(conn: Connection, rows: Sequence[WorkRow]) -> None:
    """Leave work for the judge; a device's due row is armed only where none stands."""
    if rows:
        conn.execute(SQL["add_work"], _arrays(rows, texts, int8s, timestamps, _dues, bools))


def bring_forward(conn: Connection, rows: Sequence[WorkRow]) -> None:
    """Let devices' due rows stand no later than these. One that a judge has taken stays: it looks at the
    device after us, and settles what is due then.
    """
    if rows:
        conn.execute(
            SQL["bring_forward"], _arrays([row[:4] for row in rows], texts, int8s, timestamps, _dues)
        )


def add_event_ids(
    conn: Connection, rows: Sequence[tuple[int, str, int, int]], *, recorded_at: datetime
) -> None:
    """Remember (device, id, seq, time) of events that devices name themselves."""
    if rows:
        conn.execute(SQL["add_event_ids"], (recorded_at, *_arrays(rows, int8s, texts, int8s, timestamps)))


def open_gaps(conn: Connection, rows: Sequence[GapRow], *, seen_at: datetime) -> None:
    """Numbers that are missing now: gaps that are new, and gaps that end earlier than they did."""
    if rows:
        conn.execute(SQL["open_gaps"], (seen_at, *_arrays(rows, int8s, int4s, int8s, int8s)))


def fill_gaps(conn: Connection, rows: Sequence[GapRow], *, filled_at: datetime) -> None:
    """Gaps, by their first number, that are missing no longer."""
    if rows:
        conn.execute(SQL["fill_gaps"], (filled_at, *_arrays(rows, int8s, int4s, int8s, int8s)))


def add_rejections(conn: Connection, rows: Sequence[RejectionRow], *, recorded_at: datetime) -> None:
    """Keep what couldn't be taken. One that is kept already stays as it is."""
    if rows:
        builders = (byteas, texts, byteas, _documents, texts, texts, list, list, list, timestamps, texts)
        conn.execute(SQL["add_rejections"], (recorded_at, *_arrays(rows, *builders)))


def mark_replayed(conn: Connection, rejection_ids: Sequence[int], *, replayed_at: datetime) -> None:
    """Say of rejections that what they hold is recorded now."""
    if rejection_ids:
        conn.execute(SQL["mark_replayed"], (replayed_at, int8s(rejection_ids)))


def add_notes(conn: Connection, rows: Sequence[NoteRow]) -> None:
    """Add arrival notes."""
    if rows:
        conn.execute(SQL["add_notes"], _arrays(rows, list, texts, timestamps, timestamps, int8s, _documents))


def end_unreachable(conn: Connection, reached: Mapping[int, int]) -> None:
    """Devices that nobody could reach speak again, each since a moment (microseconds)."""
    if reached:
        conn.execute(SQL["end_unreachable"], (int8s(list(reached)), timestamps(list(reached.values()))))


def _arrays(rows: Sequence[tuple[Any, ...]], *builders: Callable[[Any], Any]) -> list[Any]:
    """The rows' columns, each built by its builder. ``list`` is for the few that hold null integers."""
    return [build(column) for build, column in zip(builders, zip(*rows, strict=True), strict=True)]


def _dues(due_us: Sequence[int | None]) -> Array:
    return moments([None if due is None else moment(due) for due in due_us])


def _documents(values: Sequence[dict[str, Any]]) -> Array:
    """JSON as ``text[]``, for the query to cast: there are few, and most are alike."""
    return texts([msgspec.json.encode(value).decode() for value in values])
