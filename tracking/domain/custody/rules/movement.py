"""A8: a device is where it can't have come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from devices.observation import Seal
from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import Carriage, Milestone
from tracking.domain.custody.intervals import earlier
from tracking.domain.custody.legs import corridor_of
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.told import Report
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, Verdict, cite, cite_report

RAIL: Final = "rail"
CITED: Final = 10
"""Of many jumps in one finding so many are named; how many there were is said."""


class MovementLimits(Struct, frozen=True):
    """Parameters of ``impossible_movement``.

    Attributes:
        max_speed_kmh: faster than this no truck has come, km/h.
        max_speed_rail_kmh: nor any train, on a corridor of mode rail, km/h.
        min_jump_m: a shorter jump is none, metres.
        quiet_min: minutes after which another jump is another finding.
        cloned_jumps: so many jumps, the same seal told of at both ends, are two devices under one name.
    """

    max_speed_kmh: Annotated[float, Meta(ge=140, le=1200)] = 140.0
    max_speed_rail_kmh: Annotated[float, Meta(ge=140, le=1200)] = 350.0
    min_jump_m: Annotated[float, Meta(ge=2000)] = 2000.0
    quiet_min: Annotated[float, Meta(gt=0)] = 60.0
    cloned_jumps: Annotated[int, Meta(ge=1)] = 2


class _Jump(Struct, frozen=True):
    """A jump, and the fix that settled whether the device was there; None: none has."""

    jumped: Milestone
    settled: Milestone | None

    @property
    def ends(self) -> datetime | None:
        return self.settled.time if self.settled is not None else None

    def covers(self, moment: datetime) -> bool:
        """Whether it wasn't settled yet at a moment."""
        return self.jumped.time <= moment and (self.ends is None or moment < self.ends)


@rule(number="A8", code="impossible_movement", severity=Severity.MAJOR, limits=MovementLimits)
def impossible_movement(case: Case, limits: MovementLimits) -> Iterator[Verdict]:
    """A device's position jumps faster than it can have moved (位置跳变).

    Opens at the first fix of the jump; jumps of one device less than ``quiet_min`` apart are one finding.
    Closes at the fix that settles the last of them: the device is back where it was, or enough consistent
    fixes have made its new place believed. Information, because receivers err; major when there are
    ``cloned_jumps`` or more and the device told of the same seal before the first of them and while away in
    as many: then two devices speak under one name.

    Must not fire for a jump shorter than ``min_jump_m`` or slower than ``max_speed_kmh``, on a corridor of
    mode rail ``max_speed_rail_kmh``; nor for a shift into another datum, which is ``datum_suspect``; nor
    outside the time in which the device was on the goods. Until it is believed, a jump judges no place.

    Args:
        case: the shipment as of the watermark.
        limits: ``max_speed_kmh``, default 140, and ``max_speed_rail_kmh``, default 350; ``min_jump_m``,
            metres, default 2000 (the track tells of none that is shorter or slower than these defaults);
            ``quiet_min``, minutes, default 60; ``cloned_jumps``, default 2.

    Evidence: both fixes with distance and speed; the fix that settled it; what was said of the seal.
    Source: ours; 140 km/h lies above what trucks may drive, 350 above what trains do.
    """
    quiet = timedelta(minutes=limits.quiet_min)
    for carriage in case.facts.carriages:
        jumps = [jump for jump in _jumps(carriage) if _is_meant(case, jump, limits)]
        for group in _near(jumps, quiet):
            opened_at = group[0].jumped.time
            terms = case.facts.terms_at(opened_at)
            if terms is None or opened_at > case.until:
                continue
            seals = _same_seal(case, carriage, group, limits)
            told = [m for jump in group[:CITED] for m in (jump.jumped, jump.settled) if m is not None]
            count: Evidence = {"device": carriage.device, "jumps": len(group)}
            yield Verdict(
                rule="impossible_movement",
                cause=carriage.device,
                outcome=Outcome.FINDING,
                severity=Severity.MAJOR if seals else Severity.INFO,
                opened_at=opened_at,
                closed_at=earlier(group[-1].ends, carriage.ends),
                evidence=(
                    *(cite(carriage.device, milestone) for milestone in told),
                    count,
                    *(cite_report(report) for report in seals),
                ),
                parameters=msgspec.to_builtins(limits),
                terms_revision=terms.revision,
            )


def _jumps(carriage: Carriage) -> Iterator[_Jump]:
    """Each jump within the carriage, in order."""
    since: Milestone | None = None
    for milestone in carriage.milestones:
        if milestone.kind == "jumped" and milestone.time >= carriage.begins:
            since = milestone
        elif milestone.kind == "jump_settled" and since is not None:
            yield _Jump(since, milestone)
            since = None
    if since is not None:
        yield _Jump(since, None)


def _is_meant(case: Case, jump: _Jump, limits: MovementLimits) -> bool:
    """Whether a jump is long and fast enough for the goods' way of travelling."""
    detail, at = jump.jumped.detail, jump.jumped.time
    span = case.legs.at(at)
    code = corridor_of(span) if span is not None else None
    corridor = case.facts.area_at(code, at) if code is not None else None
    is_rail = corridor is not None and corridor.properties.get("mode") == RAIL
    fastest = limits.max_speed_rail_kmh if is_rail else limits.max_speed_kmh
    speed = detail.get("speed_kmh")
    return float(detail["distance_m"]) > limits.min_jump_m and (speed is None or float(speed) > fastest)


def _near(jumps: Sequence[_Jump], quiet: timedelta) -> list[list[_Jump]]:
    """Jumps that follow each other closely, together."""
    found: list[list[_Jump]] = []
    for jump in jumps:
        ends = found[-1][-1].ends if found else None
        if ends is not None and jump.jumped.time - ends < quiet:
            found[-1].append(jump)
        else:
            found.append([jump])
    return found


def _same_seal(
    case: Case, carriage: Carriage, jumps: Sequence[_Jump], limits: MovementLimits
) -> list[Report]:
    """What the device said of one seal on both ends of the jumps; empty where that says nothing."""
    words = [
        (report, report.fact.seal)
        for report in case.facts.reports
        if report.device == carriage.device and isinstance(report.fact, Seal)
    ]
    before = {seal: report for report, seal in words if report.time < jumps[0].jumped.time}
    for number, first in sorted(before.items()):
        away = [
            [report for report, seal in words if seal == number and jump.covers(report.time)]
            for jump in jumps
        ]
        if sum(map(bool, away)) >= limits.cloned_jumps:
            return [first, *(report for reports in away for report in reports)][:CITED]
    return []
