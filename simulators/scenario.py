"""What a scenario file says. TOML; ``docs/scenarios.md`` lists every field, and a test compares the two.

Moments inside a scenario (``*_at_s``, ``from_s``) are seconds of event time since the story's beginning.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from msgspec import Meta

from devices.observation import Code
from simulators.toml_files import Positive, Shelf, Table

Count: TypeAlias = Annotated[int, Meta(ge=1, le=1000)]
Seconds: TypeAlias = Annotated[int, Meta(ge=0)]
Range: TypeAlias = tuple[float, float]


class ScenarioError(ValueError):
    """The file is no scenario; the message names the field."""


class Fleet(Table, frozen=True):
    """Trucks that drive one corridor to and fro, each with a tracker, goods and their papers.

    Attributes:
        name: what stories call the fleet.
        park: whose devices and shipments these are.
        corridor: code of the corridor; it begins and ends in zones of the places.
        trucks: how many.
        first_at_s: when the first one leaves.
        headway_s: one leaves every so many seconds.
        speed_kmh: each truck's cruising speed is drawn from this range.
        report_every_s: interval of a moving tracker's positions.
        parked_every_s: interval while it stands.
        stay_s: how long a truck stands at either end before it drives again.
        gates: codes of the gates on the road there; each reports every truck that passes.
        gates_back: those on the road back; empty: the same.
        seals: so many of the trucks carry an e-seal.
        custodian: who answers for the goods in the shipments' terms (credit code).
        max_silence_s: limit of silence in the shipments' terms.
        expected_every_s: interval that the registration states. A tracker that is allowed to buffer states
            a long one; at less than a fifth of the scenario's past, a backlog is a silence.
    """

    name: str
    park: Code
    corridor: Code
    trucks: Count
    first_at_s: Seconds = 0
    headway_s: Seconds = 300
    speed_kmh: Range = (60.0, 80.0)
    report_every_s: Positive = 10.0
    parked_every_s: Positive = 60.0
    stay_s: Seconds = 600
    gates: tuple[Code, ...] = ()
    gates_back: tuple[Code, ...] = ()
    custodian: str | None = None
    seals: Annotated[int, Meta(ge=0)] = 0
    max_silence_s: Seconds = 7200
    expected_every_s: Annotated[int, Meta(ge=1)] = 1800


class Stray(Table, frozen=True, tag_field="kind", tag="stray"):
    """A truck leaves its corridor and comes back.

    Attributes:
        fleet: name of the fleet.
        truck: number within the fleet, from 1.
        at_km: where on its way it turns off.
        for_km: how far it drives beside the corridor.
        left_m: how far beside it, metres to the left; negative: to the right.
    """

    fleet: str
    truck: Count
    at_km: Positive
    for_km: Positive
    left_m: float


class Stop(Table, frozen=True, tag_field="kind", tag="stop"):
    """A truck stops in a place beside its road.

    Attributes:
        fleet: name of the fleet.
        truck: number within the fleet, from 1.
        zone: where.
        minutes: how long.
    """

    fleet: str
    truck: Count
    zone: Code
    minutes: Positive


class Cut(Table, frozen=True, tag_field="kind", tag="cut"):
    """Somebody cuts the e-seal of a truck on its way.

    Attributes:
        fleet: name of the fleet.
        truck: number within the fleet, from 1; one that carries a seal.
        at_km: where on its way.
    """

    fleet: str
    truck: Count
    at_km: Positive


class Warehouse(Table, frozen=True):
    """Hand scanners that receive, store, pick and load.

    Attributes:
        park: whose scanners these are.
        zone: the warehouse.
        shelves: zones that goods are scanned into; empty: the warehouse itself.
        scanners: how many.
        scans_per_minute: of each scanner at work.
        work_minutes: a scanner works so long, pauses, works again.
        pause_minutes: length of its pauses.
    """

    park: Code
    zone: Code
    scanners: Count
    shelves: tuple[Code, ...] = ()
    scans_per_minute: Positive = 6.0
    work_minutes: Positive = 25.0
    pause_minutes: Positive = 5.0


class ColdStore(Table, frozen=True):
    """Thermometers on the wall of a cold store.

    Attributes:
        park: whose sensors these are.
        zone: the cold store.
        sensors: how many.
        every_s: interval of their readings.
        target_c: set temperature; defrosting lifts it now and then.
    """

    park: Code
    zone: Code
    sensors: Count
    every_s: Positive = 30.0
    target_c: float = -20.0


class Offline(Table, frozen=True, tag_field="kind", tag="offline"):
    """A device loses its network; its outbox fills, and is emptied afterwards.

    Attributes:
        device: its code.
        from_s: when it goes.
        until_s: when it is back.
    """

    device: Code
    from_s: Seconds
    until_s: Seconds


class Repeat(Table, frozen=True, tag_field="kind", tag="repeat"):
    """A device sends again what it sent already, as if its receipts had been lost.

    Attributes:
        device: its code.
        at_s: when.
        events: how many, the newest.
    """

    device: Code
    at_s: Seconds
    events: Count


class Rubbish(Table, frozen=True, tag_field="kind", tag="rubbish"):
    """A device's firmware publishes what nobody can read.

    Attributes:
        device: its code.
        at_s: when.
    """

    device: Code
    at_s: Seconds


Story: TypeAlias = Stray | Stop | Cut
Fault: TypeAlias = Offline | Repeat | Rubbish


class Scenario(Table, frozen=True):
    """A world and what happens in it.

    Attributes:
        title: one line for people.
        description: what one should see.
        past_s: the story begins so long ago; devices upload that past first, like trackers that come back
            into the network.
        speed: how many times faster than it happened the past is uploaded.
        fleets: trucks.
        stories: what happens to single trucks.
        warehouses: hand scanners.
        cold_stores: thermometers.
        faults: what goes wrong with devices.
    """

    title: str
    description: str = ""
    past_s: Seconds = 0
    speed: Positive = 60.0
    fleets: tuple[Fleet, ...] = ()
    stories: tuple[Story, ...] = ()
    warehouses: tuple[Warehouse, ...] = ()
    cold_stores: tuple[ColdStore, ...] = ()
    faults: tuple[Fault, ...] = ()


PARTS: tuple[type[Any], ...] = (
    Scenario, Fleet, Stray, Stop, Cut, Warehouse, ColdStore, Offline, Repeat, Rubbish,
)  # fmt: skip
"""Every table of the schema, for the documentation."""

_SHELF: Final = Shelf("scenarios", "scenario", Scenario, ScenarioError)


def names() -> list[str]:
    """The scenarios that come with the package."""
    return _SHELF.names()


def load(name: str) -> Scenario:
    """A scenario by its name, or by the path of its file.

    Raises:
        ScenarioError: there is none, or the file says something that the schema doesn't know.
    """
    return _SHELF.load(name)
