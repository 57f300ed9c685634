"""Areas: from fixes with accuracy to verdicts, from verdicts to standing, from standing to milestones.

A fix's verdict on an area is *inside*, *outside* or *undetermined*. One fix alone changes nothing: the table says
how a run of verdicts moves the standing, and a run must be confirmed before it is told. An undetermined fix breaks
every run, so drift along a border, however long, is neither a departure nor an arrival.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from msgspec import Struct

from tracking.domain.places import Crossing, Hit, PlaceIndex
from tracking.domain.tracks.milestones import CROSSED, ENTERED, LEFT, RETURNED, STRAYED, Milestone
from tracking.domain.tracks.parameters import Parameters
from tracking.domain.tracks.state import Fix, Presence, Standing, Track
from tracking.domain.tracks.way import crossing_between, planar_m


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
"""Every move there is. Areas in which the device neither is nor was lately are not remembered at all: ``OUT``."""

_IN: Final = Presence(IN)


class Ground(Struct, frozen=True):
    """What areas are judged by: the places and the parameters."""

    places: PlaceIndex
    params: Parameters


def judge_areas(track: Track, fix: Fix, hits: tuple[Hit, ...], ground: Ground, out: list[Milestone]) -> None:
    """Move the standing towards every area that is near the fix or remembered."""
    areas, params, corridors = track.areas, ground.params, ground.places.corridors
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
                _step(track, code, None, INSIDE, fix, ground, out)
                known += code in areas
            continue
        known += 1
        if presence.standing is IN and not is_outside:
            continue
        verdict = INSIDE if is_inside else OUTSIDE if is_outside else UNDETERMINED
        known -= not _step(track, code, presence, verdict, fix, ground, out)
    if known != len(areas):
        named = {code for code, _ in hits}
        for code in sorted(areas.keys() - named):
            _step(track, code, areas[code], OUTSIDE, fix, ground, out)


def judge_crossings(
    track: Track, last: Fix, fix: Fix, crossings: tuple[Crossing, ...], ground: Ground, out: list[Milestone]
) -> None:
    """Tell the zones on the straight way from the last fix to this one, where neither of them lies."""
    for crossing in crossings:
        if crossing.area not in track.areas and _moved_on(last, fix):
            certain = not track.stopped and _certain(crossing, last, fix, ground.params)
            out.append(_crossed(crossing.area, crossing, certain, last, fix, ground))


def _step(
    track: Track,
    code: str,
    presence: Presence | None,
    verdict: Verdict,
    fix: Fix,
    ground: Ground,
    out: list[Milestone],
) -> bool:
    """Make one move of the table; returns whether the area is still remembered."""
    standing = OUT if presence is None else presence.standing
    target = MOVES[standing, verdict]
    if target in (ENTERING, LEAVING):
        presence = _longer(track, presence, target, fix)
        if _confirmed(code, presence, fix, ground):
            target = IN if target is ENTERING else OUT
            _tell(code, presence, fix, ground, out)
    elif standing in (ENTERING, TOUCHED) and target is OUT and presence is not None:
        _tell_touched(code, presence, fix, ground, out)
    if target is OUT:
        track.areas.pop(code, None)
        return False
    if target is IN:
        presence = _IN
    elif presence is not None and presence.standing is not target:
        presence = Presence(target, presence.count, presence.first, presence.prior)
    assert presence is not None
    track.areas[code] = presence
    return True


def _longer(track: Track, presence: Presence | None, target: Standing, fix: Fix) -> Presence:
    """The run with one more fix, or a new run."""
    if presence is not None and presence.standing is target:
        return Presence(target, presence.count + 1, presence.first, presence.prior)
    prior = presence.prior if presence is not None and presence.standing is TOUCHED else track.fix
    return Presence(target, 1, fix, prior)


def _confirmed(code: str, run: Presence, fix: Fix, ground: Ground) -> bool:
    params = ground.params
    assert run.first is not None
    if run.standing is ENTERING:
        return run.count >= params.entry_points
    if ground.places.holds(code, fix.time_us) is None:
        return True
    span_us = fix.time_us - run.first.time_us
    if code in ground.places.corridors:
        return run.count >= params.stray_points and span_us >= params.stray_span_s * 1e6
    return run.count >= params.exit_points and span_us >= params.exit_span_s * 1e6


def _tell(code: str, run: Presence, fix: Fix, ground: Ground, out: list[Milestone]) -> None:
    """A confirmed run, dated at its first fix. A corridor that is no longer in force is forgotten without a word."""
    first, is_corridor = run.first, code in ground.places.corridors
    assert first is not None
    if run.standing is ENTERING:
        kind = RETURNED if is_corridor else ENTERED
    else:
        kind = STRAYED if is_corridor else LEFT
    area = ground.places.holds(code, fix.time_us)
    if area is None and is_corridor:
        return
    detail: dict[str, Any] = {
        "first": list(first.key),
        "confirmed": list(fix.key),
        "fixes": run.count,
        "before": None if run.prior is None else list(run.prior.key),
        "lon": first.lon,
        "lat": first.lat,
        "accuracy_m": first.accuracy_m,
        "distance_m": _exact(code, first, ground),
    }
    if area is None:
        detail["reason"] = "area_ended"
    else:
        detail["revision"] = area.revision
    if area is not None and area.tolerance_m is not None:
        detail["tolerance_m"] = area.tolerance_m
    out.append(Milestone(first.time_us, kind, code, detail, fix.key))


def _tell_touched(code: str, run: Presence, fix: Fix, ground: Ground, out: list[Milestone]) -> None:
    """Single fixes inside between two outside: crossed where the device moved on, drift where it did not.

    Certain only when the straight way past those fixes leads through the zone as well.
    """
    first = run.first
    before = run.prior or first
    area = ground.places.holds(code, fix.time_us)
    if area is None or area.is_corridor or first is None or before is None:
        return
    x_m = planar_m(before.lon, before.lat, fix.lon, fix.lat)
    if x_m <= ground.params.stop_radius_m + before.accuracy_m + fix.accuracy_m:
        return
    crossing = crossing_between(ground.places, code, before, fix)
    certain = crossing is not None and _certain(crossing, before, fix, ground.params)
    milestone = _crossed(code, crossing, certain, before, fix, ground)
    milestone.detail["inside"] = list(first.key)
    out.append(milestone)


def _moved_on(last: Fix, fix: Fix) -> bool:
    return planar_m(last.lon, last.lat, fix.lon, fix.lat) > last.accuracy_m + fix.accuracy_m


def _certain(crossing: Crossing, last: Fix, fix: Fix, params: Parameters) -> bool:
    """Whether nobody could doubt the way: a short gap, and deeper inside than the fixes are uncertain."""
    gap_us = fix.time_us - last.time_us
    return gap_us <= params.crossing_max_gap_s * 1e6 and crossing.depth_m > max(
        last.accuracy_m, fix.accuracy_m
    )


def _crossed(
    code: str, crossing: Crossing | None, certain: bool, last: Fix, fix: Fix, ground: Ground
) -> Milestone:
    area = ground.places.holds(code, fix.time_us)
    detail: dict[str, Any] = {
        "certain": certain,
        "before": list(last.key),
        "after": list(fix.key),
        "gap_s": (fix.time_us - last.time_us) / 1e6,
        "revision": None if area is None else area.revision,
    }
    if crossing is not None:
        detail |= {
            "lon": crossing.lon,
            "lat": crossing.lat,
            "depth_m": crossing.depth_m,
            "length_m": crossing.length_m,
        }
    return Milestone(fix.time_us, CROSSED, code, detail, fix.key)


def _exact(code: str, fix: Fix, ground: Ground) -> float | None:
    """Geodesic distance to the border for the evidence, to a tenth of a metre."""
    distance = ground.places.distance_m(code, fix.lon, fix.lat, fix.time_us)
    return None if distance is None else round(distance, 1) + 0.0
