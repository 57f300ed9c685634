"""Standing still: a stop begins where the device first stood, and ends where it is seen beyond the radius for good."""

from __future__ import annotations

from tracking.domain.tracks.milestones import MOVED, STOPPED, Milestone
from tracking.domain.tracks.parameters import Parameters
from tracking.domain.tracks.state import Fix, Track


def judge_stop(
    track: Track,
    fix: Fix,
    speed_mps: float | None,
    scale: tuple[float, float],
    params: Parameters,
    out: list[Milestone],
) -> None:
    """Let one usable fix begin, hold or end a stop.

    The fix's accuracy is added to the radius, in favour of standing: drift around a parked truck is no movement.

    Args:
        speed_mps: as the device says; ``None``: the distances alone decide.
        scale: metres per degree of longitude and latitude at the fix.
    """
    slow = speed_mps is None or speed_mps * 3.6 <= params.stop_speed_kmh
    anchor = track.anchor
    if anchor is None:
        if slow:
            track.anchor = fix
        return
    x, y = (fix.lon - anchor.lon) * scale[0], (fix.lat - anchor.lat) * scale[1]
    radius = params.stop_radius_m + fix.accuracy_m
    near = x * x + y * y <= radius * radius
    if track.stopped:
        _hold_or_end(track, anchor, fix, near, slow, params, out)
    elif not near:
        track.anchor = fix if slow else None
    elif not slow:
        track.anchor = None
    elif fix.time_us - anchor.time_us >= params.stop_min_s * 1e6:
        track.stopped = True
        detail = {"first": list(anchor.key), "confirmed": list(fix.key), "lon": anchor.lon, "lat": anchor.lat}
        out.append(Milestone(anchor.time_us, STOPPED, None, detail, fix.key))


def _hold_or_end(
    track: Track, anchor: Fix, fix: Fix, near: bool, slow: bool, params: Parameters, out: list[Milestone]
) -> None:
    if near:
        track.leaving, track.leaving_count = None, 0
        return
    first = track.leaving or fix
    track.leaving, track.leaving_count = first, track.leaving_count + 1
    if track.leaving_count < params.move_points:
        return
    detail = {
        "first": list(first.key),
        "confirmed": list(fix.key),
        "lon": anchor.lon,
        "lat": anchor.lat,
        "stood_s": (first.time_us - anchor.time_us) / 1e6,
    }
    out.append(Milestone(first.time_us, MOVED, None, detail, fix.key))
    track.leaving, track.leaving_count = None, 0
    track.stopped, track.anchor = False, fix if slow else None
