"""The first fold: observations in order -> tracks and milestones. Pure, and the same for every batching.

1. locate   all usable fixes of all devices of the batch, in one vectorised call; and the ways between them
2. for each observation of each device, in key order:
   a. time passes up to it                   silent
   b. it was heard                           heard
   c. an impossible fix is held against      jumped jump_settled
   d. one in another datum is held back      datum_suspected datum_undetermined datum_cleared
   e. any other usable fix judges            stopped moved · crossed · entered left strayed returned
   f. a seal, gate or handover is told       seal_… passed_gate handed_over
   g. a reading crosses a level              level_crossed
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from msgspec import Struct

from devices.observation import Observation, Position, measured
from tracking.domain.places import Crossing, Hit, PlaceIndex, geodesy
from tracking.domain.tracks.areas import judge_areas, judge_crossings
from tracking.domain.tracks.datum import hold, suspected
from tracking.domain.tracks.datum import settle as settle_doubt
from tracking.domain.tracks.jumps import is_believed
from tracking.domain.tracks.jumps import settle as settle_jump
from tracking.domain.tracks.levels import NONE, Levels, judge_levels
from tracking.domain.tracks.milestones import Milestone
from tracking.domain.tracks.parameters import DEFAULTS, Parameters, Profile
from tracking.domain.tracks.reports import REPORTS
from tracking.domain.tracks.silence import Folded, fall_silent, hear
from tracking.domain.tracks.state import Fix, Track
from tracking.domain.tracks.stops import judge_stop
from tracking.domain.tracks.way import Way
from tracking.domain.tracks.working import Working

__all__ = ["DeviceEvents", "Folded", "fold_batch"]


class DeviceEvents(Struct, frozen=True):
    """One device's part of a batch.

    Attributes:
        track: its state so far; stays as it is.
        profile: what its registration says.
        observations: in key order, without repeats, all after ``track.head``.
    """

    track: Track
    profile: Profile
    observations: Sequence[Observation]


class _Located(Struct, frozen=True):
    """What the places say of one usable fix, worked out for the whole batch at once."""

    hits: tuple[Hit, ...]
    crossings: tuple[Crossing, ...]
    lon_m: float
    lat_m: float


def fold_batch(
    work: Sequence[DeviceEvents],
    places: PlaceIndex,
    params: Parameters = DEFAULTS,
    levels: Levels = NONE,
) -> list[Folded]:
    """Fold each device's observations into its track.

    Raises:
        ValueError: when observations are not in key order after their track's head. That is a mistake of the
            caller; nothing was folded.
    """
    located = _locate(work, places, params)
    return [_fold_device(item, located, places, params, levels) for item in work]


def _locate(work: Sequence[DeviceEvents], places: PlaceIndex, params: Parameters) -> Iterator[_Located]:
    """The places of every usable fix, in the order in which the devices will be folded."""
    worst = params.max_accuracy_m
    lon, lat, time, before_lon, before_lat = [], [], [], [], []
    for item in work:
        last: Fix | Position | None = item.track.fix
        for observation in item.observations:
            fact = observation.fact
            if type(fact) is Position and (fact.accuracy_m is None or fact.accuracy_m <= worst):
                last = last or fact
                lon.append(fact.lon)
                lat.append(fact.lat)
                time.append(observation.time_us)
                before_lon.append(last.lon)
                before_lat.append(last.lat)
                last = fact
    lons, lats, times = np.array(lon), np.array(lat), np.array(time, dtype=np.int64)
    hits = places.locate(lons, lats, times)
    crossings = places.crossings(np.array(before_lon), np.array(before_lat), lons, lats, times)
    lon_m, lat_m = geodesy.metres_per_degree(lats)
    return map(_Located, hits, crossings, lon_m.tolist(), lat_m.tolist())


def _fold_device(
    item: DeviceEvents,
    located: Iterator[_Located],
    places: PlaceIndex,
    params: Parameters,
    levels: Levels,
) -> Folded:
    """The loop over one device's observations; takes its fixes' places from the front of ``located``."""
    worst, silence_us = params.max_accuracy_m, item.profile.silence_us(params)
    track, head = item.track.copy(), item.track.head
    out: list[Milestone] = []
    work = Working.over(track, item.profile, params, places, out)
    for observation in item.observations:
        key = (observation.time_us, observation.run, observation.seq)
        if key <= head:
            raise ValueError(f"observation {key} is not after {head}")
        if track.heard is not None:
            due = track.heard[0] + silence_us
            if key[0] >= due and track.silent_us is None:
                fall_silent(track, due, out)
            if track.silent_us is not None:
                hear(track, key, out)
        track.heard = head = key
        fact = observation.fact
        if type(fact) is Position:
            if fact.accuracy_m is None or fact.accuracy_m <= worst:
                accuracy = params.default_accuracy_m if fact.accuracy_m is None else fact.accuracy_m
                fix = Fix(*key, fact.lon, fact.lat, accuracy)
                _judge_fix(work, fix, fact.speed_mps, next(located))
        elif values := measured(fact):
            judge_levels(track, observation, values, levels, out)
        elif (report := REPORTS.get(type(fact))) is not None:
            report(track, observation, fact, out)
    return Folded(track, out)


def _judge_fix(work: Working, fix: Fix, speed_mps: float | None, located: _Located) -> None:
    """Let one usable fix judge, unless it is an impossible jump, or may be in another datum."""
    track, last = work.track, work.track.fix
    if last is not None:
        x, y = (fix.lon - last.lon) * located.lon_m, (fix.lat - last.lat) * located.lat_m
        square = x * x + y * y
        if square > work.jump_m2 and Way(last, fix).is_impossible(work.profile, work.params):
            if not is_believed(work, fix):
                return
            located = msgspec.structs.replace(located, crossings=())
            if track.doubt is not None:
                _settle_doubt(work, fix, is_suspect=False)
        else:
            is_suspect = False
            is_apart = square > work.apart_m2 or track.leaving is not None
            if is_apart and (speed_mps is None or speed_mps <= work.slow_mps):
                datum = suspected(work, fix, speed_mps)
                is_suspect = datum is not None
                if datum is not None and hold(work, fix, speed_mps, datum, located.hits):
                    return
            if track.doubt is not None or track.suspect is not None:
                if track.suspect is not None:
                    settle_jump(work, fix)
                if track.doubt is not None:
                    _settle_doubt(work, fix, is_suspect=is_suspect)
                assert track.fix is not None
                way = Way(track.fix, fix)  # not the one that was located
                located = msgspec.structs.replace(located, crossings=way.crossings(work.places))
    _judge_place(work, fix, speed_mps, located)


def _judge_place(work: Working, fix: Fix, speed_mps: float | None, located: _Located) -> None:
    """Let a fix judge stops, ways and areas."""
    last, crossings = work.track.fix, located.crossings
    ways = judge_stop(work, fix, speed_mps, (located.lon_m, located.lat_m), located.hits)
    if ways is not None:
        for way in ways:
            if not way.is_impossible(work.profile, work.params):
                judge_crossings(work, way, way.crossings(work.places))
    elif crossings and last is not None:
        is_slow = speed_mps is not None and speed_mps <= work.slow_mps
        drift_m = work.params.stop_radius_m if is_slow else 0.0
        judge_crossings(work, Way(last, fix), crossings, drift_m)
    work.is_slow = None if speed_mps is None else speed_mps <= work.slow_mps
    judge_areas(work, fix, located.hits)
    work.track.fix = fix


def _settle_doubt(work: Working, fix: Fix, *, is_suspect: bool) -> None:
    """End a doubt about the datum; fixes that are believed after all judge now, each at its own time."""
    told = len(work.out)
    for held in settle_doubt(work, fix, is_suspect=is_suspect):
        one = held.fix
        lon, lat, time = np.array([one.lon]), np.array([one.lat]), np.array([one.time_us], dtype=np.int64)
        crossings = () if work.track.fix is None else Way(work.track.fix, one).crossings(work.places)
        lon_m, lat_m = geodesy.metres_per_degree(one.lat)
        hits = work.places.locate(lon, lat, time)[0]
        _judge_place(work, one, held.speed_mps, _Located(hits, crossings, lon_m, lat_m))
    work.out[told:] = [msgspec.structs.replace(milestone, at=fix.key) for milestone in work.out[told:]]
