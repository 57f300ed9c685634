"""The truth about what is cold: out of its band, warmed by a door, without power. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from simulators.reality.befalling import MIN
from simulators.reality.course import Floats
from simulators.reality.hauls import Haul
from simulators.reality.seen import Incident, Seen, with_hysteresis
from simulators.reality.windows import Window


def temp_excursion(one: Seen) -> Iterator[Incident]:
    """F1: the air out of its band by more than the sensor's error for longer than the delay.

    Sure: also if it were 0.2 degrees nearer to the band (four times the sensor's noise), and two minutes (two
    readings) longer than the delay; may: if it were 0.2 degrees farther, and two minutes shorter. A run that
    begins while the unit defrosts, or before its delay is over, has 30 minutes. It may open as early as if it
    were farther.
    """
    haul, band = one.haul, one.haul.band
    if band is None:
        return
    t, air = haul.climate.t, haul.climate.air_c
    held = t >= one.left
    t, beyond = t[held], np.maximum(air - band.high, (band.low if band.low is not None else -1e9) - air)[held]
    sure_runs, true_runs = _excursions(beyond - 0.2, t, haul, 120.0), _excursions(beyond, t, haul, 0.0)
    for begins, ends in _excursions(beyond + 0.2, t, haul, -120.0):
        sure, true = (
            [run for run in found if run[0] < ends and begins < run[1]] for found in (sure_runs, true_runs)
        )
        since = true[0][0] if true else begins
        due = since + _delay_s(haul, since)
        most = float(beyond[(t >= begins) & (t <= ends)].max())
        why = f"{most:.1f} degrees beyond for {(ends - since) / 60:.0f} minutes"
        starts = t[(t >= begins) & (t <= since)].tolist()
        least = min(due, *(start + _delay_s(haul, start) for start in starts))
        yield Incident(
            "temp_excursion", haul.shipment, due, max(ends, due), due, bool(sure), why, early_s=due - least
        )


def door_open_warming(one: Seen) -> Iterator[Incident]:
    """F4: a door open for five minutes while the temperature rose by 0.2 degrees a minute.

    Sure: by 1.25 degrees in five minutes; may: by 0.75.
    """
    haul = one.haul
    if haul.band is None:
        return
    for begins, ends in haul.climate.doors:
        marks = [begins + 5 * MIN * count for count in range(1, 13) if begins + 5 * MIN * count < ends]
        rises = [haul.climate.at(mark) - haul.climate.at(mark - 5 * MIN) for mark in marks]
        if begins >= one.left and rises and max(rises) >= 0.75:
            why = f"open for {(ends - begins) / 60:.1f} minutes, {max(rises):.1f} degrees in five"
            sure = rises[0] >= 1.25 and ends - marks[0] > 30
            yield Incident("door_open_warming", haul.shipment, marks[0], ends, marks[0], sure, why)


def power_loss(one: Seen) -> Iterator[Incident]:
    """F5: the unit without power for ten minutes. Sure: for twelve, two readings more; may: for nine."""
    haul = one.haul
    for begins, ends in _together(haul.climate.failures, haul.ends) if haul.band is not None else ():
        if ends - begins >= 9 * MIN and ends > one.left:
            due = max(begins, one.left) + 10 * MIN
            sure = ends - due > 2 * MIN
            why = f"for {(ends - begins) / 60:.0f} minutes"
            yield Incident("power_loss", haul.shipment, due, ends, due, sure, why)


def _excursions(beyond: Floats, t: Floats, haul: Haul, longer_s: float) -> list[Window]:
    band = haul.band
    assert band is not None
    return [
        run
        for run in with_hysteresis(beyond, t, out=band.error, back=-band.hysteresis)
        if run[1] - run[0] >= _delay_s(haul, run[0]) + longer_s
    ]


def _together(windows: Iterable[Window], until: float) -> Iterator[Window]:
    """Windows that overlap as one, none longer than up to a moment."""
    since: Window | None = None
    for begins, ends in sorted(windows):
        if since is not None and begins <= since[1]:
            since = since[0], max(since[1], ends)
            continue
        if since is not None:
            yield since[0], min(since[1], until)
        since = begins, ends
    if since is not None:
        yield since[0], min(since[1], until)


def _delay_s(haul: Haul, begins: float) -> float:
    assert haul.band is not None
    until = begins + haul.band.delay_s
    defrosts = any(since < until and begins < ends for since, ends in haul.climate.defrosts)
    return max(haul.band.delay_s, 1800.0) if defrosts else haul.band.delay_s
