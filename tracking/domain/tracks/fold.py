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
from tracking.domain.tracks.areas import Ground, judge_areas, judge_crossings
from tracking.domain.tracks.milestones import Milestone
from tracking.domain.tracks.parameters import DEFAULTS, Parameters, Profile
from tracking.domain.tracks.reports import REPORTS
from tracking.domain.tracks.silence import Folded, fall_silent, hear
from tracking.domain.tracks.state import Fix, Track
from tracking.domain.tracks.stops import judge_stop
from tracking.domain.tracks.way import crossings_between, is_impossible

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
    ground = Ground(places, params)
    return [_fold_device(item, located, ground) for item in work]


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


def _fold_device(item: DeviceEvents, located: Iterator[_Located], ground: Ground) -> Folded:
    """The loop over one device's observations; takes its fixes' places from the front of ``located``."""
    params, profile = ground.params, item.profile
    worst, silence_us = params.max_accuracy_m, profile.silence_us(params)
    track, head = item.track.copy(), item.track.head
    before: Fix | Position | None = track.fix
    out: list[Milestone] = []
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
                _judge_fix(track, observation, fact, before, next(located), profile, ground, out)
                before = fact
        elif (report := REPORTS.get(type(fact))) is not None:
            report(observation, fact, out)
    return Folded(track, out)


def _judge_fix(
    track: Track,
    observation: Observation,
    position: Position,
    before: Fix | Position | None,
    located: _Located,
    profile: Profile,
    ground: Ground,
    out: list[Milestone],
) -> None:
    """Let one usable fix judge, unless it is an impossible jump that nothing has confirmed yet.

    Args:
        before: the usable position before this one; ``located.crossings`` lie on the way from there.
    """
    params = ground.params
    accuracy = params.default_accuracy_m if position.accuracy_m is None else position.accuracy_m
    fix = Fix(*observation.key, position.lon, position.lat, accuracy)
    last = track.fix
    if last is not None:
        x, y = (fix.lon - last.lon) * located.lon_m, (fix.lat - last.lat) * located.lat_m
        is_far = x * x + y * y > params.jump_min_m * params.jump_min_m
        if is_far and is_impossible(last, fix, profile, params):
            if not _believed(track, fix, profile, params):
                return
        elif located.crossings or is_far or track.suspect is not None:
            crossings = located.crossings
            if before is None or (before.lon, before.lat) != (last.lon, last.lat):
                crossings = crossings_between(ground.places, last, fix)
            judge_crossings(track, last, fix, crossings, ground, out)
        track.suspect, track.suspect_count = None, 0
    judge_stop(track, fix, position.speed_mps, (located.lon_m, located.lat_m), params, out)
    judge_areas(track, fix, located.hits, ground, out)
    track.fix = fix


def _believed(track: Track, fix: Fix, profile: Profile, params: Parameters) -> bool:
    """Whether enough consistent fixes have followed an impossible jump; remembers this one."""
    suspect = track.suspect
    consistent = suspect is not None and not is_impossible(suspect, fix, profile, params)
    track.suspect, track.suspect_count = fix, track.suspect_count + 1 if consistent else 1
    return track.suspect_count >= params.jump_points
