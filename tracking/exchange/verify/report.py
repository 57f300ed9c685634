"""What verification found."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

MOST_OF_A_TABLE = 20
"""Differences that are named of one table; the others are only counted."""


class Difference(Struct, frozen=True, order=True):
    """One row that isn't what it should be."""

    table: str
    key: str
    says: str


class Part(Struct):
    """What one part of the work found.

    Attributes:
        waiting: devices, things and shipments that were left out, because the judge has yet to look at them.
        other_version: those left out because another version of the fold or the rules made them.
        unsure: by shipment, what differs and may only be about to be judged.
        unlogged: committed rows that have no leaf yet.
        dropped: events that were dropped because of their age; their batches' roots hold.
        underived: devices and shipments that can't be derived again, because something of them was dropped.
    """

    differences: list[Difference] = []
    unsure: dict[int, list[Difference]] = {}
    shipments: int = 0
    leaves: int = 0
    checkpoints: int = 0
    observations: int = 0
    waiting: int = 0
    other_version: int = 0
    unlogged: int = 0
    dropped: int = 0
    underived: int = 0

    def differs(self, table: str, key: object, says: str) -> None:
        """Note a difference."""
        self.differences.append(Difference(table, str(key), says))


class Report(Part):
    """The whole of it."""

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def take(self, parts: Iterable[Part]) -> None:
        """Add what parts found."""
        for part in parts:
            self.differences += part.differences
            self.unsure |= part.unsure
            for name in COUNTS:
                setattr(self, name, getattr(self, name) + getattr(part, name))

    def first(self) -> list[Difference]:
        """The first differences of each table, in the order of tables and keys as they were found."""
        named: dict[str, list[Difference]] = {}
        for difference in self.differences:
            named.setdefault(difference.table, []).append(difference)
        return [difference for found in named.values() for difference in found[:MOST_OF_A_TABLE]]


COUNTS = (
    "shipments",
    "leaves",
    "checkpoints",
    "observations",
    "waiting",
    "other_version",
    "unlogged",
    "dropped",
    "underived",
)
