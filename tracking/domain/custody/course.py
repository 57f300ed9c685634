"""Which device speaks for the shipment's position at each moment, and which areas it was in.

Several primary devices may carry at once (the container's tracker on the truck with its own): the one whose
carriage began last speaks, because it is the closest to what was loaded last; ties go to the device's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby, zip_longest
from typing import Final

from msgspec import Struct

from tracking.domain.custody.facts import PRIMARY, Carriage, Milestone

IN: Final = {"entered": True, "left": False}
ON: Final = {"returned": True, "strayed": False}


class Stretch(Struct, frozen=True):
    """One device speaks during [begins, ends)."""

    carriage: Carriage
    begins: datetime
    ends: datetime | None


class Step(Struct, frozen=True):
    """Where the goods were from a moment on, until the next step.

    Attributes:
        time: the moment.
        areas: zones and corridors that the speaking device was in from then on.
        left: areas that it was in until then.
        known: the device had told of its place by then; if not, ``areas`` is empty for want of knowledge.
        milestones: those of the moment.
    """

    time: datetime
    areas: frozenset[str]
    left: frozenset[str]
    known: bool
    milestones: tuple[Milestone, ...]


def course(carriages: Sequence[Carriage]) -> tuple[Stretch, ...]:
    """The speaking devices, in order, without overlaps."""
    primary = [carriage for carriage in carriages if carriage.role == PRIMARY]
    edges = sorted({c.begins for c in primary} | {c.ends for c in primary if c.ends is not None})
    found: list[Stretch] = []
    for begins, ends in zip_longest(edges, edges[1:]):
        carrying = [c for c in primary if c.begins <= begins and (c.ends is None or c.ends > begins)]
        if not carrying:
            continue
        speaker = max(carrying, key=lambda c: (c.begins, c.device))
        if found and found[-1].carriage == speaker and found[-1].ends == begins:
            found[-1] = Stretch(speaker, found[-1].begins, ends)
        else:
            found.append(Stretch(speaker, begins, ends))
    return tuple(found)


def steps(stretches: Sequence[Stretch]) -> Iterator[Step]:
    """The changes of place along the course, one step a moment."""
    areas: frozenset[str] = frozenset()
    for stretch in stretches:
        before = areas
        told = [m for m in stretch.carriage.milestones if m.kind in IN or m.kind in ON]
        earlier = [m for m in told if m.time <= stretch.begins]
        known = bool(earlier)
        areas = _applied(frozenset(), earlier)
        yield Step(
            time=stretch.begins,
            areas=areas,
            left=before - areas if known else frozenset(),
            known=known,
            milestones=tuple(m for m in earlier if m.time == stretch.begins),
        )
        later = [
            m for m in told if m.time > stretch.begins and (stretch.ends is None or m.time < stretch.ends)
        ]
        for time, group in groupby(later, key=lambda m: m.time):
            moment = tuple(group)
            before, areas = areas, _applied(areas, moment)
            yield Step(time=time, areas=areas, left=before - areas, known=True, milestones=moment)


def _applied(areas: frozenset[str], milestones: Sequence[Milestone]) -> frozenset[str]:
    now = set(areas)
    for milestone in milestones:
        if milestone.area is None:
            continue
        if IN.get(milestone.kind, False) or ON.get(milestone.kind, False):
            now.add(milestone.area)
        else:
            now.discard(milestone.area)
    return frozenset(now)
