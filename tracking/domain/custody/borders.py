"""Where the goods crossed the border of a zone that needs passes, and whether a gate saw them do it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from msgspec import Struct

from devices.observation import Direction
from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import GATE, Carriage, Facts, Milestone
from tracking.domain.custody.gatehouse import Sight, Watching, watching
from tracking.domain.custody.passages import Passage, PassBook
from tracking.domain.custody.verdicts import Evidence
from tracking.domain.places.geodesy import distance_to_line_m

_LEADS = {"entered": Direction.IN, "left": Direction.OUT}


class Border(Struct, frozen=True):
    """The goods went into a zone or out of it, by the position of the device that speaks for them.

    Attributes:
        zone: code.
        direction: into it or out of it.
        carriage: of the device.
        milestone: that tells of it.
        back: when they were in a zone of these kinds again, or out of this one again; None: not yet.
    """

    zone: str
    direction: Direction
    carriage: Carriage
    milestone: Milestone
    back: datetime | None

    @property
    def time(self) -> datetime:
        """When."""
        return self.milestone.time


def borders(case: Case, kinds: Iterable[str]) -> list[Border]:
    """Every crossing of a border of a zone of these kinds, in order of time."""
    wanted = frozenset(kinds)
    told = [(m, carriage) for m, carriage in _told(case) if _kind(case.facts, m) in wanted]
    return [
        Border(milestone.area, _LEADS[milestone.kind], carriage, milestone, _back(milestone, told))
        for milestone, carriage in told
        if milestone.area is not None and not _began_there(milestone)
    ]


def near(book: PassBook, border: Border, minutes: float) -> list[Passage]:
    """What the zone's gates reported about the time, in that direction."""
    window = timedelta(minutes=minutes)
    return [
        passage
        for passage in book.passages
        if passage.place.zone == border.zone
        and passage.gate.direction is border.direction
        and abs(passage.time - border.time) <= window
    ]


def is_told_of(book: PassBook, border: Border, minutes: float) -> bool:
    """Whether somebody said that a pass was used there then, though no gate of ours reported it."""
    window = timedelta(minutes=minutes)
    return any(
        paper.body.zone == border.zone
        and paper.body.direction is border.direction
        and any(abs(used - border.time) <= window for used in paper.used_at())
        for paper in book.passes.values()
    )


def blind(case: Case, border: Border) -> list[Watching]:
    """The gates that could have let the goods pass, and have not spoken since."""
    found = watching(case.facts, border.zone, border.direction, border.time, case.until)
    return [gate for gate in found if gate.sight is not Sight.HEARD]


def has_gates(case: Case, border: Border) -> bool:
    """Whether any gate there could have told of it."""
    return bool(watching(case.facts, border.zone, border.direction, border.time, case.until))


def cite_gate(gate: Watching) -> Evidence:
    """A gate that was not heard, as evidence."""
    return {
        "silence": gate.watch.device,
        "gate": gate.watch.gate,
        "last_heard": gate.last_heard.isoformat() if gate.last_heard is not None else None,
        "heard": gate.heard.isoformat() if gate.heard is not None else None,
    }


def from_gates_m(facts: Facts, border: Border) -> float | None:
    """How far from the nearest gate the border was crossed, at least: metres from the straight way between
    the fixes on either side, less the newer one's accuracy. None where way or gates are not known.
    """
    detail = border.milestone.detail
    lon, lat, before = detail.get("lon"), detail.get("lat"), detail.get("before_at")
    gates = list(_gates(facts, border.zone, border.time))
    if lon is None or lat is None or before is None or not gates:
        return None
    way = np.array([before, [lon, lat]], dtype=np.float64)
    nearest = min(distance_to_line_m(way, *gate) for gate in gates)
    return max(0.0, nearest - float(detail.get("accuracy_m") or 0.0))


def fix_gap(border: Border) -> timedelta | None:
    """Time between the fixes on either side of the border."""
    first, before = border.milestone.detail.get("first"), border.milestone.detail.get("before")
    return None if first is None or before is None else timedelta(microseconds=first[0] - before[0])


def _told(case: Case) -> Iterator[tuple[Milestone, Carriage]]:
    for stretch in case.stretches:
        for milestone in stretch.carriage.milestones:
            is_within = stretch.begins < milestone.time and (
                stretch.ends is None or milestone.time < stretch.ends
            )
            if milestone.kind in _LEADS and is_within:
                yield milestone, stretch.carriage


def _kind(facts: Facts, milestone: Milestone) -> str | None:
    area = facts.area_at(milestone.area or "", milestone.time)
    return area.kind if area is not None else None


def _began_there(milestone: Milestone) -> bool:
    """The track itself began in the zone: that says where the device was, not that it came."""
    detail: Any = milestone.detail
    return milestone.kind == "entered" and "before" in detail and detail["before"] is None


def _back(milestone: Milestone, told: list[tuple[Milestone, Carriage]]) -> datetime | None:
    for other, _ in told:
        if other.time <= milestone.time or other.kind == milestone.kind:
            continue
        if milestone.kind == "left" or other.area == milestone.area:
            return other.time
    return None


def _gates(facts: Facts, zone: str, at: datetime) -> Iterator[tuple[float, float]]:
    for code in facts.areas.gates.get(zone, ()):
        area = facts.area_at(code, at)
        if area is not None and area.kind == GATE and area.parent == zone and area.lon is not None:
            assert area.lat is not None
            yield area.lon, area.lat
