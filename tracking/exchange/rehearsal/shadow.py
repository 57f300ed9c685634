"""A device's milestones as they would have been told under other places: folded again, kept nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from devices.observation import Observation, micros, moment
from tracking.domain.custody.facts import READ_KINDS, Carriage, Milestone
from tracking.domain.places import PlaceIndex
from tracking.domain.tracks import DEFAULTS, DeviceEvents, Levels, Profile, Standing, Track, fold_batch
from tracking.domain.tracks import Milestone as Told
from tracking.domain.tracks.silence import advance
from tracking.judge.decoding import observation
from tracking.store import history, observations
from tracking.store.database import Connection
from tracking.store.judging import OF_AREAS, ProfileRow

CHUNK: Final = 2000


class Shadow(msgspec.Struct, frozen=True):
    """What a device would have told from a moment on.

    Attributes:
        after: the key of the snapshot from which it was folded again; milestones known by then stand.
        milestones: those that would be known after.
        track: its state at the head.
    """

    after: observations.Key
    milestones: tuple[Milestone, ...]
    track: Track


def shadow(
    conn: Connection,
    device: ProfileRow,
    places: PlaceIndex,
    levels: Levels,
    *,
    since: datetime,
    until: datetime,
) -> Shadow:
    """Fold a device again from the last snapshot before a moment, over other places. Within a transaction."""
    snapshot = history.snapshot_before(conn, device.device_id, (since, -2, -1))
    after = observations.BEGINNING if snapshot is None else snapshot.key
    track = Track() if snapshot is None else Track.decode(snapshot.state)
    profile = Profile(device.expected_every_s)
    told: list[Told] = []
    chunk: list[Observation] = []

    def fold_chunk() -> None:
        nonlocal track
        (folded,) = fold_batch([DeviceEvents(track, profile, chunk)], places, DEFAULTS, levels)
        track = folded.track
        told.extend(folded.milestones)
        chunk.clear()

    for row in observations.load_observations(conn, device.device_id, after):
        key = (micros(row.event_time), row.run, row.seq)
        chunk.append(observation(device.dialect, device.datum, row.body, key, device.name))
        if len(chunk) == CHUNK:
            fold_chunk()
    if chunk:
        fold_chunk()
    passed = advance(track, profile, micros(until), DEFAULTS)
    told += passed.milestones
    return Shadow(after, tuple(_fact(one) for one in told if one.kind in READ_KINDS), passed.track)


def under(carriage: Carriage, shade: Shadow) -> Carriage:
    """A carriage with what its device would have told."""
    after = shade.after
    known = [m for m in carriage.milestones if m.at <= after]
    whole = sorted([*known, *shade.milestones], key=lambda m: (m.time, m.at, m.kind, m.area or ""))
    leaving = {
        code: moment(presence.prior.time_us)
        for code, presence in shade.track.areas.items()
        if presence.standing is Standing.LEAVING and presence.prior is not None
    }
    return msgspec.structs.replace(
        carriage, milestones=_within(whole, carriage.begins, carriage.ends), leaving=leaving
    )


def _within(
    milestones: Sequence[Milestone], begins: datetime, ends: datetime | None
) -> tuple[Milestone, ...]:
    """Those within a carriage, and the newest before it of each kind: how things stood when it began."""
    standing: dict[tuple[str, str | None], Milestone] = {}
    within = []
    for one in milestones:
        if one.time > begins:
            if ends is None or one.time < ends:
                within.append(one)
        else:
            standing[one.kind, one.area if one.kind in OF_AREAS else None] = one
    before = sorted(standing.values(), key=lambda m: (m.time, m.at, m.kind, m.area or ""))
    return (*before, *within)


def _fact(told: Told) -> Milestone:
    time_us, run, seq = told.at
    return Milestone(moment(told.time_us), told.kind, told.area, told.detail, (moment(time_us), run, seq))
