"""The first fold: observations in order -> tracks and milestones. Pure, and the same for every batching.

1. locate   all usable fixes of all devices of the batch, in one vectorised call; and the ways between them
2. for each observation of each device, in key order:
   a. time passes up to it                   silent
   b. it was heard                           heard
   c. a usable, possible fix judges          stopped moved · crossed · entered left strayed returned
   d. a seal, gate or handover is told       seal_… passed_gate handed_over
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct

from devices.observation import Observation, Position
from tracking.domain.places import Crossing, Hit, PlaceIndex, geodesy
from tracking.domain.tracks.areas import judge_areas, judge_crossings
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
    work: Sequence[DeviceEvents], places: PlaceIndex, params: Parameters = DEFAULTS
) -> list[Folded]:
    """Fold each device's observations into its track.

    Raises:
        ValueError: when observations are not in key order after their track's head. That is a mistake of the
            caller; nothing was folded.
    """
    located = _locate(work, places, params)
    return [_fold_device(item, located, places, params) for item in work]


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
    item: DeviceEvents, located: Iterator[_Located], places: PlaceIndex, params: Parameters
) -> Folded:
    """The loop over one device's observations; takes its fixes' places from the front of ``located``."""
    worst, silence_us = params.max_accuracy_m, item.profile.silence_us(params)
    track, head = item.track.copy(), item.track.head
    out: list[Milestone] = []
    work = Working(track, item.profile, params, places, out)
    for observation in item.observations:
        key = observation.key
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
        elif (report := REPORTS.get(type(fact))) is not None:
            report(track, observation, fact, out)
    return Folded(track, out)


def _judge_fix(work: Working, fix: Fix, speed_mps: float | None, located: _Located) -> None:
    """Let one usable fix judge, unless it is an impossible jump that nothing has confirmed yet."""
    track, last, crossings = work.track, work.track.fix, located.crossings
    if last is not None:
        x, y = (fix.lon - last.lon) * located.lon_m, (fix.lat - last.lat) * located.lat_m
        is_far = x * x + y * y > work.params.jump_min_m * work.params.jump_min_m
        if is_far and Way(last, fix).is_impossible(work.profile, work.params):
            if not _is_believed(work, fix):
                return
            crossings = ()
        elif track.suspect is not None:  # then the way isn't the one that was located
            crossings = Way(last, fix).crossings(work.places)
        track.suspect, track.suspect_count = None, 0
    ways = judge_stop(work, fix, speed_mps, (located.lon_m, located.lat_m))
    if ways is not None:
        for way in ways:
            if not way.is_impossible(work.profile, work.params):
                judge_crossings(work, way, way.crossings(work.places))
    elif crossings and last is not None:
        is_slow = speed_mps is not None and speed_mps * 3.6 <= work.params.stop_speed_kmh
        drift_m = work.params.stop_radius_m if is_slow else 0.0
        judge_crossings(work, Way(last, fix), crossings, drift_m)
    judge_areas(work, fix, located.hits)
    track.fix = fix


def _is_believed(work: Working, fix: Fix) -> bool:
    """Whether enough consistent fixes have followed an impossible jump; remembers this one."""
    track, suspect = work.track, work.track.suspect
    is_consistent = suspect is not None and not Way(suspect, fix).is_impossible(work.profile, work.params)
    track.suspect, track.suspect_count = fix, track.suspect_count + 1 if is_consistent else 1
    return track.suspect_count >= work.params.jump_points
