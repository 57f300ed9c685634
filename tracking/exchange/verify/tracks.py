"""Raw events to everything that is derived from them per device: columns, readings, what was scanned of
things in things, milestones, states.

Each event is decoded again from its own bytes and folded again from the very first one, over the areas as
they are recorded. Silence at the head is told when time passes; there the stored state says whether that has
been noticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import numpy as np

from devices.codecs import CODECS, BadEvent, Unreadable
from devices.observation import Datum, Observation, Position, Scan, measured, micros, moment
from tracking.domain.custody.told import Told
from tracking.domain.places import PlaceIndex
from tracking.domain.things.subject import moved, subject
from tracking.domain.things.subject import named as things_named
from tracking.domain.tracks import (
    DEFAULTS,
    FOLD_VERSION,
    DeviceEvents,
    DeviceState,
    Key,
    Levels,
    Milestone,
    Profile,
    Track,
    fold_batch,
)
from tracking.domain.tracks.refold import difference
from tracking.domain.tracks.silence import advance
from tracking.exchange.verify.beside import Beside, Row
from tracking.exchange.verify.report import Part
from tracking.store import corrections, verify
from tracking.store import levels as levels_store
from tracking.store.database import Connection
from tracking.store.judging import ProfileRow
from tracking.store.kinds import FACT_NUMBERS

CHUNK: Final = 2000
"""Observations folded at a time."""


def check_levels(conn: Connection) -> Part:
    """Whether the levels by which tracks were folded are those that the terms need."""
    part = Part()
    held, needed = set(levels_store.added(conn)), set(levels_store.derived(conn))
    for level in sorted(held ^ needed):
        since = moment(level.since_us).isoformat()
        says = "is missing" if level in needed else "isn't in any terms"
        part.differs("levels", f"{level.quantity} {level.value:g} since {since}", says)
    return part


def check_device(
    conn: Connection, device: ProfileRow, places: PlaceIndex, levels: Levels, watermark: datetime | None
) -> Part:
    """Derive one device again."""
    part = Part()
    held = verify.rows(conn, "milestones", device_id=device.device_id)
    if any(row[-1] != FOLD_VERSION for row in held):
        part.other_version += 1
        return part
    stored = verify.rows(conn, "state", device_id=device.device_id)
    derived = _Derived(conn, device, part)
    track, told = derived.fold(places, levels)
    if not stored:
        if track.heard is not None:
            part.differs("device_tracks", device.name, "is missing")
        return part
    state = DeviceState.decode(stored[0][0])
    if state.track.silent_us is not None and watermark is not None:
        passed = advance(track, derived.profile, micros(watermark), DEFAULTS)
        track, told = passed.track, told + passed.milestones
    if track.encode() != state.track.encode():
        part.differs("device_tracks", device.name, "isn't what its observations tell")
    known = [(row[0], _milestone(row)) for row in held]
    gone, new = difference(known, told)
    for milestone_id in gone:
        part.differs("milestones", milestone_id, f"isn't told by the observations of {device.name}")
    for milestone in new:
        when = moment(milestone.time_us).isoformat()
        part.differs("milestones", f"{device.name} {milestone.kind} {when}", "is missing")
    return part


def _milestone(row: tuple[Any, ...]) -> Milestone:
    _, time, kind, area, detail, at_time, at_run, at_seq, _ = row
    return Milestone(micros(time), kind, area, dict(detail), (micros(at_time), at_run, at_seq))


class _Derived:
    """One device's derivation; notes on the way which rows aren't what their bytes say."""

    def __init__(self, conn: Connection, device: ProfileRow, part: Part) -> None:
        self._conn = conn
        self._device = device
        self._part = part
        self.profile = Profile(device.expected_every_s)

    def fold(self, places: PlaceIndex, levels: Levels) -> tuple[Track, list[Milestone]]:
        """The state of the head and all milestones, from the first observation on."""
        snapshots: dict[Key, bytes] = {
            (micros(time), run, seq): state
            for time, run, seq, state in verify.rows(
                self._conn, "snapshots", device_id=self._device.device_id
            )
        }
        track = Track()
        told: list[Milestone] = []
        chunk: list[Observation] = []

        def fold_chunk() -> None:
            nonlocal track
            (folded,) = fold_batch([DeviceEvents(track, self.profile, chunk)], places, DEFAULTS, levels)
            track = folded.track
            told.extend(folded.milestones)
            chunk.clear()

        for observation in self._observations():
            chunk.append(observation)
            snapshot = snapshots.pop(observation.key, None)
            if snapshot is not None or len(chunk) == CHUNK:
                fold_chunk()
            if snapshot is not None and snapshot != track.encode():
                self._differs("track_snapshots", observation.key, "isn't what the observations tell")
        if chunk:
            fold_chunk()
        for key in snapshots:
            self._differs("track_snapshots", key, "stands at no observation")
        return track, told

    def _observations(self) -> Iterator[Observation]:
        """What the bytes say, in key order, compared with columns and readings; what is in error is compared,
        and left out.
        """
        codec, datum = CODECS[self._device.dialect], Datum(self._device.datum)
        named = {"device_id": self._device.device_id}
        in_error = corrections.standing_of_device(self._conn, self._device.device_id)
        readings = Beside(verify.stream(self._conn, "readings", **named), self._stray_reading)
        scanned = Beside(verify.stream(self._conn, "scanned", **named), self._stray_scan)
        mentioned = Beside(verify.stream(self._conn, "mentioned", **named), self._stray_mention)
        for row in verify.stream(self._conn, "observations", **named):
            key = (micros(row[0]), row[1], row[2])
            try:
                event, *others = codec(row[-1], datum)
            except Unreadable as error:
                self._differs("observations", key, f"its bytes can't be read: {error}")
                continue
            if others:
                self._differs("observations", key, "its bytes hold several events")
                continue
            if isinstance(event, BadEvent):
                self._differs("observations", key, f"its bytes can't be read: {event.detail}")
                continue
            if event.key != key:
                self._differs("observations", key, "its bytes name another time or number")
                continue
            for column in _wrong(row, event):
                self._differs("observations", key, f"{column} isn't what its bytes say")
            self._compare_readings(key, _values(event), dict(held[3:] for held in readings.at(row[:3])))
            if [held[3:] for held in scanned.at(row[:3])] != _moves(event):
                self._differs("containment_events", key, "isn't what its bytes say")
            if [held[3:] for held in mentioned.at(row[:3])] != _mentions(event):
                self._differs("mentions", key, "aren't what its bytes say")
            if row[:3] not in in_error:
                yield event
        readings.end()
        scanned.end()
        mentioned.end()

    def _compare_readings(self, key: Key, said: dict[str, float], held: dict[str, float]) -> None:
        for quantity in sorted(said.keys() | held.keys()):
            if quantity not in said:
                self._differs("readings", key, f"{quantity} isn't in its observation")
            elif held.get(quantity) != said[quantity]:
                self._differs("readings", key, f"{quantity} isn't what its bytes say")

    def _stray_reading(self, row: Row) -> None:
        time, run, seq, quantity, _ = row
        self._differs("readings", (micros(time), run, seq), f"{quantity} isn't in its observation")

    def _stray_scan(self, row: Row) -> None:
        time, run, seq, *_ = row
        self._differs("containment_events", (micros(time), run, seq), "is of no observation")

    def _stray_mention(self, row: Row) -> None:
        time, run, seq, *_ = row
        self._differs("mentions", (micros(time), run, seq), "is of no observation")

    def _differs(self, table: str, key: Key, says: str) -> None:
        time_us, run, seq = key
        self._part.differs(table, f"{self._device.name} {moment(time_us).isoformat()} {run}/{seq}", says)


def _values(event: Observation) -> dict[str, float]:
    return {name: float(value) for name, value in measured(event.fact).items()}


def _moves(event: Observation) -> list[Row]:
    """What must stand in ``containment_events``: child, parent, action, quantity, who reported it."""
    fact, move = event.fact, moved(event.fact)
    if move is None or not isinstance(fact, Scan):
        return []
    return [(move.child.uri, move.parent and move.parent.uri, fact.action.value, fact.quantity, "")]


def _mentions(event: Observation) -> list[Row]:
    """What must stand in ``mentions``: thing, kind, whether as a parent only; by the thing."""
    if not isinstance(event.fact, Told):
        return []
    kind = FACT_NUMBERS[type(event.fact)]
    found = [(one.thing.uri, kind, one.is_parent) for one in things_named(event.fact)]
    return sorted(found) or [(None, kind, False)]


def _wrong(row: tuple[Any, ...], event: Observation) -> list[str]:
    """Columns that aren't what the event says."""
    _, _, _, kind, lon, lat, accuracy_m, speed_mps, heading_deg, thing, _ = row
    fact = event.fact
    says: dict[str, tuple[Any, Any]] = {
        "kind": (kind, FACT_NUMBERS[type(fact)]),
        "thing": (thing, subject(fact)),
    }
    is_position = isinstance(fact, Position)
    for name, stored in (("lon", lon), ("lat", lat)):
        says[name] = (stored, getattr(fact, name) if is_position else None)
    for name, stored in (("accuracy_m", accuracy_m), ("speed_mps", speed_mps), ("heading_deg", heading_deg)):
        says[name] = (_single(stored), _single(getattr(fact, name)) if is_position else None)
    return [name for name, (stored, said) in says.items() if stored != said]


def _single(value: float | None) -> Any:
    """As the table holds it, in four bytes."""
    return None if value is None else np.float32(value)
