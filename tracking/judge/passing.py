"""Due devices: time passes for their tracks, as far as the record reaches and no further.

A due row is not moved by every report; it fires once its moment has passed and looks how things stand.
Either the device was heard meanwhile: the row moves to the next moment at which it could fall silent. Or it
was not: silence is told, dated at the very moment that the limit passed, and the row goes, unless the device
spoke of the past meanwhile and may be away again. What is heard next arms it anew, or brings it forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from devices.observation import micros, moment
from tracking.domain.tracks import (
    DEFAULTS,
    FOLD_VERSION,
    SILENCE_GRACE_US,
    DeviceState,
    Folded,
    Milestone,
    Parameters,
    Profile,
    advance,
    look_us,
    unreachable_us,
)
from tracking.domain.tracks.milestones import SILENT
from tracking.store import judging, record, work
from tracking.store.database import WORK_CHANNEL, Connection, notify
from tracking.store.record import MilestoneRow, NoteRow, WorkRow
from tracking.store.work import Work, WorkKind


class Passing:
    """The task of letting time pass. The devices' rows are locked in device order, as batches lock them.

    Args:
        params: thresholds of the first fold.
    """

    name: Final = "dues"
    kinds: Final[tuple[WorkKind, ...]] = ("device_due",)
    limit: Final = 200

    def __init__(self, params: Parameters = DEFAULTS) -> None:
        self._params = params

    def do(self, conn: Connection, taken: Sequence[Work], watermark: datetime | None, now: datetime) -> None:
        """Let time pass for the devices that are due, within the transaction that took the work.

        What is told leaves work for the judging of shipments, so that the devices are free again at once.
        """
        assert watermark is not None  # without one nothing is due
        profiles = {row.device_id: row for row in judging.device_profiles(conn, [row.key for row in taken])}
        states = record.lock_states(conn, list(profiles))
        told: list[tuple[int, Milestone]] = []
        saved: list[tuple[int, bytes, int]] = []
        dues: dict[int, datetime | None] = {}
        notes: list[NoteRow] = []
        for device_id, stored in states.items():
            state = DeviceState.decode(stored)
            profile = Profile(profiles[device_id].expected_every_s)
            before = (state.due_armed, state.contact_us)
            folded = advance(state.track, profile, micros(watermark), self._params)
            told += [(device_id, milestone) for milestone in folded.milestones]
            state.track = folded.track
            since = _unreachable_since(state, profile, folded, self._params)
            if since is not None and since <= micros(watermark):
                notes.append(NoteRow(device_id, "unreachable", since, since, 1, {}))
                state.contact_us = None
            dues[device_id] = next_look(state, profile, self._params)
            if folded.milestones or (state.due_armed, state.contact_us) != before:
                heard = folded.track.heard
                saved.append((device_id, state.encode(), heard[0] if heard is not None else 0))
        record.save_states(conn, saved)
        tell(conn, told, now)
        record.add_notes(conn, notes)
        work.finish(conn, [row.work_id for row in taken])
        judging.settle_dues(conn, "device_due", dues)


def _unreachable_since(
    state: DeviceState, profile: Profile, folded: Folded, params: Parameters
) -> int | None:
    """Nothing has come since: true of now, whatever comes later. The gateway ends it, also by what is told
    late of the past; then the device is noted again where it stays away as long once more.
    """
    if state.contact_us is not None:
        return unreachable_us(state, profile, params)
    return next((one.time_us for one in folded.milestones if one.kind == SILENT), None)


def next_look(state: DeviceState, profile: Profile, params: Parameters) -> datetime | None:
    """When to look at a device again; notes in its state whether a row stands for that."""
    due = look_us(state, profile, params)
    state.due_armed = due is not None
    return None if due is None else moment(due + SILENCE_GRACE_US)


def tell(conn: Connection, told: list[tuple[int, Milestone]], now: datetime) -> None:
    """Add milestones, and leave the judging of whoever they concern as work."""
    if not told:
        return
    record.add_milestones(
        conn,
        [MilestoneRow(device_id, m.time_us, m.kind, m.area, m.detail, *m.at) for device_id, m in told],
        fold_version=FOLD_VERSION,
        recorded_at=now,
    )
    leave_judging(conn, [(device_id, milestone.time_us) for device_id, milestone in told])


def leave_judging(conn: Connection, changed: list[tuple[int, int]]) -> None:
    """Leave one row of work for each device, from the oldest of its changes on."""
    if not changed:
        return
    oldest: dict[int, int] = {}
    for device_id, time_us in changed:
        oldest[device_id] = min(time_us, oldest.get(device_id, time_us))
    record.add_work(conn, [WorkRow("device", device_id, time_us) for device_id, time_us in oldest.items()])
    with conn.cursor() as cursor:
        notify(cursor, WORK_CHANNEL)
