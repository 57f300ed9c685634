"""Areas: from fixes with accuracy to verdicts, from verdicts to standing, from standing to milestones.

A fix's verdict on an area is *inside*, *outside* or *undetermined*. One fix alone changes nothing: the table
says how a run of verdicts moves the standing, and a run must be evidence enough (``runs``) before it is told.
Drift along a border, however long, is neither a departure nor an arrival.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any, Final

from tracking.domain.places import Crossing, Hit
from tracking.domain.tracks.milestones import CROSSED, ENTERED, LEFT, RETURNED, STRAYED, Milestone
from tracking.domain.tracks.runs import is_confirmed, lengthened
from tracking.domain.tracks.state import Fix, Presence, Standing
from tracking.domain.tracks.way import Way
from tracking.domain.tracks.working import Working


class Verdict(IntEnum):
    """What one fix says of one area."""

    OUTSIDE = 0
    UNDETERMINED = 1
    INSIDE = 2


OUTSIDE, UNDETERMINED, INSIDE = Verdict
OUT, ENTERING, TOUCHED, IN, LEAVING = Standing

MOVES: Final[dict[tuple[Standing, Verdict], Standing]] = {
    (OUT, INSIDE): ENTERING,
    (OUT, UNDETERMINED): OUT,
    (OUT, OUTSIDE): OUT,
    (ENTERING, INSIDE): ENTERING,  # IN once confirmed: entered, returned
    (ENTERING, UNDETERMINED): TOUCHED,
    (ENTERING, OUTSIDE): OUT,  # crossed, where the device has moved on
    (TOUCHED, INSIDE): ENTERING,
    (TOUCHED, UNDETERMINED): TOUCHED,
    (TOUCHED, OUTSIDE): OUT,  # crossed, where the device has moved on
    (IN, INSIDE): IN,
    (IN, UNDETERMINED): IN,
    (IN, OUTSIDE): LEAVING,
    (LEAVING, OUTSIDE): LEAVING,  # OUT once confirmed: left, strayed
    (LEAVING, UNDETERMINED): IN,
    (LEAVING, INSIDE): IN,
}
"""Every move there is. An area that the device is out of isn't remembered: that is ``OUT``."""

CONFIRMED: Final[dict[Standing, Standing]] = {ENTERING: IN, LEAVING: OUT}
"""Where a run leads once it is confirmed."""

_IN: Final = Presence(IN)


def judge_areas(work: Working, fix: Fix, hits: tuple[Hit, ...]) -> None:
    """Move the standing towards every area that is near the fix or remembered."""
    areas, params, corridors = work.track.areas, work.params, work.places.corridors
    accuracy = fix.accuracy_m
    known = 0
    for code, distance in hits:
        if code in corridors:
            is_inside = distance < -accuracy and distance < -params.return_hysteresis_m
            is_outside = distance > accuracy
        else:
            is_inside = distance < -accuracy
            is_outside = distance > accuracy + params.border_buffer_m
        presence = areas.get(code)
        if presence is None:
            if is_inside:
                known += _step(work, fix, code, distance, None, INSIDE)
        elif presence.standing is IN and not is_outside:
            known += 1
        else:
            verdict = INSIDE if is_inside else OUTSIDE if is_outside else UNDETERMINED
            known += _step(work, fix, code, distance, presence, verdict)
    if known != len(areas):
        for code in sorted(areas.keys() - {code for code, _ in hits}):
            _step(work, fix, code, math.inf, areas[code], OUTSIDE)


def judge_crossings(work: Working, way: Way, crossings: tuple[Crossing, ...], drift_m: float = 0.0) -> None:
    """Tell the zones on the straight way between two fixes, where neither of them lies.

    Args:
        work: the fold in progress.
        way: from one fix to the next.
        crossings: the zones on it.
        drift_m: a way no longer than this and the fixes' accuracy leads nowhere.
    """
    if way.length_m() <= drift_m + way.doubt_m:
        return
    for crossing in crossings:
        if crossing.area not in work.track.areas:
            certain = way.is_plain(crossing, work.params) and way.is_the_only(crossing, work.profile)
            work.out.append(_crossed(work, way, crossing.area, crossing, certain))


def _step(
    work: Working, fix: Fix, code: str, distance_m: float, presence: Presence | None, verdict: Verdict
) -> bool:
    """Make one move of the table; returns whether the area is still remembered."""
    areas = work.track.areas
    standing = OUT if presence is None else presence.standing
    target = MOVES[standing, verdict]
    if target in CONFIRMED or target is TOUCHED:
        presence = lengthened(work, fix, code, distance_m, presence, target)
        if target is not TOUCHED and is_confirmed(work, fix, code, presence):
            target = CONFIRMED[target]
            _tell(work, fix, code, presence)
    elif target is OUT and presence is not None:
        _tell_touched(work, fix, code, presence)
    if target is OUT or presence is None:
        areas.pop(code, None)
        return False
    areas[code] = _IN if target is IN else presence
    return True


def _tell(work: Working, fix: Fix, code: str, run: Presence) -> None:
    """A confirmed run, dated at its first fix. A corridor no longer in force is forgotten without a word."""
    area, is_corridor = work.places.holds(code, fix.time_us), code in work.places.corridors
    if area is None and is_corridor:
        return
    if run.standing is ENTERING:
        kind = RETURNED if is_corridor else ENTERED
    else:
        kind = STRAYED if is_corridor else LEFT
    first = run.first
    assert first is not None
    distance = work.places.distance_m(code, first.lon, first.lat, first.time_us)
    detail: dict[str, Any] = {
        "first": list(first.key),
        "confirmed": list(fix.key),
        "fixes": run.count,
        "before": None if run.prior is None else list(run.prior.key),
        "before_at": None if run.prior is None else [run.prior.lon, run.prior.lat],
        "lon": first.lon,
        "lat": first.lat,
        "accuracy_m": first.accuracy_m,
        "distance_m": None if distance is None else round(distance, 1) + 0.0,
    }
    if area is None:
        detail["reason"] = "area_ended"
    else:
        detail["revision"] = area.revision
    if area is not None and area.tolerance_m is not None:
        detail["tolerance_m"] = area.tolerance_m
    work.out.append(Milestone(first.time_us, kind, code, detail, fix.key))


def _tell_touched(work: Working, fix: Fix, code: str, run: Presence) -> None:
    """Lone fixes inside a zone between two outside: crossed if the device has moved on, drift if it has not.

    Certain only when the straight way past those fixes leads through the zone as well, both to the first that
    isn't inside and to the one that is outside, and the first inside lies on it. Else the device may have
    gone around a corner.
    """
    area = work.places.holds(code, fix.time_us)
    if area is None or area.is_corridor or work.track.stopped:
        return
    assert run.first is not None
    way = Way(run.prior or run.first, fix)
    if way.length_m() <= work.params.stop_radius_m + way.doubt_m:
        return
    past = Way(way.start, run.after or fix)
    crossing = next((c for c in way.crossings(work.places) if c.area == code), None)
    certain = crossing is not None and way.is_plain(crossing, work.params) and past.passes(run.first)
    if certain and run.after is not None:
        certain = any(c.area == code and past.is_plain(c, work.params) for c in past.crossings(work.places))
    milestone = _crossed(work, way, code, crossing, certain)
    milestone.detail["inside"] = list(run.first.key)
    work.out.append(milestone)


def _crossed(work: Working, way: Way, code: str, crossing: Crossing | None, certain: bool) -> Milestone:
    """Dated at the end of the way: by then it had happened. Known now, which may be later."""
    assert work.track.heard is not None
    area = work.places.holds(code, way.end.time_us)
    detail: dict[str, Any] = {
        "certain": certain,
        "before": list(way.start.key),
        "after": list(way.end.key),
        "gap_s": way.gap_s,
        "revision": None if area is None else area.revision,
    }
    if crossing is not None:
        detail |= {
            "lon": crossing.lon,
            "lat": crossing.lat,
            "depth_m": crossing.depth_m,
            "length_m": crossing.length_m,
        }
    return Milestone(way.end.time_us, CROSSED, code, detail, work.track.heard)
