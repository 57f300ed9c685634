"""The world of a scenario: which devices there are, what is under custody, and everything that is reported.

Deterministic: the same scenario, seed, beginning and turn give the same reports, however they are pulled.
A *turn* is one crew of trackers, seals, scanners and thermometers: a second run soon after the first sends
other trucks on the road, because the first ones can't be in two places at the same time. Gates stay.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final, NamedTuple

from stdnum import iso6346

from devices.observation import Status
from simulators.geo import Line
from simulators.papers import Goods, moment
from simulators.places import Places
from simulators.reports import Attachment, DeviceSpec, Paper, Report
from simulators.scenario import Cut as CutSeal
from simulators.scenario import Fault, Fleet, Offline, Scenario, ScenarioError, Stray
from simulators.vehicles import Beside, Cut, GatePost, Halt, Truck
from simulators.warehouses import scanner, thermometer

TURN: Final = 100
"""Numbers of a turn: tracker 7 of turn 2 is ``TRK-207``."""

MOUNTED_FROM: Final = "2020-01-01T00:00:00Z"
"""Simulated trackers are on their trucks for ever."""

_GATE_EVERY_S: Final = 3600
_GATE_WORD_EVERY_MS: Final = 600_000
_SCANNER_EVERY_S: Final = 3600
_SENSOR_EVERY_S: Final = 1800
_CONTROLLED_KIND: Final = "cbz"
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
            self._gates = {
                code: self._gate(code)
                for fleet in scenario.fleets
                for code in (*fleet.gates, *fleet.gates_back)
            }
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

    def reports(self) -> Iterator[Report | Paper]:
        """Everything that is reported or said over the API, in the order of its time, without end."""
        trucks = [lorry.truck.reports(self.begins_ms, lorry.leaves_ms) for lorry in self._lorries]
        gates = [self._words(gate) for gate in self._gates.values()]
        told: list[Iterator[Report | Paper]] = [*trucks, *gates, *self._indoors]
        return heapq.merge(*told, key=lambda report: (report.time_ms, report.device))

    def shipments(self) -> list[dict[str, Any]]:
        """What is under custody, as the API takes it: a container on each truck's first way."""
        found = []
        for lorry in self._lorries:
            goods, fleet = lorry.truck.goods, lorry.fleet
            origin, destination = goods.ends
            every_leg: dict[str, Any] = {"max_silence_s": fleet.max_silence_s}
            if fleet.custodian is not None:
                every_leg["custodian"] = fleet.custodian
            move = {
                "type": "move",
                "from_zones": [origin],
                "corridor": fleet.corridor,
                "to_zones": [destination],
            }
            if goods.seal is not None:
                move["seal"] = goods.seal_number
            legs = [{"type": "stay", "zones": [origin]}, move, {"type": "stay", "zones": [destination]}]
            found.append(
                {
                    "number": goods.shipment,
                    "park": fleet.park,
                    "reference": f"QD2314{self._begins:%y}I{lorry.number:09d}",
                    "things": [goods.container],
                    "from": self._begins.isoformat(),
                    "terms": {"legs": [leg | every_leg for leg in legs]},
                }
            )
        return found

    @property
    def _begins(self) -> datetime:
        return datetime.fromtimestamp(self.begins_ms / 1000, UTC)

    def _words(self, gate: str) -> Iterator[Report]:
        """A gate says now and then that it is there, also while nobody passes."""
        first_ms = self.begins_ms + self._rng(gate).randrange(_GATE_WORD_EVERY_MS)
        return (
            Report(now, gate, Status(firmware="simulated")) for now in count(first_ms, _GATE_WORD_EVERY_MS)
        )

    def _fleet(self, fleet: Fleet) -> Iterator[Lorry]:
        line = self.places.corridor(fleet.corridor)
        posts = self._posts(fleet.gates, line)
        posts_back = self._posts(fleet.gates_back or fleet.gates, line)
        for index in range(fleet.trucks):
            (tracker,) = self._several(fleet.park, "TRK", "tracker", 1, fleet.expected_every_s)
            number = int(tracker.rpartition("-")[2])
            rng = self._rng(tracker)
            plate = f"苏E{rng.choice(_LETTERS)}{number % 10_000:04d}"
            self.attachments.append(Attachment(tracker, plate, "primary", MOUNTED_FROM))
            goods = self._goods(
                fleet, number, crosses=bool(posts) and all(post.zone for post in posts), rng=rng
            )
            if index < fleet.seals:
                (seal,) = self._several(fleet.park, "ES", "seal", 1, fleet.expected_every_s)
                goods = goods._replace(seal=seal)
                self.attachments.append(Attachment(seal, goods.container, "seal", moment(self.begins_ms)))
            truck = Truck(
                tracker=tracker,
                plate=plate,
                goods=goods,
                line=line,
                fleet=fleet,
                posts=posts,
                posts_back=posts_back,
                events=self._events(fleet, index + 1, line),
                rng=rng,
            )
            leaves_ms = self.begins_ms + (fleet.first_at_s + index * fleet.headway_s) * 1000
            yield Lorry(truck, fleet, number, max(leaves_ms, self.begins_ms + 1))

    def _goods(self, fleet: Fleet, number: int, *, crosses: bool, rng: random.Random) -> Goods:
        box = f"BNDU{(self.begins_ms // 60_000 % 900 * 1000 + number) % 1_000_000:06d}"
        return Goods(
            shipment=f"{fleet.park}-{self._begins:%y%m%d%H%M%S}-{number:03d}",
            container=box + iso6346.calc_check_digit(box),
            seal=None,
            gross_kg=rng.randrange(5_000, 22_000, 20),
            serial=f"{self._begins:%H%M%S}{number % 10_000:04d}",
            day=f"{self._begins:%y%m%d}",
            ends=self.places.ends(fleet.corridor),
            crosses=crosses,
        )

    def _posts(self, codes: Sequence[str], line: Line) -> list[GatePost]:
        return [
            GatePost(
                self._gates[code], code, line.nearest_m(self.places.middle(code)), self._controlled(code)
            )
            for code in codes
        ]

    def _controlled(self, gate: str) -> str | None:
        """The zone behind a gate, where it is one that is passed with a gate pass."""
        zone = self.places.features[gate]["properties"].get("parent")
        kind = self.places.features[zone]["properties"]["kind"] if zone is not None else None
        return zone if kind == _CONTROLLED_KIND else None

    def _events(self, fleet: Fleet, truck: int, line: Line) -> list[Beside | Halt | Cut]:
        found: list[Beside | Halt | Cut] = []
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
            elif isinstance(story, CutSeal):
                if truck > fleet.seals:
                    raise ScenarioError(
                        f"truck {truck} of fleet {fleet.name!r} has no seal that could be cut"
                    )
                found.append(Cut(story.at_km * 1000))
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
