"""A whole world: every haul of a file, what is said of it, as a story that can be played, and the truth."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple

from simulators.places import Places
from simulators.reality import noticing, papers
from simulators.reality.befalling import MIN
from simulators.reality.format import Fleet, Warehouse, WorldError, WorldFile
from simulators.reality.hauls import Haul, haul
from simulators.reality.scanners import scans
from simulators.reality.seen import Heard, Incident, seen
from simulators.reality.speech import Fact, Radio, Utterance, kept_since, speak
from simulators.reality.truth import incidents
from simulators.scripts.actors import Device, Document, Revision, Shipment
from simulators.scripts.format import Look
from simulators.scripts.timeline import LOCAL, Said

GATE_EXPECTED_S: Final = 600
SETTLING_S: Final = 10 * MIN
"""What is due so shortly before the end, or before what never went out, may be told by then or not."""

_HEARTBEAT_S: Final = 300.0
SCANNER_EXPECTED_S: Final = 3600


class Drawn(NamedTuple):
    """What the command line says of worlds.

    Attributes:
        seed: of all randomness.
        hours: of trucks under custody; None: the file's.
        devices: at most so many; None: as many as it takes.
        for_s: their first seconds only; None: until their end.
    """

    seed: int
    hours: float | None = None
    devices: int | None = None
    for_s: float | None = None


class World:
    """One world; it can be played like any story.

    Args:
        name: of the file.
        told: what it says.
        places: where.
        drawn: what the command line says.
        later: days after the file's own.

    Raises:
        WorldError: the file names a place that isn't there.
    """

    def __init__(
        self,
        name: str,
        told: WorldFile,
        places: Places,
        drawn: Drawn,
        *,
        later: int = 0,
    ) -> None:
        self.name = self.suffix = name
        self.told, self._places = told, places
        self._seed, self._for_s = drawn.seed, drawn.for_s
        self.begins = told.begins.astimezone(UTC) + timedelta(days=later)
        self._kinds = {code: feature["properties"]["kind"] for code, feature in places.features.items()}
        try:
            self.hauls = self._hauls(told.hours if drawn.hours is None else drawn.hours, drawn.devices)
        except KeyError as error:
            raise WorldError(f"{name}: {error.args[0]}") from error

    @property
    def hours(self) -> float:
        """Of trucks under custody, as far as it is played."""
        return sum(max(0.0, min(one.ends, self.ends_s) - one.begins) for one in self.hauls) / 3600

    @property
    def ends_s(self) -> float:
        """Seconds from its first to its last moment; the last things said have come by then."""
        whole = max(one.ends for one in self.hauls) + 10 * MIN
        return whole if self._for_s is None else min(whole, self._for_s)

    def at(self, t: float) -> datetime:
        """A second of the world in UTC."""
        return self.begins + timedelta(seconds=float(t))

    def moment(self, text: str) -> datetime:
        """Moments of a world are written out."""
        return datetime.fromisoformat(text)

    @property
    def looks(self) -> Sequence[Look]:
        """Its end; what must stand then the truth says, not a list."""
        return [Look(at=self.at(self.ends_s).isoformat())]

    @property
    def revisions(self) -> Sequence[Revision]:
        """None."""
        return []

    @property
    def devices(self) -> list[Device]:
        """Three on each truck, and the gates."""
        found: list[Device] = []
        for one in self.hauls:
            begins, ends = self.at(one.begins - MIN).isoformat(), self.at(one.ends).isoformat()
            for name, kind, role, every_s in (
                (one.tracker, "tracker", "primary", noticing.tracker_every_s(one.fleet)),
                (one.seal, "seal", "seal", one.fleet.seal_every_s),
                (one.sensor, "sensor", "sensor", one.fleet.reading_every_s),
            ):
                found.append(
                    Device(
                        name=name, kind=kind, on=one.container, role=role, begins=begins, ends=ends,
                        expected_every_s=every_s,
                    )
                )  # fmt: skip
        found += [Device(name=name, kind="gate", expected_every_s=GATE_EXPECTED_S) for name in self._gates]
        found += [
            Device(name=name, kind="scanner", expected_every_s=SCANNER_EXPECTED_S) for name in self._scanners
        ]
        return found

    @property
    def shipments(self) -> list[Shipment]:
        """One for each truck."""
        return [
            Shipment(
                number=one.shipment,
                park=one.fleet.park,
                things=[one.container],
                begins=self.begins.isoformat(),
                terms=papers.terms(one),
            )
            for one in self.hauls
        ]

    @property
    def documents(self) -> list[Document]:
        """Passes, unlock orders, calibrations."""
        told = (document for one in self.hauls for document in papers.papers(one, self._kinds, self.at))
        return [one for one in told if self.moment(one.told_at or one.at) <= self.at(self.ends_s)]

    def terms(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """They are as the API takes them."""
        return dict(told)

    def things(self, shipment: Shipment) -> list[str]:
        """The box."""
        return list(shipment.things)

    def said(self) -> list[Said]:
        """Every event, in the order in which they are sent."""
        return [
            Said(self.at(one.time), self.at(one.sent), one.device, one.number, one.fact)
            for one in self._utterances
            if one.sent <= self.ends_s
        ]

    @cached_property
    def incidents(self) -> list[Incident]:
        """The truth."""
        found: list[Incident] = []
        for one in self.hauls:
            noticed = self._noticed[one.number]
            fixes = [t for t, _ in noticed["tracker"]]
            heard = Heard(fixes, [t for t, _ in noticed["seal"]])
            found += incidents(seen(one, heard, self._places))
        settled = {shipment: until - SETTLING_S for shipment, until in self.heard_until.items()}
        return [
            one._replace(
                sure=one.sure and one.due <= settled[one.shipment],
                closes=one.closes and one.ends <= settled[one.shipment],
            )
            for one in found
            if one.begins - one.early_s <= self.ends_s
        ]

    @cached_property
    def heard_until(self) -> dict[str, float]:
        """By shipment: until when everything that its devices noticed has gone out by the end."""
        since = kept_since(self._utterances, self.ends_s)
        return {
            one.shipment: min(since.get(name, self.ends_s) for name in (one.tracker, one.seal, one.sensor))
            for one in self.hauls
        }

    def _hauls(self, hours: float, most: int | None) -> list[Haul]:
        told = self.told
        rng = self._rng("trucks")
        total_s = 0.0
        found: list[Haul] = []
        local = self.begins.astimezone(LOCAL)
        while total_s < hours * 3600 and (most is None or 3 * (len(found) + 1) <= max(most, 3)):
            fleet = self._next_fleet(found)
            number = len(found) + 1
            one = haul(
                number,
                fleet,
                self._places,
                self._rng(f"haul {number}"),
                serial=zlib.crc32(self.name.encode()) % 1000 * 1000 + number,
                begins=5 * MIN + rng.random() * told.spread_h * 3600,
                ambient_c=told.ambient_c,
                local_h=local.hour + local.minute / 60,
            )
            total_s += one.ends - one.begins
            found.append(one)
        return found

    def _next_fleet(self, found: Sequence[Haul]) -> Fleet:
        """The fleet that has the fewest trucks for its weight."""
        counts = {fleet.name: sum(one.fleet is fleet for one in found) for fleet in self.told.fleets}
        return min(self.told.fleets, key=lambda fleet: (counts[fleet.name] + 1) / fleet.weight)

    @cached_property
    def _noticed(self) -> dict[int, dict[str, noticing.Noticed]]:
        return {
            one.number: {
                "tracker": noticing.tracker(one, self._rng(one.tracker)),
                "seal": noticing.seal(one, self._rng(one.seal)),
                "sensor": noticing.sensor(one, self._rng(one.sensor)),
            }
            for one in self.hauls
        }

    @cached_property
    def _utterances(self) -> list[Utterance]:
        found: list[Utterance] = []
        for one in self.hauls:
            noticed = self._noticed[one.number]
            for name, device, radio in (
                ("tracker", one.tracker, one.tracker_radio),
                ("seal", one.seal, one.radio),
                ("sensor", one.sensor, one.radio),
            ):
                found += speak(device, noticed[name], radio, self._rng(f"radio {device}"))
        for device, facts in self._at_gates().items():
            found += speak(device, facts, Radio(), self._rng(f"radio {device}"))
        local = self.begins.astimezone(LOCAL)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        for device, place in self._scanners.items():
            local_s = (local - midnight).total_seconds()
            told = scans(place, self._rng(device), local_s=local_s, ends=self.ends_s)
            found += speak(device, told, Radio(), self._rng(f"radio {device}"))
        return sorted(found, key=lambda one: (one.sent, one.time, one.device, one.number))

    @cached_property
    def _scanners(self) -> dict[str, Warehouse]:
        found: dict[str, Warehouse] = {}
        for house in self.told.warehouses:
            for _ in range(house.scanners):
                found[f"{house.park}/SC-W{len(found) + 1:03d}"] = house
        return found

    @cached_property
    def _gates(self) -> list[str]:
        codes = {
            code for one in self.hauls for seen_at in (one.out, one.into) if seen_at for code in seen_at[1:]
        }
        codes |= {code for one in self.hauls for code in self._gates_of(one.origin)}
        return sorted(f"{self._places.features[code]['properties']['park']}/{code}" for code in codes)

    def _gates_of(self, zone: str) -> Iterator[str]:
        for code, feature in self._places.features.items():
            if feature["properties"]["kind"] == "gate" and feature["properties"]["parent"] == zone:
                yield code

    def _at_gates(self) -> dict[str, list[tuple[float, Fact]]]:
        by_code = {name.partition("/")[2]: name for name in self._gates}
        found: dict[str, list[tuple[float, Fact]]] = {
            name: [(at, {"type": "status"}) for at in _ticks(self.ends_s, number)]
            for number, name in enumerate(self._gates)
        }
        rng = self._rng("gates")
        for one in self.hauls:
            for code, t, fact in noticing.passages(one, rng, self._kinds):
                found[by_code[code]].append((t, fact))
        return {name: sorted(facts, key=lambda one: one[0]) for name, facts in found.items()}

    def _rng(self, name: str) -> random.Random:
        return random.Random(f"{self._seed}/{self.told.title}/{name}")


def _ticks(ends_s: float, number: int) -> Iterator[float]:
    at = 30.0 + number
    while at < ends_s:
        yield at
        at += _HEARTBEAT_S
