"""Step 4, fold: track + events -> track, milestones, work. Pure.

Events after a track's head are folded here and now. An event at or before it is recorded all the same
and leaves a re-fold as work, from its time on: the judge goes back to the last snapshot before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Final

from devices.observation import Observation
from gateway.pipeline.load import Heard, Load
from gateway.pipeline.tools import Tools
from tracking.domain.tracks import DeviceEvents, Folded, fold_batch, look_us
from tracking.domain.tracks.milestones import PASSED_GATE, SEAL_CUT, SEAL_TAMPERED
from tracking.store.record import SnapshotRow, WorkRow

URGENT: Final = frozenset({PASSED_GATE, SEAL_CUT, SEAL_TAMPERED})
"""A truck stands at the barrier, or somebody is at the goods: the judge takes these before anything else."""

_key: Final = attrgetter("time_us", "run", "seq")


def fold(load: Load, tools: Tools) -> None:
    """Fold all devices of the batch at once; leave their states, milestones, snapshots and work.

    A device's backlog may be most of a batch: it is folded in parts, so that a snapshot stands after each.
    """
    waiting: list[tuple[Heard, Sequence[Observation]]] = []
    for device_id, heard in load.heard.items():
        if heard.events and heard.state.track.silent_us is not None and load.replay is None:
            came = [load.messages[index].received_us for index in heard.origins]
            load.reached[device_id], heard.state.contact_us = min(came), max(came)
        fresh = _after_head(load, heard)
        if fresh:
            waiting.append((heard, fresh))
        elif device_id in load.reached:
            _arm(load, tools, heard)
    most = tools.limits.snapshot_every
    while waiting:
        events = [
            DeviceEvents(heard.state.track, heard.device.profile, fresh[:most]) for heard, fresh in waiting
        ]
        folds = fold_batch(events, load.reference.places, tools.parameters, load.reference.levels)
        for (heard, _), item, folded in zip(waiting, events, folds, strict=True):
            _take(load, tools, heard, folded, len(item.observations))
        waiting = [(heard, fresh[most:]) for heard, fresh in waiting if len(fresh) > most]


def _after_head(load: Load, heard: Heard) -> Sequence[Observation]:
    """A device's new events after its track's head, in key order; what lies before becomes a re-fold."""
    fresh = in_order(heard.events)
    if not fresh:
        return fresh
    head = heard.state.track.head
    if _key(fresh[0]) > head:
        return fresh
    after = [event for event in fresh if _key(event) > head]
    late = fresh[: len(fresh) - len(after)]
    load.late_events += len(late)
    # Due at the newest of them: that far, and no further, the judge must look for a change.
    load.work.append(WorkRow("refold", heard.device.device_id, late[0].time_us, late[-1].time_us))
    # What rules read of values and places beside milestones has changed where they had looked already.
    load.work.append(WorkRow("device", heard.device.device_id, late[0].time_us))
    return after


def in_order(events: Sequence[Observation]) -> Sequence[Observation]:
    """Events in key order. They nearly always are already."""
    if len(events) < 2 or all(one.time_us < after.time_us for one, after in pairwise(events)):
        return events
    return sorted(events, key=_key)


def _take(load: Load, tools: Tools, heard: Heard, folded: Folded, count: int) -> None:
    state, device_id = heard.state, heard.device.device_id
    state.track = folded.track
    state.since_snapshot += count
    if state.since_snapshot >= tools.limits.snapshot_every:
        state.since_snapshot = 0
        load.snapshots.append(SnapshotRow(device_id, *folded.track.head, folded.track.encode()))
    if folded.milestones:
        load.milestones += [(device_id, milestone) for milestone in folded.milestones]
        changed_us = min(milestone.time_us for milestone in folded.milestones)
        urgent = any(milestone.kind in URGENT for milestone in folded.milestones)
        load.work.append(WorkRow("device", device_id, changed_us, None, urgent))
    _arm(load, tools, heard)


def _arm(load: Load, tools: Tools, heard: Heard) -> None:
    """Have the judge look when the device may have fallen silent, or away again, unless it will anyway.

    A row that stands for the next report to come may be too late for a silence that what is told now begins
    in the past: that one is brought forward.
    """
    state, device_id = heard.state, heard.device.device_id
    if state.due_armed and device_id not in load.reached:
        return
    due = look_us(state, heard.device.profile, tools.parameters)
    if due is None:
        return
    row = WorkRow("device_due", device_id, due, due + tools.limits.silence_grace_us)
    if state.due_armed:
        load.sooner[device_id] = row
    else:
        state.due_armed = True
        load.work.append(row)
