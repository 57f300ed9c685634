"""The rule about the mean kinetic temperature. It informs; it excuses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.held import TEMPERATURE, Held, held
from tracking.domain.custody.intervals import overlap
from tracking.domain.custody.kinetic import over
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.sensors import Series, cite_sensor, series, speaking
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict


class KineticLimits(Struct, frozen=True):
    """Parameters of ``mkt_report``. What is none here is the profile's.

    Attributes:
        limit_c: highest mean kinetic temperature, degrees Celsius.
        window_h: hours over which it is taken.
    """

    limit_c: float | None = None
    window_h: Annotated[float, Meta(gt=0)] | None = None


class Window(Struct, frozen=True):
    """The mean kinetic temperature of one window.

    Attributes:
        series: the sensor.
        hold: whose limit it is held to.
        begins: from here on.
        ends: up to here: a whole window later, or when the sensor or the limits end.
        limit_c: what it should not exceed.
        value_c: what it is; None: nothing was measured.
    """

    series: Series
    hold: Held
    begins: datetime
    ends: datetime
    limit_c: float
    value_c: float | None


def kinetic_due(case: Case, limits: KineticLimits) -> datetime | None:
    """When the next window is over."""
    moments = []
    for hold, _, window in _limited(case, limits):
        if hold.ends is not None and hold.ends <= case.until:
            continue
        passed = max((case.until - hold.begins) // window, 0)
        following = hold.begins + (passed + 1) * window
        moments.append(following if hold.ends is None else min(following, hold.ends))
    return min((moment for moment in moments if moment > case.until), default=None)


@rule(number="F6", code="mkt_report", severity=Severity.INFO, limits=KineticLimits, due=kinetic_due)
def mkt_report(case: Case, limits: KineticLimits) -> Iterator[Verdict]:
    """The mean kinetic temperature of a window is above its limit (平均动力学温度).

    The windows follow one another from the leg's beginning, ``window_h`` each; the last is as short as it
    is. Opens at the end of a window above ``limit_c``. Closes at the end of the next that is not, or when
    the leg ends. The limit is the leg's ``mean_kinetic_c``, else this parameter, else the profile's.

    Must not fire where neither terms nor profile limit it; before a window is over; nor does a good mean
    withdraw an excursion (F1): this is information only.

    Args:
        case: the shipment as of the watermark; values after that are not read.
        limits: ``limit_c`` in degrees Celsius (8 and 25 for medicine); ``window_h`` in hours (24 and 720).

    Evidence: the sensor with its last calibration; the window, its mean kinetic temperature and the limit.
    Source: USP <1160>, dH 83.144 kJ/mol; the windows are the authors' proposal for it (unverified here).
    Authorities don't take the mean as an excuse.
    """
    above: dict[str, Verdict] = {}
    for window in windows(case, limits):
        device = window.series.carriage.device
        is_last = window.hold.ends == window.ends
        is_above = window.value_c is not None and window.value_c > window.limit_c
        if device in above:
            if is_last or not is_above:
                yield msgspec.structs.replace(above.pop(device), closed_at=window.ends)
            continue
        if window.value_c is None or not is_above:
            continue
        piece = {
            "mean_kinetic_c": round(window.value_c, 3),
            "from": window.begins.isoformat(),
            "until": window.ends.isoformat(),
            "limit_c": window.limit_c,
        }
        found = Verdict(
            rule="mkt_report",
            cause=device,
            outcome=Outcome.FINDING,
            severity=Severity.INFO,
            opened_at=window.ends,
            closed_at=window.ends if is_last else None,
            evidence=(cite_sensor(window.series.carriage), piece),
            parameters={
                "limit_c": window.limit_c,
                "window_h": _window_h(window.hold, limits),
                "profile": window.hold.profile_name,
            },
            terms_revision=window.hold.revision,
        )
        if is_last:
            yield found
        else:
            above[device] = found
    yield from above.values()


def windows(case: Case, limits: KineticLimits) -> Iterator[Window]:
    """The windows that are over, hold by hold and sensor by sensor, in order of time."""
    values = [one.as_of(case.until) for one in series(case.facts, TEMPERATURE)]
    for hold, limit_c, window in _limited(case, limits):
        longest = timedelta(minutes=hold.profile.gap_storage_min)
        for one, times in speaking(values, case.facts):
            begins = hold.begins
            while hold.ends is None or begins < hold.ends:
                ends = begins + window if hold.ends is None else min(begins + window, hold.ends)
                if ends > case.until:
                    break
                kept = [
                    sample
                    for during in times
                    if (shared := overlap(during, (begins, ends))) is not None
                    for sample in one.within(*shared)
                ]
                yield Window(one, hold, begins, ends, limit_c, over(kept, begins, ends, longest))
                begins = ends


def _limited(case: Case, limits: KineticLimits) -> Iterator[tuple[Held, float, timedelta]]:
    """Where a mean kinetic temperature is limited."""
    for hold in held(case):
        asked = (hold.limit.mean_kinetic_c, limits.limit_c, hold.profile.mean_kinetic_c)
        limit_c = next((limit for limit in asked if limit is not None), None)
        if limit_c is not None:
            yield hold, limit_c, timedelta(hours=_window_h(hold, limits))


def _window_h(hold: Held, limits: KineticLimits) -> float:
    return limits.window_h or hold.profile.mean_kinetic_h
