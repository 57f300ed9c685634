"""The world of a scenario: which devices there are, what is under custody, and everything that is reported.

Deterministic: the same scenario, seed, beginning and turn give the same reports, however they are pulled.
A *turn* is one crew of trackers, seals, scanners and thermometers: a second run soon after the first sends
other trucks on the road, because the first ones can't be in two places at the same time. Gates stay.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from stdnum import iso6346

from simulators.geo import Line
from simulators.places import Places
from simulators.reports import Attachment, DeviceSpec, Report
from simulators.scenario import Fault, Fleet, Offline, Scenario, ScenarioError, Stray
from simulators.vehicles import Beside, GatePost, Halt, Truck
from simulators.warehouses import scanner, thermometer

TURN: Final = 100
"""Numbers of a turn: tracker 7 of turn 2 is ``TRK-207``."""

_GATE_EVERY_S: Final = 3600
_SCANNER_EVERY_S: Final = 3600
_SENSOR_EVERY_S: Final = 1800
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"


class Lorry(NamedTuple):
    """A truck of a fleet with the shipment that it carries."""

    truck: Truck
    fleet: Fleet
    number: int
    leaves_ms: int


class World:
    """Built once; asked for its devices, then pulled report by report.

    Args:
        scenario: what happens.
        places: where.
        seed: of all randomness.
        begins_ms: when the story begins, event time.
        turn: which crew is on the road.

    Raises:
        ScenarioError: the scenario names a place, fleet, truck or device that isn't there.
    """

    def __init__(
        self, scenario: Scenario, places: Places, *, seed: int, begins_ms: int, turn: int = 0
    ) -> None:
        self.scenario, self.places, self.begins_ms, self.turn = scenario, places, begins_ms, turn
        self._seed = seed
        self.devices: dict[str, DeviceSpec] = {}
        self.attachments: list[Attachment] = []
        self._counts: dict[str, int] = {}
        try:
            self._gates = {code: self._gate(code) for fleet in scenario.fleets for code in fleet.gates}
            self._lorries = [lorry for fleet in scenario.fleets for lorry in self._fleet(fleet)]
        except KeyError as error:
            raise ScenarioError(str(error.args[0])) from error
        self._indoors = [
            *(
                scanner(name, house, begins_ms, self._rng(name))
                for house in scenario.warehouses
                for name in self._several(house.park, "SC", "scanner", house.scanners, _SCANNER_EVERY_S)
            ),
            *(
                thermometer(name, store, begins_ms, self._rng(name))
                for store in scenario.cold_stores
                for name in self._several(store.park, "T", "sensor", store.sensors, _SENSOR_EVERY_S)
            ),
        ]
        self.faults = sorted((self._fault(fault) for fault in scenario.faults), key=lambda fault: fault.at_ms)

    def reports(self) -> Iterator[Report]:
        """Everything that is reported, in the order of its time, without end."""
        trucks = [lorry.truck.reports(self.begins_ms, lorry.leaves_ms) for lorry in self._lorries]
        return heapq.merge(*trucks, *self._indoors, key=lambda report: (report.time_ms, report.device))

    def shipments(self) -> list[dict[str, Any]]:
        """What is under custody, as the API takes it: a container on each truck's first way."""
        begins = datetime.fromtimestamp(self.begins_ms / 1000, UTC)
        found = []
        for lorry in self._lorries:
            origin, destination = self.places.ends(lorry.fleet.corridor)
            move = {
                "type": "move",
                "from_zones": [origin],
                "corridor": lorry.fleet.corridor,
                "to_zones": [destination],
                "max_silence_s": lorry.fleet.max_silence_s,
            }
            number = f"{lorry.fleet.park}-{begins:%y%m%d%H%M%S}-{lorry.number:03d}"
            found.append(
                {
                    "number": number,
                    "park": lorry.fleet.park,
                    "reference": f"QD2314{begins:%y}I{lorry.number:09d}",
                    "things": [lorry.truck.container, lorry.truck.plate],
                    "from": begins.isoformat(),
                    "terms": {"legs": [_stay(origin), move, _stay(destination)]},
                }
            )
        return found

    def _fleet(self, fleet: Fleet) -> Iterator[Lorry]:
        line = self.places.corridor(fleet.corridor)
        along = {code: line.nearest_m(self.places.middle(code)) for code in fleet.gates}
        posts = [GatePost(self._gates[code], code, at_m) for code, at_m in along.items()]
        for index in range(fleet.trucks):
            (tracker,) = self._several(fleet.park, "TRK", "tracker", 1, fleet.expected_every_s)
            number = int(tracker.rpartition("-")[2])
            rng = self._rng(tracker)
            plate = f"苏E{rng.choice(_LETTERS)}{number % 10_000:04d}"
            serial = f"BNDU{(self.begins_ms // 60_000 % 900 * 1000 + number) % 1_000_000:06d}"
            self.attachments.append(Attachment(tracker, plate, "primary"))
            seal = None
            if index < fleet.seals:
                (seal,) = self._several(fleet.park, "ES", "seal", 1, fleet.expected_every_s)
                self.attachments.append(Attachment(seal, plate, "seal"))
            truck = Truck(
                tracker=tracker,
                seal=seal,
                plate=plate,
                container=serial + iso6346.calc_check_digit(serial),
                line=line,
                fleet=fleet,
                posts=posts,
                events=self._events(fleet, index + 1, line),
                rng=rng,
            )
            leaves_ms = self.begins_ms + (fleet.first_at_s + index * fleet.headway_s) * 1000
            yield Lorry(truck, fleet, number, max(leaves_ms, self.begins_ms + 1))

    def _events(self, fleet: Fleet, truck: int, line: Line) -> list[Beside | Halt]:
        found: list[Beside | Halt] = []
        for story in self.scenario.stories:
            owner = next((f for f in self.scenario.fleets if f.name == story.fleet), None)
            if owner is None or story.truck > owner.trucks:
                who = f"truck {story.truck} of fleet {story.fleet!r}"
                raise ScenarioError(f"a story is about {who}: there is none")
            if (story.fleet, story.truck) != (fleet.name, truck):
                continue
            if isinstance(story, Stray):
                begins_m = story.at_km * 1000
                found.append(Beside(begins_m, begins_m + story.for_km * 1000, story.left_m))
            else:
                place = self.places.middle(story.zone)
                found.append(Halt(line.nearest_m(place), place, story.minutes * 60))
        return found

    def _gate(self, code: str) -> str:
        park = self.places.features[code]["properties"]["park"] if code in self.places.features else ""
        self.places.middle(code)
        return self._register(park, code, "gate", _GATE_EVERY_S)

    def _several(self, park: str, prefix: str, kind: str, how_many: int, every_s: int) -> list[str]:
        names = []
        for _ in range(how_many):
            number = self._counts.get(prefix, 0) + 1
            self._counts[prefix] = number
            names.append(self._register(park, f"{prefix}-{self.turn * TURN + number:03d}", kind, every_s))
        return names

    def _register(self, park: str, code: str, kind: str, every_s: int) -> str:
        spec = DeviceSpec(park, code, kind, every_s)
        self.devices[spec.name] = spec
        return spec.name

    def _fault(self, fault: Fault) -> PlannedFault:
        prefix, _, number = fault.device.rpartition("-")
        code = f"{prefix}-{int(number) + self.turn * TURN:03d}" if number.isdigit() else fault.device
        device = next((spec.name for spec in self.devices.values() if spec.code == code), None)
        if device is None:
            known = ", ".join(spec.code for spec in self.devices.values())
            raise ScenarioError(f"a fault is about device {fault.device!r}: there is none; there are {known}")
        at_s = fault.from_s if isinstance(fault, Offline) else fault.at_s
        return PlannedFault(self.begins_ms + at_s * 1000, device, fault)

    def _rng(self, name: str) -> random.Random:
        return random.Random(f"{self._seed}/{name}")


class PlannedFault(NamedTuple):
    """A fault with its moment and its device's name."""

    at_ms: int
    device: str
    fault: Fault


def _stay(zone: str) -> dict[str, Any]:
    return {"type": "stay", "zones": [zone]}
