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
        return Presence(target, 1, fix, work.track.fix, 0, depth)
    sure_us = max(0, run.sure_us + _counted_us(work, fix, code, run, depth, target))
    after = run.after or fix if target is Standing.TOUCHED else run.after
    if target is Standing.TOUCHED:
        return Presence(target, run.count, run.first, run.prior, sure_us, depth, after)
    if run.standing is Standing.TOUCHED and not sure_us:
        return Presence(target, 1, fix, run.prior, 0, depth, after)
    return Presence(target, run.count + 1, run.first, run.prior, sure_us, depth, after)


def is_confirmed(work: Working, fix: Fix, code: str, run: Presence) -> bool:
    """Whether the run is evidence enough; leaving what is no longer in force needs none."""
    params = work.params
    points, span_s = params.exit_points, params.exit_span_s
    if run.standing is Standing.LEAVING:
        if work.places.holds(code, fix.time_us) is None:
            return True
        if code in work.places.corridors:
            points, span_s = params.stray_points, params.stray_span_s
    elif not work.stands or _was_never_outside(work, fix, code, run):
        points = params.entry_points
    return run.count >= points and run.sure_us >= span_s * 1e6


def _depth(work: Working, fix: Fix, beyond_m: float) -> float:
    """How far beyond the border, in accuracies of the fix; no more than ``sure_depth`` either way."""
    sure = work.params.sure_depth
    most_m = sure * fix.accuracy_m
    if abs(beyond_m) >= most_m:
        return sure if beyond_m >= 0 else -sure
    return beyond_m / fix.accuracy_m


def _counted_us(work: Working, fix: Fix, code: str, run: Presence, depth: float, target: Standing) -> int:
    """What the time since the fix before counts, microseconds; negative where it speaks against the run.

    What stands may be in by drift, and needs as much to enter as to leave; on the move, seconds count more.
    What was never seen outside has no crossing to prove: its seconds count in full.
    """
    params, last = work.params, work.track.fix
    assert last is not None
    counted = min(fix.time_us - last.time_us, params.error_lasts_s * 1e6)
    is_new = target is not Standing.LEAVING and _was_never_outside(work, fix, code, run)
    if target is not Standing.LEAVING and (is_new or not work.stands):
        counted *= params.exit_span_s / params.entry_span_s
    low, high = min(run.depth, depth), max(run.depth, depth)
    if low < 0 or not is_new:
        counted *= (low * high if low > 0 else -low * low) / (params.sure_depth * params.sure_depth)
    return int(counted)


def _was_never_outside(work: Working, fix: Fix, code: str, run: Presence) -> bool:
    """Whether the track begins inside, by its beginning or a jump, or the area was drawn around it."""
    if run.prior is None or run.first is None:
        return True
    area = work.places.holds(code, fix.time_us)
    if area is not None and area.valid_from_us > run.prior.time_us:
        return True
    return Way(run.prior, run.first).is_impossible(work.profile, work.params)
