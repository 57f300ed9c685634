"""The gates of a shipment: where its reports were made, which of them concern it, and whether a gate that
said nothing could have said something.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from devices.observation import Direction, Gate, moment
from tracking.domain.custody.documents import GatePass
from tracking.domain.custody.facts import Facts, GateWatch
from tracking.domain.custody.passages import GatePlace, PassBook, PassLimits, gate_of
from tracking.domain.custody.passing import fold
from tracking.domain.custody.told import Report

SILENT_AFTER: Final = 5
"""A gate that has said nothing for so many of its expected intervals is offline; as tracks have it."""

CONTROLLED_KINDS: Final = ("cbz",)
"""Kinds of zones that are entered and left with a gate pass."""

NO_GOODS: Final = "staff_no_goods"
"""Lanes where no goods vehicle may go, not even an empty one."""


class Sight(StrEnum):
    """Whether a gate's device could have told of a moment."""

    HEARD = "heard"
    """It has spoken since, and was not silent then."""
    AWAITED = "awaited"
    """It owes no report yet."""
    OFFLINE = "offline"


class Watching(Struct, frozen=True):
    """What is known of a gate at a moment.

    Attributes:
        watch: its device.
        sight: whether that could have told.
        last_heard: before the moment; None: never.
        heard: after it; None: not yet.
    """

    watch: GateWatch
    sight: Sight
    last_heard: datetime | None
    heard: datetime | None


def book(facts: Facts, limits: PassLimits) -> PassBook:
    """The shipment's passes and its vehicles' passages."""
    numbers = {d.number for d in facts.documents if isinstance(d.body, GatePass)}
    reports = [
        (report, place_of(facts, report))
        for report in facts.reports
        if isinstance(report.fact, Gate) and _concerns(facts, report, numbers)
    ]
    return fold(facts.documents, reports, limits)


def place_of(facts: Facts, report: Report) -> GatePlace:
    """Where a gate's report was made, by the areas as they were then."""
    code = gate_of(report).gate
    gate = facts.area_at(code, report.time)
    zone = gate.parent if gate is not None else None
    if zone is None:
        zone = next((watch.zone for watch in facts.gates if watch.gate == code), None)
    around = facts.area_at(zone, report.time) if zone is not None else None
    told = gate.properties if gate is not None else {}
    return GatePlace(
        code, zone, around.kind if around is not None else None, told.get("direction"), told.get("lane")
    )


def watching(facts: Facts, zone: str, direction: Direction, at: datetime, until: datetime) -> list[Watching]:
    """The gates of a zone that lead in a direction, and whether each could have told of a moment."""
    return [
        _watching(watch, at, until)
        for watch in facts.gates
        if watch.zone == zone and _leads(facts, watch, direction, at)
    ]


def next_word(found: Watching, until: datetime) -> datetime | None:
    """When to look whether a gate has spoken; None where no moment decides anything."""
    if found.sight is not Sight.AWAITED or found.last_heard is None:
        return None
    step = timedelta(seconds=found.watch.expected_every_s)
    looks = (found.last_heard + count * step for count in range(1, SILENT_AFTER + 1))
    return next((look for look in looks if look > until), None)


def _concerns(facts: Facts, report: Report, numbers: set[str]) -> bool:
    """Whether goods were aboard, as far as anybody knows; a vehicle that carried them once does not count."""
    if gate_of(report).pass_number in numbers:
        return True
    times = [(a.begins, a.ends) for a in facts.aboard if a.thing in report.things]
    times += [(c.begins, c.ends) for c in facts.carriages if c.thing in report.things]
    return not times or any(
        begins <= report.time and (ends is None or report.time <= ends) for begins, ends in times
    )


def _leads(facts: Facts, watch: GateWatch, direction: Direction, at: datetime) -> bool:
    gate = facts.area_at(watch.gate, at)
    built_for = gate.properties.get("direction") if gate is not None else None
    return built_for in (None, "both", direction.value)


def _watching(watch: GateWatch, at: datetime, until: datetime) -> Watching:
    for last_heard, heard in _silences(watch):
        if last_heard < at and (heard is None or at < heard):
            return Watching(watch, Sight.OFFLINE, last_heard, heard)
    last = watch.last_heard
    if last is None:
        return Watching(watch, Sight.OFFLINE, None, None)
    if at <= last:
        return Watching(watch, Sight.HEARD, last, None)
    limit = timedelta(seconds=SILENT_AFTER * watch.expected_every_s)
    return Watching(watch, Sight.OFFLINE if until >= last + limit else Sight.AWAITED, last, None)


def _silences(watch: GateWatch) -> list[tuple[datetime, datetime | None]]:
    """The silences that its track tells of; the last one may last."""
    found: list[tuple[datetime, datetime | None]] = []
    for milestone in sorted(watch.milestones, key=lambda m: m.time):
        if milestone.kind == "silent":
            found.append((moment(milestone.detail["last_heard"][0]), None))
        elif milestone.kind == "heard" and found and found[-1][1] is None:
            found[-1] = (found[-1][0], milestone.time)
    return found
