"""Late observations, and those that count no longer or again: fold the device's track again, from the last
snapshot before them, until nothing changes.

One device, one transaction. Its row is locked, so no batch folds it meanwhile; what the new fold tells
differently supersedes the milestones that stood, and the shipments concerned are left as work.

Work says from when (``changed_from``) and, in ``due_at``, up to when observations came late. Without the
latter the whole way up to the head is folded again, which is slower and never wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from devices.observation import Observation, micros
from tracking.domain.tracks import (
    DEFAULTS,
    SNAPSHOT_EVERY,
    DeviceState,
    Key,
    Milestone,
    Parameters,
    Profile,
    Refolded,
    Track,
    Window,
    refold,
)
from tracking.judge import measures, passing
from tracking.judge.decoding import observation
from tracking.judge.places import LevelTable, Places
from tracking.store import history, judging, observations, record, retention, work
from tracking.store.database import Connection
from tracking.store.judging import ProfileRow
from tracking.store.observations import END, Stored
from tracking.store.record import SnapshotRow
from tracking.store.work import Work, WorkKind


class Refolding:
    """The task of folding devices again, one at a time.

    Args:
        params: thresholds of the first fold.
        snapshot_every: observations from one snapshot to the next.
    """

    name: Final = "refolds"
    kinds: Final[tuple[WorkKind, ...]] = ("refold",)
    limit: Final = 1

    def __init__(self, params: Parameters = DEFAULTS, snapshot_every: int = SNAPSHOT_EVERY) -> None:
        self._places = Places()
        self._levels = LevelTable()
        self._params = params
        self._snapshot_every = snapshot_every

    def do(self, conn: Connection, taken: Sequence[Work], watermark: datetime | None, now: datetime) -> None:
        """Fold one device again, within the transaction that took the work."""
        self._refold(conn, taken, watermark, now)
        work.finish(conn, [row.work_id for row in taken])

    def _refold(
        self, conn: Connection, taken: Sequence[Work], watermark: datetime | None, now: datetime
    ) -> None:
        device_id = taken[0].key
        (device,) = judging.device_profiles(conn, [device_id])
        stored = record.lock_states(conn, [device_id]).get(device_id)
        if stored is None:
            return
        index = self._places.current(conn)  # after the lock: an edit from here on folds again after us
        levels = self._levels.current(conn)
        state = DeviceState.decode(stored)
        profile = Profile(device.expected_every_s)
        changed_from = min(row.changed_from for row in taken)
        history.drop_snapshots_in_error(conn, device_id)
        snapshot = history.snapshot_before(conn, device_id, (changed_from, -2, -1))
        gone = retention.dropped_through(conn, device_id)
        if gone is not None and (snapshot is None or snapshot.time < gone):
            following = history.snapshots_from(conn, device_id, (gone, -2, -1), limit=1)
            if not following:
                return  # what would change lies in what was dropped
            (snapshot,) = following
        past = _Past(conn, device)
        outcome = refold(
            Track.decode(snapshot.state) if snapshot is not None else Track(),
            profile,
            past.windows(snapshot.key if snapshot is not None else observations.BEGINNING, state.track),
            index,
            through=_through(taken, state.track),
            until_us=micros(watermark) if watermark is not None else 0,
            snapshot_every=self._snapshot_every,
            params=self._params,
            levels=levels,
        )
        changed = [(device_id, past.times_us[identity]) for identity in outcome.supersede]
        if outcome.track is not None:  # when it was last heard, and where, may be another time and place
            changed.append((device_id, micros(changed_from)))
        passing.leave_judging(conn, changed)
        _write(conn, device_id, state, profile, outcome, now, self._params)


def _through(taken: Sequence[Work], track: Track) -> Key:
    """The newest observation that may have come late."""
    newest = [row.due_at for row in taken if row.due_at is not None]
    return (micros(max(newest)), END[1], END[2]) if len(newest) == len(taken) else track.head


class _Past:
    """A device's recorded history, read lazily, oldest first; remembers when the milestones it showed
    happened.
    """

    def __init__(self, conn: Connection, device: ProfileRow) -> None:
        self._conn = conn
        self._device = device
        self.times_us: dict[int, int] = {}

    def windows(self, after: observations.Key, head: Track) -> Iterator[Window]:
        """From snapshot to snapshot, and at last up to the head."""
        while True:
            time, run, seq = after
            following = history.snapshots_from(
                self._conn, self._device.device_id, (time, run, seq + 1), limit=1
            )
            if not following:
                yield self._window(after, END, head, is_head=True)
                return
            (snapshot,) = following
            yield self._window(after, snapshot.key, Track.decode(snapshot.state), is_head=False)
            after = snapshot.key

    def _window(
        self, after: observations.Key, upto: observations.Key, end: Track, *, is_head: bool
    ) -> Window:
        device_id = self._device.device_id
        held = []
        for row in history.milestones_between(self._conn, device_id, after, upto):
            at = (micros(row.at_time), row.at_run, row.at_seq)
            milestone = Milestone(micros(row.time), row.kind, row.area, dict(row.detail), at)
            held.append((row.milestone_id, milestone))
            self.times_us[row.milestone_id] = milestone.time_us
        stored = observations.load_observations(self._conn, device_id, after, upto)
        return Window(self._decoded(stored), held, end, is_head)

    def _decoded(self, rows: Iterator[Stored]) -> Iterator[Observation]:
        count = 0
        for row in rows:
            count += 1
            yield self._decode(row)
        measures.REFOLDED.inc(count)

    def _decode(self, row: Stored) -> Observation:
        """An observation from its own bytes, as the record decoded them."""
        key = (micros(row.event_time), row.run, row.seq)
        return observation(self._device.dialect, self._device.datum, row.body, key, self._device.name)


def _write(
    conn: Connection,
    device_id: int,
    state: DeviceState,
    profile: Profile,
    outcome: Refolded,
    now: datetime,
    params: Parameters,
) -> None:
    history.supersede_milestones(conn, outcome.supersede, at=now)
    record.add_snapshots(
        conn, [SnapshotRow(device_id, *track.head, track.encode()) for track in outcome.snapshots]
    )
    passing.tell(conn, [(device_id, milestone) for milestone in outcome.add], now)
    if outcome.track is not None:
        state.track = outcome.track
        state.since_snapshot = outcome.since_snapshot
        due = passing.next_look(state, profile, params)
        heard = outcome.track.heard
        record.save_states(conn, [(device_id, state.encode(), heard[0] if heard is not None else 0)])
        judging.settle_dues(conn, "device_due", {device_id: due})
