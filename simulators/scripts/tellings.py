"""What the devices of a script tell: drives, stays, values, events, and when they have no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from msgspec import Meta

from devices.observation import Code
from simulators.scripts.actors import Clock, Item, Name
from simulators.toml_files import Positive, Table

LonLat: TypeAlias = tuple[float, float]


class Halt(Table, frozen=True):
    """A stop on a drive.

    Attributes:
        zone: where; it stands in the middle of it.
        begins: when it stops.
        ends: when it drives on.
    """

    zone: Code
    begins: Clock
    ends: Clock


class Drive(Item, frozen=True):
    """A tracker on a vehicle that drives a corridor from end to end.

    Attributes:
        device: its name.
        corridor: code.
        backwards: from its end to its beginning.
        begins: when it leaves the middle of the zone at the one end.
        ends: when it has come to the middle of the zone at the other.
        every_s: interval of its positions, seconds.
        accuracy_m: that it claims; its error is half of that.
        parked_every_s: interval while it stands.
        stops: on the way.
        silent: [begins, ends] without positions.
    """

    device: Name
    corridor: Code
    begins: Clock
    ends: Clock
    backwards: bool = False
    every_s: Positive = 30
    accuracy_m: Positive = 10
    parked_every_s: Positive = 300
    stops: tuple[Halt, ...] = ()
    silent: tuple[tuple[Clock, Clock], ...] = ()


class Stay(Item, frozen=True):
    """A tracker that stands.

    Attributes:
        device: its name.
        zone: in the middle of which; or
        place: WGS-84 degrees, longitude first.
        begins: its first position.
        ends: its last.
        every_s: interval, seconds.
        accuracy_m: that it claims; its error is half of that.
    """

    device: Name
    begins: Clock
    ends: Clock
    zone: Code | None = None
    place: LonLat | None = None
    every_s: Positive = 300
    accuracy_m: Positive = 10


class Fixes(Item, frozen=True):
    """Positions given one by one, as metres from a place.

    Attributes:
        device: its name.
        begins: the first.
        every_s: interval, seconds.
        place: WGS-84 degrees.
        offsets_m: [east, north, accuracy] of each.
        speed_mps: that it claims; empty: it says nothing of it.
    """

    device: Name
    begins: Clock
    every_s: Positive
    place: LonLat
    offsets_m: tuple[tuple[float, float, float], ...]
    speed_mps: Annotated[float, Meta(ge=0)] | None = None


class Reading(Item, frozen=True):
    """A sensor's values, on straight lines between corners.

    Attributes:
        device: its name.
        quantity: ``temperature_c`` and so on.
        corners: [moment, value], in order; the first and the last are the first and last reading.
        every_s: interval, seconds.
        silent: [begins, ends] without readings.
    """

    device: Name
    quantity: str
    corners: Annotated[tuple[tuple[Clock, float], ...], Meta(min_length=2)]
    every_s: Positive = 60
    silent: tuple[tuple[Clock, Clock], ...] = ()


class Event(Item, frozen=True):
    """One event, as it goes over the wire.

    Attributes:
        at: its time.
        device: who says it.
        fact: ``type`` and fields as in the device guide.
        again: sent so many times more, the same event.
    """

    at: Clock
    device: Name
    fact: Mapping[str, Any]
    again: Annotated[int, Meta(ge=0)] = 0


class Scans(Item, frozen=True):
    """Many scans, one after another.

    Attributes:
        begins: the first.
        ends: the last.
        devices: scanners, in turn.
        codes: ``{n}`` in it counts from 1.
        count: how many.
        first: the first number.
        fact: of each; without ``code``; ``{n}`` in its texts counts, too.
        again: so many of the last are sent once more at ``again_at``.
        again_at: when.
    """

    begins: Clock
    ends: Clock
    devices: Annotated[tuple[Name, ...], Meta(min_length=1)]
    codes: str
    count: Annotated[int, Meta(ge=1)]
    fact: Mapping[str, Any]
    first: int = 1
    again: int = 0
    again_at: Clock | None = None


class Offline(Item, frozen=True):
    """A device without network: what it has to say comes afterwards, at once and out of order.

    Attributes:
        device: its name.
        begins: when it loses the network.
        ends: when it is back.
        duplicated_pct: so many of its events come twice, per cent.
        ahead_s: its clock is so far ahead, seconds.
    """

    device: Name
    begins: Clock
    ends: Clock
    duplicated_pct: float = 0.0
    ahead_s: float = 0.0
