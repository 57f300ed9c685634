"""What a script file says. TOML; ``docs/scripts.md`` lists every field, and a test compares the two.

Moments (``at``, ``begins``, ``ends``) are local times of the day of the script: ``"08:41"``, ``"08:41:30"``; with
days before them, counted from that day: ``"+2 05:00"``, ``"-1 14:20"``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct

from devices.observation import Code

Clock: TypeAlias = Annotated[str, Meta(pattern=r"^([+-]\d{1,3} )?\d{2}:\d{2}(:\d{2})?(?!\n)$")]
Name: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_-]{1,64}(?!\n)$")]
LonLat: TypeAlias = tuple[float, float]
Positive: TypeAlias = Annotated[float, Meta(gt=0)]


class ScriptError(ValueError):
    """The file is no script; the message names the field."""


class _Item(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every table may say.

    Attributes:
        only: the variants in which it holds; empty: all.
    """

    only: tuple[str, ...] = ()


class Device(_Item, frozen=True):
    """A device and what it is on.

    Attributes:
        name: ``SIP/TRK-1``.
        kind: ``tracker``, ``sensor``, ``seal``, ``gate``, ``scanner`` and so on.
        on: what it is attached to: a container, a plate, an own code; empty: nothing.
        role: of the attachment.
        begins: of the attachment; empty: long before.
        ends: of the attachment; empty: never.
        expected_every_s: interval that the registration states, seconds.
        datum: of its coordinates.
    """

    name: Name
    kind: str = "tracker"
    on: str = ""
    role: str = "primary"
    begins: Clock | None = None
    ends: Clock | None = None
    expected_every_s: Annotated[int, Meta(ge=1)] = 300
    datum: str = "wgs84"


class Shipment(_Item, frozen=True):
    """A shipment.

    Attributes:
        number: its number.
        park: whose it is.
        things: what it consists of.
        begins: from when it consists of them, and its terms hold.
        reference: declaration or bill.
        terms: as the API takes them.
    """

    number: str
    park: Code
    things: Annotated[Sequence[str], Meta(min_length=1)]
    begins: Clock
    terms: Mapping[str, Any]
    reference: str = ""


class Revision(_Item, frozen=True):
    """New terms.

    Attributes:
        at: from when they hold, and when they are given.
        shipment: its number.
        terms: as the API takes them.
    """

    at: Clock
    shipment: str
    terms: Mapping[str, Any]


class Document(_Item, frozen=True):
    """What people, partners or customs say.

    Attributes:
        at: when it takes effect.
        told_at: when it is recorded; empty: then.
        kind: ``pass``, ``pass_state``, ``unlock_order``, ``release`` and so on.
        number: of the paper.
        shipments: numbers of those that it is about.
        things: that it is about, instead.
        device: that it is about, instead.
        body: its fields.
    """

    at: Clock
    kind: str
    told_at: Clock | None = None
    number: str = ""
    shipments: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    device: str = ""
    body: Mapping[str, Any] = {}


class Halt(Struct, frozen=True, forbid_unknown_fields=True):
    """A stop on a drive.

    Attributes:
        zone: where; it stands in the middle of it.
        begins: when it stops.
        ends: when it drives on.
    """

    zone: Code
    begins: Clock
    ends: Clock


class Drive(_Item, frozen=True):
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


class Stay(_Item, frozen=True):
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


class Fixes(_Item, frozen=True):
    """Positions given one by one, as metres from a place.

    Attributes:
        device: its name.
        begins: the first.
        every_s: interval, seconds.
        place: WGS-84 degrees.
        offsets_m: [east, north, accuracy] of each.
    """

    device: Name
    begins: Clock
    every_s: Positive
    place: LonLat
    offsets_m: tuple[tuple[float, float, float], ...]


class Reading(_Item, frozen=True):
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


class Event(_Item, frozen=True):
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


class Scans(_Item, frozen=True):
    """Many scans, one after another.

    Attributes:
        begins: the first.
        ends: the last.
        devices: scanners, in turn.
        codes: ``{n}`` in it counts from 1.
        count: how many.
        first: the first number.
        fact: of each; without ``code``.
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


class Offline(_Item, frozen=True):
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


class Expect(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A finding that must stand.

    Attributes:
        shipment: its number.
        rule: code.
        severity: of a finding; of what is undetermined nobody asks it.
        verdict: ``finding`` or ``undetermined``.
        state: ``open`` or ``closed``; empty: either.
        opened_at: its moment; empty: any.
        closed_at: its moment; empty: any.
        within_s: how far the moments may be from those, seconds.
        cause: what it is about; empty: anything.
        says: texts that its evidence must hold.
        never_says: texts that it must not.
        only: the variants in which it holds; empty: all.
    """

    shipment: str
    rule: str
    severity: str = ""
    verdict: str = "finding"
    state: str = ""
    opened_at: Clock | None = None
    closed_at: Clock | None = None
    within_s: float = 0.0
    cause: str = ""
    says: tuple[str, ...] = ()
    never_says: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


class Look(_Item, frozen=True):
    """What must stand at a moment, of all the script's shipments: these findings and no others.

    Attributes:
        at: when.
        expect: the findings.
        continuity: verdict of each shipment's chain, by its number, where the script speaks of it.
    """

    at: Clock
    expect: tuple[Expect, ...] = ()
    continuity: Mapping[str, str] = {}


class Script(Struct, frozen=True, forbid_unknown_fields=True):
    """A story.

    Attributes:
        code: ``S5``.
        title: one line.
        day: the day from which moments count.
        begins: when the clock starts.
        looks: what must stand when; the last one is the story's end.
        variants: the story itself and others told by the same file; empty: only itself.
        devices: who reports.
        shipments: what is under custody.
        revisions: new terms on the way.
        documents: what people say.
        drives: positions on the road.
        stays: positions of what stands.
        fixes: positions one by one.
        readings: values of sensors.
        events: everything else that devices say.
        scans: many at once.
        offline: who has no network when.
    """

    code: str
    title: str
    day: date
    begins: Clock
    looks: Annotated[tuple[Look, ...], Meta(min_length=1)]
    variants: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    revisions: tuple[Revision, ...] = ()
    documents: tuple[Document, ...] = ()
    drives: tuple[Drive, ...] = ()
    stays: tuple[Stay, ...] = ()
    fixes: tuple[Fixes, ...] = ()
    readings: tuple[Reading, ...] = ()
    events: tuple[Event, ...] = ()
    scans: tuple[Scans, ...] = ()
    offline: tuple[Offline, ...] = ()


PARTS: tuple[type[Any], ...] = (
    Script, Device, Shipment, Revision, Document, Drive, Halt, Stay, Fixes, Reading, Event, Scans, Offline,
    Look, Expect,
)  # fmt: skip
"""Every table of the format, for the documentation."""


def names() -> list[str]:
    """The scripts that come with the package."""
    entries = files("simulators").joinpath("scripts").iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))


def load(name: str) -> Script:
    """A script by its name, or by the path of its file.

    Raises:
        ScriptError: there is none, or the file says something that the format doesn't know.
    """
    if name in names():
        text = files("simulators").joinpath("scripts", f"{name}.toml").read_text(encoding="utf-8")
    elif name.endswith(".toml") and Path(name).exists():
        text = Path(name).read_text(encoding="utf-8")
    else:
        raise ScriptError(f"no script {name!r}; there are: {', '.join(names())}, or give a .toml file")
    try:
        return msgspec.convert(tomllib.loads(text), Script)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        raise ScriptError(f"{name}: {error}") from error
