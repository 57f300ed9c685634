"""Fixes in another datum: a device that stands, and whose fix lies where a Chinese map would draw it.

GCJ-02 and BD-09 shift every place by some hundred metres, the same way each time. A fix of a standing device
that lies just there is held back: it judges no place. It is let go when the device is back, and believed,
each held fix at its own time, when the device moves on from there or stays.
"""

from __future__ import annotations

from typing import Any, Final

from devices.coordinates import gcj02_to_bd09, wgs84_to_gcj02
from devices.observation import Datum
from tracking.domain.places import Hit, geodesy
from tracking.domain.tracks.milestones import DATUM_CLEARED, DATUM_SUSPECTED, DATUM_UNDETERMINED, Milestone
from tracking.domain.tracks.state import Doubt, Fix, Held, Standing
from tracking.domain.tracks.way import Way
from tracking.domain.tracks.working import Working

HOLD_EVERY_US: Final = 10_000_000
"""Held fixes lie at one place: one in so many microseconds tells of it, and a track stays small."""


def suspected(work: Working, fix: Fix, speed_mps: float | None) -> Datum | None:
    """The datum that a slow fix would be right in; ``None``: it is no shift, or the device didn't stand.

    A device stands that has given two fixes on one spot, or that was in a zone and says that it is slow.
    """
    track = work.track
    last, anchor, doubt = track.fix, track.anchor, track.doubt
    assert last is not None
    if doubt is not None:
        held = doubt.held[0].fix
        if Way(held, fix).length_m() <= work.params.stop_radius_m + held.accuracy_m + fix.accuracy_m:
            return doubt.datum
    if anchor is not None and anchor.key != last.key:
        places: tuple[Fix, ...] = (anchor, last) if track.leaving is None else (anchor,)
    elif speed_mps is not None and _zones(work):
        places = (last,)
    else:
        return None
    for place in places:
        for datum, (lon, lat) in _shifts(place):
            shifted = Fix(*place.key, lon, lat, place.accuracy_m)
            moved_m = Way(place, shifted).length_m()
            doubt_m = place.accuracy_m + fix.accuracy_m + work.params.datum_slack_m
            if moved_m > doubt_m and Way(shifted, fix).length_m() <= doubt_m:
                return datum
    return None


def hold(work: Working, fix: Fix, speed_mps: float | None, datum: Datum, hits: tuple[Hit, ...]) -> bool:
    """Hold a suspect fix back; false when there have been so many, for so long, that it is believed."""
    track, params = work.track, work.params
    doubt = track.doubt
    if doubt is None:
        track.doubt = Doubt(datum, (Held(fix, speed_mps),), 1)
        work.out.append(
            Milestone(fix.time_us, DATUM_SUSPECTED, None, _detail(work, fix, datum, hits), fix.key)
        )
        return True
    first, newest = doubt.held[0].fix, doubt.held[-1].fix
    span_us = fix.time_us - first.time_us
    if doubt.count >= params.datum_points and span_us >= params.datum_span_s * 1e6:
        return False
    held, count, told = doubt.held, doubt.count + 1, doubt.told
    if fix.time_us - newest.time_us >= HOLD_EVERY_US:
        held = (*held, Held(fix, speed_mps))
    if not told and count >= params.exit_points and span_us >= params.exit_span_s * 1e6:
        told = True
        detail = {"first": list(first.key), "fixes": count} | _detail(work, fix, datum, hits)
        work.out.append(Milestone(first.time_us, DATUM_UNDETERMINED, None, detail, fix.key))
    track.doubt = Doubt(doubt.datum, held, count, told)
    return True


def settle(work: Working, fix: Fix, *, is_suspect: bool) -> tuple[Held, ...]:
    """End a doubt with a fix that isn't held back; returns the held fixes where they are to be believed.

    The device was there if it still is, or if it is nearer to there than to where it stood before.
    """
    track = work.track
    doubt, stood = track.doubt, track.anchor or track.fix
    assert doubt is not None
    assert stood is not None
    first, newest = doubt.held[0].fix, doubt.held[-1].fix
    believed = is_suspect or Way(newest, fix).length_m() < Way(stood, fix).length_m()
    detail = {
        "key": list(fix.key),
        "first": list(first.key),
        "fixes": doubt.count,
        "believed": believed,
        "datum": str(doubt.datum),
    }
    work.out.append(Milestone(fix.time_us, DATUM_CLEARED, None, detail, fix.key))
    track.doubt = None
    return doubt.held if believed else ()


def _shifts(place: Fix) -> tuple[tuple[Datum, tuple[float, float]], ...]:
    """Where other datums would put a place."""
    gcj02 = wgs84_to_gcj02(place.lon, place.lat)
    return (Datum.GCJ02, gcj02), (Datum.BD09, gcj02_to_bd09(*gcj02))


def _zones(work: Working) -> list[str]:
    """The zones, not corridors, that the device is in as far as confirmed."""
    return sorted(
        code
        for code, presence in work.track.areas.items()
        if presence.standing in (Standing.IN, Standing.LEAVING) and code not in work.places.corridors
    )


def _detail(work: Working, fix: Fix, datum: Datum, hits: tuple[Hit, ...]) -> dict[str, Any]:
    """What a suspect fix says, and which zones it would be out of, were it right."""
    stood = work.track.anchor or work.track.fix
    assert stood is not None
    out_m = fix.accuracy_m + work.params.border_buffer_m
    near = {code for code, distance in hits if distance <= out_m}
    return {
        "key": list(fix.key),
        "stood": list(stood.key),
        "datum": str(datum),
        "lon": fix.lon,
        "lat": fix.lat,
        "accuracy_m": fix.accuracy_m,
        "distance_m": round(geodesy.distance_m(stood.lon, stood.lat, fix.lon, fix.lat), 1),
        "leaves": [code for code in _zones(work) if code not in near],
    }
