"""C8: the seal is here and the truck is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import PRIMARY, Carriage, Position
from tracking.domain.custody.intervals import Interval, overlap
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.rules.seal_devices import asked
from tracking.domain.custody.separation import Apart, apart
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, Verdict
from tracking.domain.custody.visits import UNHEARD


class SeparationLimits(Struct, frozen=True):
    """Parameters of ``seal_position_diverges``.

    Attributes:
        max_m: metres that seal and truck may be apart, beside what accuracy and movement make of it.
        for_s: seconds from the first fix that far apart to the last.
        time_align_s: seconds within which two fixes can be compared.
    """

    max_m: Annotated[float, Meta(gt=0, le=1_000_000)] = 500
    for_s: Annotated[int, Meta(ge=1, le=86_400)] = 300
    time_align_s: Annotated[float, Meta(ge=0, le=3600)] = 60


class _Compared(Struct, frozen=True):
    """A seal's fix beside the nearest of the trucks."""

    other: Carriage
    apart: Apart


def separation_due(case: Case, limits: SeparationLimits) -> datetime | None:
    """Positions leave no work of their own, so one looks again and again while both tell theirs."""
    speak = any(
        _speaks(seal, case.until)
        and any(_holds(must, case.until) for must in asked(case, seal))
        and any(_speaks(other, case.until) for other in _others(case, seal))
        for seal in case.facts.carriages
        if seal.is_seal
    )
    return case.until + timedelta(seconds=limits.for_s) if speak else None


@rule(
    number="C8",
    code="seal_position_diverges",
    severity=Severity.CRITICAL,
    limits=SeparationLimits,
    due=separation_due,
)
def seal_position_diverges(case: Case, limits: SeparationLimits) -> Iterator[Verdict]:
    """The seal is somewhere else than the truck (锁车位置分离).

    The container was left behind, or the seal carried off. Each of the seal's fixes is compared with where
    the primary device was then: on the line between its fixes before and after, both within
    ``time_align_s``; where only one is, it may have moved on at its own speed. Opens at the first fix more
    than ``max_m`` away, beyond the accuracy of both, once such fixes span ``for_s`` with no nearer one among
    them. Closes at the first nearer one, or when the seal is opened, replaced or taken off, or no leg runs.
    With several primary devices those on the same thing as the seal count, else the nearest of all.

    Undetermined when all of it vanishes once one of the two is taken for GCJ-02 fed as WGS-84.

    Must not fire for fixes with none of the other's near in time; nor for a seal without positions; nor for
    a seal that isn't on the goods, or is open; nor while no leg runs.

    Args:
        case: the shipment as of the watermark.
        limits: ``max_m``, metres, default 500; ``for_s``, seconds, default 300; ``time_align_s``, seconds,
            default 60.

    Evidence: the fixes of both at the beginning, when it was sure, and at the end, with their distance, and
    whether a wrong datum explains it.
    Source: rule C8 of our catalogue; all numbers are ours.
    """
    for seal in case.facts.carriages:
        others = _others(case, seal) if seal.is_seal and seal.positions else []
        for must in asked(case, seal) if others else ():
            compared = _compare(seal, others, must, limits)
            for run, back in _runs(compared, limits):
                is_datum = all(one.apart.is_datum for one in run)
                opened_at = run[0].apart.time
                terms = case.facts.terms_at(opened_at)
                assert terms is not None  # a leg runs
                yield Verdict(
                    rule="seal_position_diverges",
                    cause=seal.device,
                    outcome=Outcome.UNDETERMINED if is_datum else Outcome.FINDING,
                    severity=Severity.INFO if is_datum else Severity.CRITICAL,
                    opened_at=opened_at,
                    closed_at=back.apart.time if back is not None else must[1],
                    evidence=tuple(
                        _cited(seal, one) for one in (run[0], _sure(run, limits), back) if one is not None
                    ),
                    parameters=msgspec.structs.asdict(limits),
                    terms_revision=terms.revision,
                )


def _others(case: Case, seal: Carriage) -> list[Carriage]:
    """The devices that give the truck's position: those on the same thing, else all."""
    primary = [c for c in case.facts.carriages if c.role == PRIMARY and c.device != seal.device]
    return [other for other in primary if other.thing and other.thing == seal.thing] or primary


def _compare(
    seal: Carriage, others: Sequence[Carriage], must: Interval, limits: SeparationLimits
) -> list[_Compared]:
    """The seal's fixes of a time, each beside the nearest of the others."""
    nearest: dict[Position, _Compared] = {}
    for other in others:
        both = overlap(must, (other.begins, other.ends))
        if both is None:
            continue
        fixes = [fix for fix in seal.positions if _holds(both, fix.time)]
        for one in apart(fixes, other.positions, limits.time_align_s, limits.max_m):
            known = nearest.get(one.fix)
            if known is None or one.surely_m < known.apart.surely_m:
                nearest[one.fix] = _Compared(other, one)
    return [nearest[fix] for fix in seal.positions if fix in nearest]


def _runs(
    compared: Sequence[_Compared], limits: SeparationLimits
) -> Iterator[tuple[list[_Compared], _Compared | None]]:
    """Fixes too far away, one after the other for long enough, and the nearer one that ended them."""
    run: list[_Compared] = []
    for one in (*compared, None):
        if one is not None and one.apart.surely_m > limits.max_m:
            run.append(one)
            continue
        if run and _sure(run, limits) is not None:
            yield run, one
        run = []


def _sure(run: Sequence[_Compared], limits: SeparationLimits) -> _Compared | None:
    """The fix at which it has lasted for long enough."""
    long = timedelta(seconds=limits.for_s)
    return next((one for one in run if one.apart.time - run[0].apart.time >= long), None)


def _speaks(carriage: Carriage, until: datetime) -> bool:
    """Whether it carries and has told a position lately."""
    return (
        _holds((carriage.begins, carriage.ends), until)
        and carriage.last_fix is not None
        and until < carriage.last_fix + timedelta(seconds=UNHEARD * carriage.expected_every_s)
    )


def _holds(interval: Interval, moment: datetime) -> bool:
    return interval[0] <= moment and (interval[1] is None or moment < interval[1])


def _cited(seal: Carriage, one: _Compared) -> Evidence:
    return {
        "distance_m": round(one.apart.distance_m),
        "surely_m": round(one.apart.surely_m),
        "datum_explains": one.apart.is_datum,
        "fixes": [_fix(seal, one.apart.fix), _fix(one.other, one.apart.other)],
    }


def _fix(carriage: Carriage, fix: Position) -> dict[str, Any]:
    return {
        "device": carriage.device,
        "time": fix.time.isoformat(),
        "lon": fix.lon,
        "lat": fix.lat,
        "accuracy_m": fix.accuracy_m,
        "observation": {"time": fix.time.isoformat(), "run": fix.run, "seq": fix.seq},
    }
