"""Shares of custody time: how much counts, what doesn't and why, and sums of them.

Durations are exact, so sums over shipments, carriers, parks or routes don't depend on their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, TypeAlias

from msgspec import Struct

from tracking.domain.custody.intervals import Interval, overlap

NOTHING: Final = timedelta(0)

Reason: TypeAlias = tuple[Interval, str]
"""Why an interval is missing."""


class Missing(Struct, frozen=True):
    """Time that doesn't count, during [begins, ends), and every reason why."""

    begins: datetime
    ends: datetime
    why: tuple[str, ...]


class Part(Struct, frozen=True):
    """How much of the custody time counts, and what doesn't."""

    held: timedelta
    missing: tuple[Missing, ...]


class Coverage(Struct, frozen=True):
    """The three numbers of [begins, ends)."""

    begins: datetime
    ends: datetime
    measured: Part
    controlled: Part
    verifiable: Part

    @property
    def custody(self) -> timedelta:
        """The time that they are shares of."""
        return self.ends - self.begins


class LegCoverage(Struct, frozen=True):
    """A leg's numbers, with what sums are made by.

    Attributes:
        index: place of the leg in the terms.
        custodian: whom the terms name; None: nobody.
        corridor: of a move that has one.
        zones: that the leg names.
        coverage: of the time in which it ran.
    """

    index: int
    custodian: str | None
    corridor: str | None
    zones: tuple[str, ...]
    coverage: Coverage


class ShipmentCoverage(Struct, frozen=True):
    """A shipment's numbers, and each leg's; time between legs is the shipment's alone."""

    whole: Coverage
    legs: tuple[LegCoverage, ...]


class Total(Struct, frozen=True):
    """Coverages summed: durations, and their shares of the custody time."""

    custody: timedelta = NOTHING
    measured: timedelta = NOTHING
    controlled: timedelta = NOTHING
    verifiable: timedelta = NOTHING

    def __add__(self, other: Total) -> Total:
        return Total(
            self.custody + other.custody,
            self.measured + other.measured,
            self.controlled + other.controlled,
            self.verifiable + other.verifiable,
        )

    def shares(self) -> dict[str, float] | None:
        """Each as a share between 0 and 1; None where there was no custody time."""
        if self.custody == NOTHING:
            return None
        parts = {"measured": self.measured, "controlled": self.controlled, "verifiable": self.verifiable}
        return {name: part / self.custody for name, part in parts.items()}


def total(coverages: Iterable[Coverage]) -> Total:
    """The sum, weighted by time."""
    return sum(
        (Total(c.custody, c.measured.held, c.controlled.held, c.verifiable.held) for c in coverages), Total()
    )


def as_json(found: Coverage) -> dict[str, Any]:
    """The numbers for an answer: seconds, shares, and what is missing."""
    shares = total([found]).shares() or {}
    return {
        "begins": found.begins.isoformat(),
        "ends": found.ends.isoformat(),
        "custody_s": found.custody.total_seconds(),
        **{
            name: {
                "seconds": part.held.total_seconds(),
                "share": shares.get(name),
                "missing": [
                    {"begins": m.begins.isoformat(), "ends": m.ends.isoformat(), "why": list(m.why)}
                    for m in part.missing
                ],
            }
            for name, part in (
                ("measured", found.measured),
                ("controlled", found.controlled),
                ("verifiable", found.verifiable),
            )
        },
    }


def part(begins: datetime, ends: datetime, reasons: Sequence[Reason]) -> Part:
    """How much of [begins, ends) there is no reason against."""
    missing = tuple(_missing(begins, ends, reasons))
    return Part(ends - begins - sum((m.ends - m.begins for m in missing), NOTHING), missing)


def _missing(begins: datetime, ends: datetime, reasons: Sequence[Reason]) -> Iterator[Missing]:
    """The time for which there is a reason, cut where the reasons change."""
    turns: dict[datetime, list[tuple[int, str]]] = {begins: [], ends: []}
    for during, why in reasons:
        shared = overlap(during, (begins, ends))
        if shared is not None and shared[1] is not None and shared[0] < shared[1]:
            turns.setdefault(shared[0], []).append((1, why))
            turns.setdefault(shared[1], []).append((-1, why))
    counts: dict[str, int] = {}
    last: Missing | None = None
    for time, following in pairwise(sorted(turns)):
        for step, why in turns[time]:
            counts[why] = counts.get(why, 0) + step
        held = tuple(sorted(why for why, count in counts.items() if count))
        if last is not None and held == last.why:
            last = Missing(last.begins, following, held)
            continue
        if last is not None and last.why:
            yield last
        last = Missing(time, following, held)
    if last is not None and last.why:
        yield last


def within(found: Coverage, since: datetime, until: datetime) -> Total:
    """What of a coverage fell into [since, until)."""
    begins, ends = max(found.begins, since), min(found.ends, until)
    if begins >= ends:
        return Total()

    def held(one: Part) -> timedelta:
        lost = (min(m.ends, ends) - max(m.begins, begins) for m in one.missing)
        return ends - begins - sum((time for time in lost if time > NOTHING), NOTHING)

    return Total(ends - begins, held(found.measured), held(found.controlled), held(found.verifiable))
