"""The shipments concerned, as they stand and as they would: one snapshot is read, nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import IsolationLevel

from devices.observation import EPOCH
from tracking.domain.custody.facts import AreaBook, Facts
from tracking.domain.custody.judge import judge
from tracking.domain.places import PlaceIndex
from tracking.exchange.rehearsal.compare import Alert, Changed, Comparison, compare, summed
from tracking.exchange.rehearsal.proposal import Proposal, all_areas, revisions, with_terms
from tracking.exchange.rehearsal.shadow import Shadow, shadow, under
from tracking.judge.gather import gather
from tracking.judge.places import Areas, LevelTable
from tracking.store import judging, positions, registry, rehearsal
from tracking.store.database import Connection
from tracking.store.judging import ShipmentRow

AT_ONCE: Final = 50
"""Shipments gathered together."""

Progress = Callable[[int, int], None]


class Rehearsed(Struct, frozen=True):
    """What would have been said.

    Attributes:
        since: from when on the proposal would have held.
        through: up to when the record was judged.
        shipments: how many were judged.
        devices: how many were folded again.
        appear: alerts that would have been raised, and were not.
        vanish: alerts that were raised, and would not have been.
        changed: alerts of which severity or moments would be others.
        same: how many would be as they are.
    """

    since: datetime
    through: datetime
    shipments: int
    devices: int
    appear: list[Alert]
    vanish: list[Alert]
    changed: list[Changed]
    same: int


class NoShipment(Exception):
    """There is none of this number."""


def rehearse(
    conn: Connection, proposal: Proposal, numbers: Sequence[str] = (), progress: Progress = lambda *_: None
) -> Rehearsed:
    """Judge the recorded past under a proposal.

    Args:
        conn: not within a transaction.
        proposal: what would hold.
        numbers: of the shipments; empty: all that were under custody since then.
        progress: told how many shipments of how many are done.

    Raises:
        NoShipment: one of the numbers is unknown.
        TermsError: the proposed terms are none.
    """
    conn.isolation_level, conn.read_only = IsolationLevel.REPEATABLE_READ, True
    try:
        with conn.transaction():
            return _Rehearsal(conn, proposal).run(numbers, progress)
    finally:
        conn.isolation_level, conn.read_only = None, None


class _Rehearsal:
    def __init__(self, conn: Connection, proposal: Proposal) -> None:
        self._conn = conn
        self._proposal = proposal
        self._until = positions.watermark(conn) or EPOCH
        self._areas: AreaBook = Areas().current(conn)
        self._proposed = revisions(self._areas, proposal)
        self._levels = LevelTable().current(conn)
        self._index = PlaceIndex(all_areas(registry.all_areas(conn), proposal), revision=-1)
        self._shadows: dict[str, Shadow] = {}

    def run(self, numbers: Sequence[str], progress: Progress) -> Rehearsed:
        shipments = [
            ShipmentRow(*row) for row in rehearsal.shipments(self._conn, self._proposal.since, numbers)
        ]
        missing = set(numbers) - {shipment.number for shipment in shipments}
        if missing:
            raise NoShipment(", ".join(sorted(missing)))
        found: list[Comparison] = []
        for at in range(0, len(shipments), AT_ONCE):
            progress(at, len(shipments))
            some = shipments[at : at + AT_ONCE]
            facts = gather(self._conn, some, self._areas, self._until)
            found += [self._compare(facts[shipment.shipment_id]) for shipment in some]
        progress(len(shipments), len(shipments))
        whole = summed(found)
        return Rehearsed(
            since=self._proposal.since,
            through=self._until,
            shipments=len(shipments),
            devices=len(self._shadows),
            **_fields(whole),
        )

    def _compare(self, facts: Facts) -> Comparison:
        standing = judge(facts, self._until)
        proposed = judge(with_terms(self._moved(facts), self._proposal), self._until)
        return compare(facts.shipment, standing, proposed, self._proposal.since)

    def _moved(self, facts: Facts) -> Facts:
        """The facts under the proposed places."""
        if not self._proposal.areas:
            return facts
        names = {carriage.device for carriage in facts.carriages} - self._shadows.keys()
        for device in judging.device_profiles(self._conn, rehearsal.device_ids(self._conn, sorted(names))):
            self._shadows[device.name] = shadow(
                self._conn, device, self._index, self._levels, since=self._proposal.since, until=self._until
            )
        return msgspec.structs.replace(
            facts,
            areas=self._proposed,
            carriages=tuple(under(carriage, self._shadows[carriage.device]) for carriage in facts.carriages),
        )


def _fields(comparison: Comparison) -> dict[str, Any]:
    return {name: getattr(comparison, name) for name in ("appear", "vanish", "changed", "same")}
