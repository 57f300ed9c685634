"""Excursions of a shipment's goods: the runs of every sensor that speaks, joined where they are one event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.excursions import Band, Piece, Run, plausible, runs
from tracking.domain.custody.held import Held, at
from tracking.domain.custody.intervals import overlap
from tracking.domain.custody.sensors import Series, cite_sensor, series, speaking
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, Verdict, cite_sample

POLLS: Final = 5
"""So many reports of a device are awaited; then it is silent, and its track tells of that."""


class Excursion(Struct, frozen=True):
    """A run of values, and the sensor that tells of it.

    Attributes:
        run: the values.
        series: everything that this sensor measured.
        hold: the limits that held when it began.
        is_defrost: it began while a cooling unit defrosted.
    """

    run: Run
    series: Series
    hold: Held
    is_defrost: bool = False


def found_in(
    case: Case,
    quantity: str,
    bands: Sequence[tuple[Held, Band]],
    spike: float,
    spike_s: float,
    until: datetime | None,
) -> Iterator[Excursion]:
    """The runs of every sensor that speaks.

    Args:
        case: the shipment.
        quantity: what was measured.
        bands: where limits hold, and the band that they make; in order, without overlaps.
        spike: see ``plausible``.
        spike_s: see ``plausible``.
        until: values after that moment are not read; None: all that is known is.
    """
    values = series(case.facts, quantity)
    if until is not None:
        values = [one.as_of(until) for one in values]
    for one, times in speaking(values, case.facts):
        pieces = [
            Piece(shared, band)
            for during in times
            for hold, band in bands
            if (shared := overlap(hold.during, during)) is not None and shared[0] != shared[1]
        ]
        kept, _ = plausible(one.samples, spike, spike_s)
        for run in runs(kept, sorted(pieces, key=lambda piece: piece.during[0])):
            hold_then = at([hold for hold, _ in bands], run.begins)
            assert hold_then is not None  # a piece of it held
            yield Excursion(run, one, hold_then)


def clusters(found: Sequence[Excursion]) -> Iterator[list[Excursion]]:
    """Excursions of one thing that overlap in time are one, in the order in which they became known."""
    things = sorted({_place(one.series) for one in found})
    for thing in things:
        ordered = sorted(
            (one for one in found if _place(one.series) == thing),
            key=lambda one: (one.run.known or one.run.opens, one.series.carriage.device),
        )
        together: list[Excursion] = []
        ends: datetime | None = None
        for one in ordered:
            if together and ends is not None and one.run.begins > ends:
                yield together
                together = []
            if not together:
                ends = one.run.ends
            else:
                ends = None if ends is None or one.run.ends is None else max(ends, one.run.ends)
            together.append(one)
        if together:
            yield together


def _place(one: Series) -> str:
    return one.carriage.thing or one.carriage.device


def awaited(one: Excursion, until: datetime) -> datetime | None:
    """When to look at a run again although nothing crosses a limit: when it opens, and, as long as one value
    stands alone, at each report that is expected.
    """
    run = one.run
    if run.opens > until:
        return run.known if run.ends is not None else run.opens
    if run.known is not None or run.ends is not None:
        return run.known
    every = timedelta(seconds=one.series.carriage.expected_every_s)
    reports = (run.begins + every * count for count in range(1, POLLS + 1))
    return next((moment for moment in reports if moment > until), None)


def cited(one: Excursion, until: datetime) -> Iterator[Evidence]:
    """The run as evidence. While it lasts, nothing that the next value would change."""
    run, device = one.run, one.series.carriage.device
    yield cite_sensor(one.series.carriage)
    yield {**cite_sample(device, run.samples[0]), "is": "first out"}
    if run.ends is None or run.ends > until:
        return
    yield {**cite_sample(device, run.peak), "is": "farthest"}
    if run.back is not None:
        yield {**cite_sample(device, run.back), "is": "back"}
    yield {
        "excursion": device,
        "from": run.begins.isoformat(),
        "until": run.ends.isoformat(),
        "minutes": round((run.ends - run.begins).total_seconds() / 60, 2),
        "farthest": run.peak.value,
    }


def verdict_of(
    code: str,
    together: Sequence[Excursion],
    severity: Severity,
    evidence: tuple[Evidence, ...],
    parameters: Mapping[str, Any],
    until: datetime,
) -> Verdict:
    """One verdict of excursions that are one event: opened by the first, closed when the last is over."""
    ends = [one.run.ends for one in together]
    closed = None if None in ends else max(end for end in ends if end is not None)
    return Verdict(
        rule=code,
        cause=_place(together[0].series),
        outcome=Outcome.FINDING,
        severity=severity,
        opened_at=together[0].run.opens,
        closed_at=closed if closed is not None and closed <= until else None,
        evidence=evidence,
        parameters=parameters,
        terms_revision=together[0].hold.revision,
    )
