"""A thing's containment events, in event-time order -> its stays, and its conflicts.

Derived whole from all events of the thing, each time: the same events give the same stays, whatever the
order or repetition in which they came.

=====================  ====================================  ==============================================
event                  the thing is                          so
=====================  ====================================  ==============================================
into P                 in nothing                            a stay in P begins
into P                 in P                                  said again; with a quantity, it grows
into P                 in another                            conflict ``double_parent``; the other stay ends
into P, a quantity     partly in others, or taken out there  a stay in P begins beside theirs
into itself            anywhere                              conflict ``cycle``; nothing else
out of P               in P                                  the stay ends; with a quantity, it shrinks
out of P, a quantity   in P, fewer units                     conflict ``more_out_than_in``; the stay ends
out of P               not in P                              conflict ``not_in_parent``; nothing else
out                    in one or more                        all stays end; with a quantity, as out of the one
out, a quantity        in several                            conflict ``unknown_parent``; nothing else
out                    in nothing, or never heard of         said again, or from before our record
=====================  ====================================  ==============================================

A conflict lasts until the thing's next event: what is said there stands by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from tracking.domain.things.events import Change, Event

_DIGITS: Final = 6
"""Of a quantity behind the point: sums of decimal fractions come out even."""


class Kind(StrEnum):
    """How events contradict each other."""

    DOUBLE_PARENT = "double_parent"
    NOT_IN_PARENT = "not_in_parent"
    MORE_OUT_THAN_IN = "more_out_than_in"
    UNKNOWN_PARENT = "unknown_parent"
    CYCLE = "cycle"


class Stay(Struct, frozen=True):
    """A thing in another during [begins, ends).

    Attributes:
        child: URI of the thing.
        parent: URI of what it is in.
        quantity: units of it; None: all of it.
        began: the event that it rests on.
        ended: the event that ended it; None while it lasts.
    """

    child: str
    parent: str
    begins: datetime
    ends: datetime | None
    quantity: float | None
    began: Event
    ended: Event | None


class Conflict(Struct, frozen=True):
    """What events say of a thing can't all be true during [begins, ends).

    Attributes:
        parents: URIs of the things that are named, in order.
        evidence: the events.
    """

    kind: Kind
    child: str
    parents: tuple[str, ...]
    begins: datetime
    ends: datetime | None
    evidence: tuple[Event, ...]


class History(Struct, frozen=True):
    """A thing's stays in order of beginning and parent, and its conflicts in order of beginning."""

    stays: tuple[Stay, ...]
    conflicts: tuple[Conflict, ...]


def fold(child: str, events: Iterable[Event]) -> History:
    """Fold all events of one thing."""
    folding = _Folding(child)
    for event in sorted(set(events), key=_order):
        folding.take(event)
    return folding.result()


def _order(event: Event) -> tuple[object, ...]:
    return event.order


class _Folding:
    """What the thing is in, and since which event."""

    def __init__(self, child: str) -> None:
        self.child = child
        self.inside: dict[str, tuple[float | None, Event]] = {}
        self.loose = 0.0  # units taken out of stays whose number is unknown
        self.left: set[str] = set()  # parents left since it last went into one
        self.is_known = False
        self.stays: list[Stay] = []
        self.standing: list[Conflict] = []
        self.conflicts: list[Conflict] = []

    def take(self, event: Event) -> None:
        self._settle(event.time)
        if event.change is Change.OUT:
            self._out(event)
        elif event.parent == self.child:
            self._contradict(Kind.CYCLE, event)
        elif event.parent is not None:
            self._into(event, event.parent)
        self.is_known = True

    def result(self) -> History:
        for parent, (quantity, began) in self.inside.items():
            self.stays.append(Stay(self.child, parent, began.time, None, quantity, began, None))
        stays = sorted(self.stays, key=lambda stay: (stay.begins, stay.parent, stay.ends is None))
        conflicts = sorted(
            {*self.conflicts, *self.standing}, key=lambda conflict: (conflict.begins, conflict.kind)
        )
        return History(tuple(stays), tuple(conflicts))

    def _into(self, event: Event, parent: str) -> None:
        units, here = event.quantity, self.inside.get(parent)
        if here is not None and (units is None or here[0] is None):
            return
        others = [one for one in sorted(self.inside) if one != parent]
        whole = [one for one in others if units is None or self.inside[one][0] is None]
        if whole and (units is None or units > self.loose):
            self._contradict(Kind.DOUBLE_PARENT, event, *whole)
            for one in whole:
                self._end(one, event)
        self.loose = 0.0 if units is None else max(0.0, round(self.loose - units, _DIGITS))
        self.left.clear()
        if here is not None and here[0] is not None and units is not None:
            self._end(parent, event)
            units = round(here[0] + units, _DIGITS)
        self.inside[parent] = (units, event)

    def _out(self, event: Event) -> None:
        parents = sorted(self.inside) if event.parent is None else [event.parent]
        if event.quantity is not None and len(parents) > 1:
            self._contradict(Kind.UNKNOWN_PARENT, event, *parents)
            return
        for parent in parents:
            if parent in self.inside:
                self._take_out(event, parent)
            elif self.is_known and parent not in self.left:
                self._contradict(Kind.NOT_IN_PARENT, event, *sorted(self.inside))
            else:
                self.left.add(parent)

    def _take_out(self, event: Event, parent: str) -> None:
        units, (held, began) = event.quantity, self.inside[parent]
        if units is not None and held is None:
            self.loose = round(self.loose + units, _DIGITS)
            return
        if units is not None and held is not None and units > held:
            self._contradict(Kind.MORE_OUT_THAN_IN, event, parent, because=(began,))
        self._end(parent, event)
        if units is not None and held is not None and units < held:
            self.inside[parent] = (round(held - units, _DIGITS), event)
        else:
            self.left.add(parent)

    def _end(self, parent: str, event: Event) -> None:
        quantity, began = self.inside.pop(parent)
        if began.time < event.time:
            self.stays.append(Stay(self.child, parent, began.time, event.time, quantity, began, event))

    def _contradict(self, kind: Kind, event: Event, *others: str, because: tuple[Event, ...] = ()) -> None:
        known = because or tuple(self.inside[one][1] for one in others)
        parents = tuple(sorted({*others, *([] if event.parent is None else [event.parent])}))
        self.standing.append(Conflict(kind, self.child, parents, event.time, None, (*known, event)))

    def _settle(self, time: datetime) -> None:
        """Conflicts from before this moment are over."""
        over = [conflict for conflict in self.standing if conflict.begins < time]
        self.standing = [conflict for conflict in self.standing if conflict.begins == time]
        self.conflicts += [Conflict(c.kind, c.child, c.parents, c.begins, time, c.evidence) for c in over]
