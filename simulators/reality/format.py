"""What a world file says. TOML; ``docs/scenarios.md`` lists every field, and a test compares the two."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta

from devices.observation import Code
from simulators.toml_files import Positive, Shelf, Table

Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Shift: TypeAlias = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d(?!\n)$")]
Cargo: TypeAlias = Literal["dry", "frozen", "pharma"]


class WorldError(ValueError):
    """The file is no world; the message names the field."""


class Deeds(Table, frozen=True):
    """How many of a fleet's trucks do or suffer what, each a share of 1. What must not be found is here too.

    Attributes:
        stray: leave the corridor by 300 m to 1 km more than its tolerance, for kilometres.
        near_stray: drive beside it, 300 to 450 m within its tolerance.
        stop: stand on the road for 18 to 45 minutes.
        short_stop: stand there for 4 to 12 minutes.
        rest: stand in the corridor's own rest area for 15 to 35 minutes.
        lay_by: stand in a forbidden lay-by on the way for 3 to 25 minutes.
        no_pass: leave a zone that needs a pass without one, seen by no gate.
        border_parking: wait 35 to 60 m inside the fence before leaving.
        seal_cut: the seal is cut on the way.
        early_unlock: the seal is opened at the destination before customs orders it.
        door: the box's door is opened on the way, beside its seal, for 1 to 4 minutes.
        seal_off: the seal's radio is dead for 18 to 40 minutes.
        seal_quiet: and for 3 to 6 minutes.
        tracker_off: the tracker is dead for 20 to 45 minutes.
        tracker_quiet: and for 5 to 11 minutes.
        border_silence: nothing is heard of the tracker for 54 to 80 hours at a border; for rails.
        battery: the tracker's battery is empty on the way, and it is never heard again.
        offline: all devices have no network for 20 to 90 minutes; what they say comes afterwards.
        compressor: the cooling unit fails for 50 to 140 minutes.
        hiccup: and for 3 to 7 minutes.
        door_at_dock: the door stands open for 8 to 20 minutes at the destination.
        skew: the tracker's clock is wrong by up to 45 seconds.
        duplicates: devices send a tenth of what they say twice.
        rubbish: the tracker's firmware says things that are none, now and then.
        urban: half of the way lies among buildings, where receivers err.
    """

    stray: Share = 0
    near_stray: Share = 0
    stop: Share = 0
    short_stop: Share = 0
    rest: Share = 0
    lay_by: Share = 0
    no_pass: Share = 0
    border_parking: Share = 0
    seal_cut: Share = 0
    early_unlock: Share = 0
    door: Share = 0
    seal_off: Share = 0
    seal_quiet: Share = 0
    tracker_off: Share = 0
    tracker_quiet: Share = 0
    border_silence: Share = 0
    battery: Share = 0
    offline: Share = 0
    compressor: Share = 0
    hiccup: Share = 0
    door_at_dock: Share = 0
    skew: Share = 0
    duplicates: Share = 0
    rubbish: Share = 0
    urban: Share = 0


class Fleet(Table, frozen=True):
    """Trucks with one box each, on one corridor.

    Attributes:
        name: what trucks are called after.
        park: whose devices and shipments these are.
        corridor: code; it begins and ends in zones of the places.
        cargo: what the box holds: ``dry``, ``frozen`` (at most -18 °C) or ``pharma`` (2 to 8 °C).
        weight: of the fleet among the others, when trucks are handed out.
        speed_kmh: each truck's cruising speed is drawn from this range.
        report_every_s: interval of a moving tracker's positions.
        reading_every_s: interval of the sensor in the box.
        seal_every_s: interval of the seal's word.
        max_silence_s: how long the terms let tracker and seal be silent on the way.
        deeds: what they do and suffer.
    """

    name: Code
    park: Code
    corridor: Code
    cargo: Cargo = "dry"
    weight: Positive = 1
    speed_kmh: tuple[float, float] = (60.0, 80.0)
    report_every_s: Positive = 15
    reading_every_s: Annotated[int, Meta(ge=1)] = 60
    seal_every_s: Annotated[int, Meta(ge=1)] = 240
    max_silence_s: Annotated[int, Meta(ge=60)] = 900
    deeds: Deeds = Deeds()


class Warehouse(Table, frozen=True):
    """Hand scanners, which work in shifts.

    Attributes:
        park: whose scanners these are.
        zone: the warehouse.
        scanners: how many.
        shelves: zones that goods are stored in; none: the warehouse itself.
        shifts: local times, ``"08:00-16:00"``; a shift may go on after midnight.
        scans_per_minute: of each scanner; twice as many in the first twenty minutes, none in the break.
    """

    park: Code
    zone: Code
    scanners: Annotated[int, Meta(ge=1, le=1000)]
    shelves: tuple[Code, ...] = ()
    shifts: tuple[Shift, ...] = ("08:00-16:30", "16:30-01:00")
    scans_per_minute: Positive = 4


class WorldFile(Table, frozen=True):
    """A world.

    Attributes:
        title: one line.
        begins: its first moment, with its offset.
        hours: of trucks under custody, all together; ``--hours`` goes before.
        spread_h: the trucks' first moments lie in so many hours.
        ambient_c: lowest and highest temperature outdoors of the day.
        rules: whose findings it expects: exactly those that the truth tells of. Any other is unexpected.
        beside: rules whose findings aren't held against the truth: conclusions from other findings, reports.
        fleets: who is on the road.
        warehouses: who scans.
    """

    title: str
    begins: datetime
    rules: tuple[str, ...]
    fleets: Annotated[tuple[Fleet, ...], Meta(min_length=1)]
    beside: tuple[str, ...] = ()
    warehouses: tuple[Warehouse, ...] = ()
    hours: Positive = 20
    spread_h: Positive = 3
    ambient_c: tuple[float, float] = (16.0, 31.0)


PARTS: tuple[type[Any], ...] = (WorldFile, Fleet, Deeds, Warehouse)
"""Every table of the format, for the documentation."""

_SHELF: Final = Shelf("worlds", "world", WorldFile, WorldError)


def names() -> list[str]:
    """The worlds that come with the package."""
    return _SHELF.names()


def load(name: str) -> WorldFile:
    """A world by its name, or by the path of its file.

    Raises:
        WorldError: there is none, or the file says something that the format doesn't know.
    """
    told = _SHELF.load(name)
    if told.begins.tzinfo is None:
        raise WorldError(f"{name}: begins has no offset; write 2026-03-10T06:00:00+08:00")
    return told
