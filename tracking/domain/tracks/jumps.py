"""Impossible jumps (rule A8): what lies further away than the device can have come judges nothing yet."""

from __future__ import annotations

from tracking.domain.places import geodesy
from tracking.domain.tracks.milestones import JUMP_SETTLED, JUMPED, Milestone
from tracking.domain.tracks.state import Fix
from tracking.domain.tracks.way import Way
from tracking.domain.tracks.working import Working


def is_believed(work: Working, fix: Fix) -> bool:
    """Whether enough consistent fixes have followed an impossible jump; remembers and tells this one."""
    track, suspect = work.track, work.track.suspect
    if suspect is None:
        _tell(work, fix)
    is_consistent = suspect is not None and not Way(suspect, fix).is_impossible(work.profile, work.params)
    track.suspect, track.suspect_count = fix, track.suspect_count + 1 if is_consistent else 1
    if track.suspect_count < work.params.jump_points:
        return False
    settle(work, fix, believed=True)
    return True


def settle(work: Working, fix: Fix, *, believed: bool | None = None) -> None:
    """End a jump with a fix that judges.

    Args:
        work: the fold in progress.
        fix: the fix.
        believed: whether the device was there; by default, if the fix is nearer to there than to where it
            was before.
    """
    track, suspect, last = work.track, work.track.suspect, work.track.fix
    assert suspect is not None
    assert last is not None
    if believed is None:
        believed = Way(suspect, fix).length_m() < Way(last, fix).length_m()
    detail = {
        "key": list(fix.key),
        "before": list(last.key),
        "last": list(suspect.key),
        "believed": believed,
        "lon": fix.lon,
        "lat": fix.lat,
    }
    work.out.append(Milestone(fix.time_us, JUMP_SETTLED, None, detail, fix.key))
    track.suspect, track.suspect_count = None, 0


def _tell(work: Working, fix: Fix) -> None:
    last = work.track.fix
    assert last is not None
    length_m = geodesy.distance_m(last.lon, last.lat, fix.lon, fix.lat)
    gap_s = (fix.time_us - last.time_us) / 1e6
    detail = {
        "before": list(last.key),
        "after": list(fix.key),
        "from": [last.lon, last.lat],
        "to": [fix.lon, fix.lat],
        "distance_m": round(length_m, 1),
        "gap_s": gap_s,
        "speed_kmh": round(length_m / gap_s * 3.6, 1) if gap_s else None,
    }
    work.out.append(Milestone(fix.time_us, JUMPED, None, detail, fix.key))
