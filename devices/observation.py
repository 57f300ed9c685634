"""The normal form of what a device reports: every codec produces it, everything behind the codecs reads it.

An observation is one fact: what, when, where, how. It is immutable and keeps the event's own bytes.
Units stand in the names: metres, metres per second, degrees, kilograms, degrees Celsius. Times are integers,
microseconds since 1970-01-01T00:00:00Z (``_us``), because the road sorts and compares millions of them.

Source: the dimensions what, when, where, how of GS1 EPCIS 2.0; the wire contract in ``docs/device-guide.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

# ``$`` alone would let a trailing newline through.
Code: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}(?!\n)$")]
Longitude: TypeAlias = Annotated[float, Meta(ge=-180, le=180)]
Latitude: TypeAlias = Annotated[float, Meta(ge=-90, le=90)]
NonNegative: TypeAlias = Annotated[float, Meta(ge=0)]
# Wide enough for every receiver's "don't know" (99999, -32768), and far from what a column can't hold.
Altitude: TypeAlias = Annotated[float, Meta(ge=-100_000, le=100_000)]
Accuracy: TypeAlias = Annotated[float, Meta(ge=0, le=1_000_000)]
Speed: TypeAlias = Annotated[float, Meta(ge=0, le=1_000)]
Heading: TypeAlias = Annotated[float, Meta(ge=0, le=360)]
Percent: TypeAlias = Annotated[float, Meta(ge=0, le=100)]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

ID_RUN: Final = -1
"""The run of events that carry an ``id`` instead of a counter; their ``seq`` is derived from the id."""


class Datum(StrEnum):
    """The geodetic datum that a device's coordinates are given in."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"


class Action(StrEnum):
    """What a scanner did: a CBV 2.0 business step, or one of our own two (``stuffing``, ``unstuffing``).

    Source: GS1 CBV 2.0, section 7.1 (business steps).
    """

    ACCEPTING = "accepting"
    ARRIVING = "arriving"
    COLLECTING = "collecting"
    COMMISSIONING = "commissioning"
    CONSIGNING = "consigning"
    CYCLE_COUNTING = "cycle_counting"
    DEPARTING = "departing"
    HOLDING = "holding"
    INSPECTING = "inspecting"
    INSTALLING = "installing"
    LOADING = "loading"
    PACKING = "packing"
    PICKING = "picking"
    RECEIVING = "receiving"
    REMOVING = "removing"
    REPACKAGING = "repackaging"
    SAMPLING = "sampling"
    SHIPPING = "shipping"
    STAGING_OUTBOUND = "staging_outbound"
    STOCKING = "stocking"
    STORING = "storing"
    STUFFING = "stuffing"
    TRANSPORTING = "transporting"
    UNLOADING = "unloading"
    UNPACKING = "unpacking"
    UNSTUFFING = "unstuffing"
    OTHER = "other"


class SealState(StrEnum):
    """What an e-seal says of itself."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    CUT = "cut"
    TAMPERED = "tampered"
    LOW_BATTERY = "low_battery"


class Direction(StrEnum):
    IN = "in"
    OUT = "out"


class Role(StrEnum):
    GIVER = "giver"
    TAKER = "taker"


class Position(Struct, frozen=True, gc=False, tag_field="type", tag="position"):
    """Where a device says it is, in WGS-84 degrees once decoded.

    ``datum`` says what the wire carried: the event's own word, else the device's registered datum where the
    coordinates had to be converted; None means WGS-84 by registration.
    """

    lon: Longitude
    lat: Latitude
    alt_m: Altitude | None = None
    accuracy_m: Accuracy | None = None
    speed_mps: Speed | None = None
    heading_deg: Heading | None = None
    satellites: Annotated[int, Meta(ge=0, le=200)] | None = None
    datum: Datum | None = None
    thing: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class Scan(Struct, frozen=True, tag_field="type", tag="scan"):
    """A code was read: what was done with it, and inside what."""

    code: Annotated[str, Meta(min_length=1, max_length=200)]
    action: Action
    parent: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    location: Code | None = None
    party: Annotated[str, Meta(max_length=64)] | None = None
    operator: Annotated[str, Meta(max_length=64)] | None = None
    quantity: NonNegative | None = None
    uom: Annotated[str, Meta(max_length=16)] | None = None


class Reading(Struct, frozen=True, tag_field="type", tag="reading"):
    """Sensor values by quantity, the unit in the quantity's name (``temperature_c``, ``shock_g``)."""

    values: Annotated[
        dict[Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,47}(?!\n)$")], float | bool],
        Meta(min_length=1, max_length=64),
    ]
    thing: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class Seal(Struct, frozen=True, tag_field="type", tag="seal"):
    """An e-seal's state. The number is opaque and case-sensitive."""

    seal: Annotated[str, Meta(min_length=1, max_length=32)]
    state: SealState
    order: Annotated[str, Meta(max_length=64)] | None = None
    thing: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class Gate(Struct, frozen=True, tag_field="type", tag="gate"):
    """A vehicle at a gate's lane. ``weight_kg`` absent or 0 means: not weighed."""

    gate: Code
    lane: Annotated[str, Meta(max_length=16)]
    direction: Direction
    plate: Annotated[str, Meta(max_length=16)] | None = None
    plate_confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    trailer_plate: Annotated[str, Meta(max_length=16)] | None = None
    containers: list[Annotated[str, Meta(max_length=16)]] = msgspec.field(default_factory=list)
    seals: list[Annotated[str, Meta(max_length=32)]] = msgspec.field(default_factory=list)
    weight_kg: NonNegative | None = None
    pass_number: Annotated[str, Meta(max_length=64)] | None = msgspec.field(name="pass", default=None)
    image: Annotated[str, Meta(max_length=500)] | None = None


class Handover(Struct, frozen=True, tag_field="type", tag="handover"):
    """Custody passes from one party to another; each side reports it under its own role."""

    from_party: Annotated[str, Meta(min_length=1, max_length=64)]
    to_party: Annotated[str, Meta(min_length=1, max_length=64)]
    role: Role
    thing: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    code: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    signature: Annotated[str, Meta(max_length=1000)] | None = None


class Status(Struct, frozen=True, tag_field="type", tag="status"):
    """How the device itself is doing."""

    battery_pct: Percent | None = None
    signal_dbm: float | None = None
    firmware: Annotated[str, Meta(max_length=64)] | None = None
    queued: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None


class Result(Struct, frozen=True, tag_field="type", tag="result"):
    """The device's answer to a command."""

    command: Annotated[str, Meta(min_length=1, max_length=64)]
    ok: bool
    detail: Annotated[str, Meta(max_length=1000)] | None = None


Fact: TypeAlias = Position | Scan | Reading | Seal | Gate | Handover | Status | Result

BATTERY: Final = "battery_pct"
"""The charge of the device's own battery, as a quantity: told by readings and by the status."""


def measured(fact: Fact) -> Mapping[str, float | bool]:
    """What a fact measured, by quantity: a reading's values, and the charge that a status tells."""
    if type(fact) is Reading:
        return fact.values
    if type(fact) is Status and fact.battery_pct is not None:
        return {BATTERY: fact.battery_pct}
    return {}


KINDS: Final[dict[type[Any], str]] = {
    Position: "position",
    Scan: "scan",
    Reading: "reading",
    Seal: "seal",
    Gate: "gate",
    Handover: "handover",
    Status: "status",
    Result: "result",
}


class Observation(Struct, frozen=True, gc=False):
    """One event of one device, decoded.

    Attributes:
        run: the device's run (0 to 2**31 - 1), or ``ID_RUN`` for events named by ``id``.
        seq: number within the run, counting up by one (0 to 2**63 - 1).
        time_us: when it happened, by the device's clock.
        fact: what the device reports; positions already in WGS-84.
        raw: the event's own bytes, exactly as sent (one element of an array).
        id: the device's own event id, where it has no counter.
        device: which device the event itself says it is from, if it says so; the topic must agree.
    """

    run: int
    seq: int
    time_us: int
    fact: Fact
    raw: bytes
    id: str | None = None
    device: str | None = None

    @property
    def key(self) -> tuple[int, int, int]:
        """The total order of one device's observations: (time_us, run, seq)."""
        return (self.time_us, self.run, self.seq)


def micros(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment(time_us: int) -> datetime:
    """The aware UTC datetime of microseconds since the epoch."""
    return EPOCH + timedelta(microseconds=time_us)
