"""Standing still: a stop begins where the device first stood, and ends when it is beyond the radius."""

from __future__ import annotations

from tracking.domain.places import Hit
from tracking.domain.tracks.milestones import MOVED, STOPPED, Milestone
from tracking.domain.tracks.state import Fix
from tracking.domain.tracks.way import Way
from tracking.domain.tracks.working import Working


def judge_stop(
    work: Working,
    fix: Fix,
    speed_mps: float | None,
    scale: tuple[float, float],
    hits: tuple[Hit, ...],
) -> tuple[Way, ...] | None:
    """Let one usable fix begin, hold or end a stop.

    While a stop holds, the ways between fixes are drift. When it ends, it is known that the first of them led
    away from it.

    The fix's accuracy is added to the radius, in favour of standing: drift around a parked truck is no move.

    Args:
        work: the fold in progress.
        fix: the fix.
        speed_mps: as the device says; ``None``: the distances alone decide.
        scale: metres per degree of longitude and of latitude at the fix.
        hits: the areas near it.

    Returns:
        The ways that the device has gone, where that isn't just from its last fix to this one: none during a
        stop; out of the stop when it ends. ``None``: from its last fix to this one.
    """
    track, params = work.track, work.params
    is_slow = speed_mps is None or speed_mps <= work.slow_mps
    anchor = track.anchor
    if anchor is None:
        if is_slow:
            track.anchor = fix
        return None
    x, y = (fix.lon - anchor.lon) * scale[0], (fix.lat - anchor.lat) * scale[1]
    radius = params.stop_radius_m + fix.accuracy_m
    is_near = x * x + y * y <= radius * radius
    if track.stopped:
        if not is_near:
            return _leave(work, anchor, fix, is_slow)
        track.leaving, track.leaving_count, track.leaving_from = None, 0, None
        return ()
    if not is_near:
        track.anchor = fix if is_slow else None
    elif not is_slow:
        track.anchor = None
    elif fix.time_us - anchor.time_us >= params.stop_min_s * 1e6:
        track.stopped = True
        detail = {
            "first": list(anchor.key),
            "confirmed": list(fix.key),
            "lon": anchor.lon,
            "lat": anchor.lat,
            "near": _nearest(work, hits),
        }
        work.out.append(Milestone(anchor.time_us, STOPPED, None, detail, fix.key))
        return ()
    return None


def _nearest(work: Working, hits: tuple[Hit, ...]) -> list[str | float] | None:
    """The nearest zone and its distance in metres, negative within; ``None``: there is none near."""
    zones = [(distance, code) for code, distance in hits if code not in work.places.corridors]
    if not zones:
        return None
    distance, code = min(zones)
    return [code, round(distance, 1) + 0.0]


def _leave(work: Working, anchor: Fix, fix: Fix, is_slow: bool) -> tuple[Way, ...]:
    """One more fix beyond the radius; enough of them in a row end the stop."""
    track = work.track
    first, start = track.leaving or fix, track.leaving_from or track.fix or anchor
    track.leaving, track.leaving_count, track.leaving_from = first, track.leaving_count + 1, start
    if track.leaving_count < work.params.move_points:
        return ()
    detail = {
        "first": list(first.key),
        "confirmed": list(fix.key),
        "before": list(start.key),
        "lon": anchor.lon,
        "lat": anchor.lat,
        "stood_s": (first.time_us - anchor.time_us) / 1e6,
    }
    work.out.append(Milestone(first.time_us, MOVED, None, detail, fix.key))
    track.leaving, track.leaving_count, track.leaving_from = None, 0, None
    track.stopped, track.anchor = False, fix if is_slow else None
    return (Way(start, first), Way(first, fix)) if first is not fix else (Way(start, fix),)
