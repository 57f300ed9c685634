"""Runs: fixes on one side of a border, and whether they are evidence enough.

Errors of fixes that follow each other are alike for minutes, so the number of fixes says little. What counts
is how deep they lie for how long, measured by their own accuracy. A receiver that wanders may stray far, or
for long, but not both: how unlikely that is grows with the time and with the square of the depth. So a second
between two fixes counts as the product of their depths, and in full where both are ``sure_depth``.

A departure is over with the first fix that isn't outside. An arrival is not over with one that isn't inside:
it counts nothing, and against the arrival where it lies outside the border.
"""

from __future__ import annotations

from tracking.domain.tracks.state import Fix, Presence, Standing
from tracking.domain.tracks.way import Way
from tracking.domain.tracks.working import Working


def lengthened(
    work: Working, fix: Fix, code: str, distance_m: float, run: Presence | None, target: Standing
) -> Presence:
    """The run with one more fix, or a new run.

    Args:
        work: the fold in progress.
        fix: the fix.
        code: of the area.
        distance_m: from the fix to the border, metres, negative within.
        run: the standing so far.
        target: ``ENTERING``, ``TOUCHED`` or ``LEAVING``, as the table says.
    """
    depth = _depth(work, fix, distance_m if target is Standing.LEAVING else -distance_m)
    goes_on = run is not None and (run.standing is target or Standing.TOUCHED in (run.standing, target))
    if run is None or not goes_on:
        is_new = target is Standing.ENTERING and _was_never_outside(work, fix, code)
        return Presence(target, 1, fix, work.track.fix, 0, depth, None, is_new)
    count, first, after, is_new = run.count, run.first, run.after, run.is_new
    sure_us = max(0, run.sure_us + _counted_us(work, fix, run, depth, target))
    if target is Standing.TOUCHED:
        after = after or fix
    elif run.standing is Standing.TOUCHED and not sure_us:
        count, first, is_new = 1, fix, False
    else:
        count += 1
    return Presence(target, count, first, run.prior, sure_us, depth, after, is_new)


def is_confirmed(work: Working, fix: Fix, code: str, run: Presence) -> bool:
    """Whether the run is evidence enough; leaving what is no longer in force needs none."""
    params = work.params
    if run.standing is Standing.ENTERING:
        if run.sure_us < params.exit_span_s * 1e6:
            return False
        is_eased = run.is_new or not _stands(work, fix)
        return run.count >= (params.entry_points if is_eased else params.exit_points)
    if work.places.holds(code, fix.time_us) is None:
        return True
    if code in work.places.corridors:
        return run.count >= params.stray_points and run.sure_us >= params.stray_span_s * 1e6
    return run.count >= params.exit_points and run.sure_us >= params.exit_span_s * 1e6


def _depth(work: Working, fix: Fix, beyond_m: float) -> float:
    """How far beyond the border, in accuracies of the fix; no more than ``sure_depth`` either way."""
    sure = work.params.sure_depth
    most_m = sure * fix.accuracy_m
    if abs(beyond_m) >= most_m:
        return sure if beyond_m >= 0 else -sure
    return beyond_m / fix.accuracy_m


def _counted_us(work: Working, fix: Fix, run: Presence, depth: float, target: Standing) -> int:
    """What the time since the fix before counts, microseconds; negative where it speaks against the run.

    What stands may be in by drift, and needs as much to enter as to leave; on the move, seconds count more.
    What was never seen outside has no crossing to prove: its seconds count in full.
    """
    params, last = work.params, work.track.fix
    assert last is not None
    counted = min(fix.time_us - last.time_us, params.error_lasts_s * 1e6)
    if target is not Standing.LEAVING and (run.is_new or not _stands(work, fix)):
        counted *= params.exit_span_s / params.entry_span_s
    low, high = min(run.depth, depth), max(run.depth, depth)
    if low < 0 or not run.is_new:
        counted *= (low * high if low > 0 else -low * low) / (params.sure_depth * params.sure_depth)
    return int(counted)


def _stands(work: Working, fix: Fix) -> bool:
    """Whether it stands: by its own word, or no farther from the last fix than both may err.

    A reflection ends a stop, so that alone doesn't say.
    """
    last = work.track.fix
    assert last is not None
    if work.track.stopped or work.is_slow is not None:
        return work.track.stopped or bool(work.is_slow)
    way = Way(last, fix)
    return way.length_m() <= way.doubt_m


def _was_never_outside(work: Working, fix: Fix, code: str) -> bool:
    """Whether the track begins inside, by its first fix or by a jump, or the area was drawn around it."""
    last = work.track.fix
    if last is None:
        return True
    area = work.places.holds(code, fix.time_us)
    if area is not None and area.valid_from_us > last.time_us:
        return True
    way = Way(last, fix)
    return way.length_m() > work.params.jump_min_m and way.is_impossible(work.profile, work.params)
