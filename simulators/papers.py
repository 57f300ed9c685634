"""The papers of a truck's goods: what their owner, the carrier and customs say of them, and when.

Bonded goods travel with papers: the goods are declared and released, the container is on the truck, there
is an approved pass (核放单) for every gate of a bonded zone, for the empty truck too, and a seal is opened on
customs' order (施解封指令). Without them a park is full of findings.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from devices.observation import Direction
from simulators.reports import Paper

VEHICLE_KG: Final = 9_000
FRAME_KG: Final = 6_300
CONTAINER_KG: Final = 3_900

_CUSTOMS: Final = "2314"
_DECLARED: Final = 2
_UNDECLARED: Final = 4
_EMPTY: Final = 6
_CODES: Final = {Direction.IN: "I", Direction.OUT: "E"}


class Goods(NamedTuple):
    """What a truck carries on its first way.

    Attributes:
        shipment: its number.
        container: its number.
        seal: name of the e-seal on the container, or None.
        gross_kg: of the goods.
        serial: twelve digits, of this shipment alone; the number of its passes is made of them.
        day: of the passes, yymmdd.
        ends: the zones where they are loaded and unloaded.
        crosses: between zones that both want a pass they are not declared again.
    """

    shipment: str
    container: str
    seal: str | None
    gross_kg: int
    serial: str
    day: str
    ends: tuple[str, str]
    crosses: bool

    @property
    def seal_number(self) -> str:
        """As it stands on the seal."""
        assert self.seal is not None
        return self.seal.partition("/")[2]

    def weight_kg(self, *, is_loaded: bool) -> int:
        """What the truck weighs, with the goods or empty."""
        return VEHICLE_KG + FRAME_KG + (CONTAINER_KG + self.gross_kg if is_loaded else 0)

    def pass_number(self, trip: int, direction: Direction) -> str:
        """Number of the pass for a way through a gate."""
        return f"Z{_CUSTOMS}{_CODES[direction]}{self.day}{self.serial}{trip:02d}"

    def loaded(self, now: int, plate: str) -> Iterator[Paper]:
        """The goods are declared and released, and on the truck."""
        body = {
            "kind": "declaration",
            "number": f"{_CUSTOMS}{self.day}{self.serial}",
            "time": moment(now),
            "body": {"released": True},
        }
        yield Paper(now, f"shipments/{self.shipment}/documents", body)
        yield self._aboard(now, "ADD", plate)

    def unloaded(self, now: int, plate: str) -> Paper:
        """The goods are on the truck no longer."""
        return self._aboard(now, "DELETE", plate)

    def gate_pass(self, now: int, trip: int, direction: Direction, zone: str, plate: str) -> Iterator[Paper]:
        """A pass for a way through a zone's gate is applied for and approved."""
        is_loaded, number = trip == 0, self.pass_number(trip, direction)
        body: dict[str, Any] = {
            "type": (_UNDECLARED if self.crosses else _DECLARED) if is_loaded else _EMPTY,
            "direction": direction.value,
            "zone": zone,
            "vehicle": plate,
            "total_kg": self.weight_kg(is_loaded=is_loaded),
            "vehicle_kg": VEHICLE_KG,
            "frame_kg": FRAME_KG,
        }
        if is_loaded:
            body |= {
                "containers": [self.container],
                "container_kg": CONTAINER_KG,
                "gross_kg": self.gross_kg,
            }
        told = {"number": number, "time": moment(now), "body": body}
        yield Paper(now, "passes", told | {"shipments": [self.shipment] if is_loaded else []})
        yield Paper(now, f"passes/{number}/states", {"state": "approved", "time": moment(now + 1)})

    def may_be_opened(self, now: int, zone: str) -> Paper:
        """Customs order the seal opened there."""
        body = {
            "kind": "unlock_order",
            "number": f"UO{self.day}{self.serial}",
            "time": moment(now),
            "body": {"zone": zone, "seal": self.seal_number},
        }
        return Paper(now, f"shipments/{self.shipment}/documents", body)

    def _aboard(self, now: int, action: str, plate: str) -> Paper:
        body = {"action": action, "parent": plate, "children": [self.container], "time": moment(now)}
        return Paper(now, "aggregations", body)


def moment(time_ms: int) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()
