"""Gates of the zones that terms name: could their devices have told of a passage?

By convention a gate's device is the one in its park that has its code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from devices.observation import EPOCH
from tracking.domain.custody.facts import AreaBook, GateWatch, TermsRevision
from tracking.domain.custody.terms import zone_fields
from tracking.judge.carriages import milestone
from tracking.store import judging
from tracking.store.database import Connection
from tracking.store.judging import GateRow, MilestoneRow, ShipmentRow, Watched

TOLD: Final = frozenset({"silent", "heard"})


class Watch(Struct, frozen=True):
    """A gate that matters to a shipment while it is under custody.

    Attributes:
        owner: the shipment.
        zone: that the gate leads into.
        gate: the gate and its device.
        asked: whose milestones to read, from when until when.
    """

    owner: int
    zone: str
    gate: GateRow
    asked: Watched

    def told(self, milestones: Sequence[MilestoneRow]) -> GateWatch:
        """The fact, with what the gate's device told."""
        return GateWatch(
            gate=self.gate.code,
            zone=self.zone,
            device=self.gate.device,
            expected_every_s=self.gate.expected_every_s,
            last_heard=self.gate.last_heard if (self.gate.last_heard or EPOCH) > EPOCH else None,
            milestones=tuple(milestone(row) for row in milestones if row.kind in TOLD),
        )


def watches(
    conn: Connection,
    shipments: Sequence[ShipmentRow],
    terms: Mapping[int, Sequence[TermsRevision]],
    areas: AreaBook,
) -> list[Watch]:
    """The gates of every zone that the shipments' terms name, by shipment, zone and gate."""
    wanted = [
        (shipment, zone, code)
        for shipment in shipments
        for zone in sorted(_zones(terms.get(shipment.shipment_id, ())))
        for code in areas.gates.get(zone, ())
    ]
    rows = judging.gates(conn, sorted({code for _, _, code in wanted}))
    return [
        Watch(
            shipment.shipment_id, zone, rows[code], _asked(rows[code], shipment, terms[shipment.shipment_id])
        )
        for shipment, zone, code in wanted
        if code in rows
    ]


def _asked(gate: GateRow, shipment: ShipmentRow, terms: Sequence[TermsRevision]) -> Watched:
    begins: datetime = min(revision.valid_from for revision in terms)
    return Watched(gate.device_id, begins, shipment.closed_at)


def _zones(terms: Sequence[TermsRevision]) -> set[str]:
    return {
        zone
        for revision in terms
        for leg in revision.terms.legs
        for _, zones in zone_fields(leg)
        for zone in zones
    }
