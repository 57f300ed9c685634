"""What people, partners and customs say of a shipment, in typed form: papers, releases, orders.

A document is a fact with a moment of its own. Nothing of it is ever changed: what was wrong is followed by
another one. Each body is one struct; its tag is the document's ``kind``.

Source: passes (核放单) and their states as in the bonded-zone system's messages; ``docs/custody.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from devices.observation import Code, Direction

Number: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Plate: TypeAlias = Annotated[str, Meta(min_length=1, max_length=16)]
Kilograms: TypeAlias = Annotated[float, Meta(ge=0, le=10_000_000)]
Reason: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1000)]


class PassType(IntEnum):
    """核放单类型 (passportTypecd)."""

    ENTER_FIRST = 1
    """先入区后报关"""
    FIRST_LINE = 2
    """一线一体化进出区"""
    SECOND_LINE = 3
    """二线进出区"""
    UNDECLARED = 4
    """非报关进出区"""
    REGISTERED = 5
    """卡口登记货物"""
    EMPTY_VEHICLE = 6
    """空车进出区"""
    TWO_STEP = 7
    """两步申报"""


class Binding(IntEnum):
    """绑定类型 (bindTypecd)."""

    ONE_VEHICLE_MANY_BILLS = 1
    ONE_BILL_ONE_VEHICLE = 2
    ONE_BILL_MANY_VEHICLES = 3


class PassState(StrEnum):
    """State of a pass; ``PASS_CODES`` has the number on the wire (stucd)."""

    APPLIED = "applied"
    APPROVED = "approved"
    PASSED = "passed"
    FIRST_GATE = "first_gate"
    SECOND_GATE = "second_gate"
    DELETED = "deleted"
    VOID = "void"


PASS_CODES: Final[dict[PassState, int]] = {state: code for code, state in enumerate(PassState)}


class GatePass(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="pass"):
    """A gate pass (核放单), applied for at the document's moment; later states are documents too.

    Attributes:
        type: what for.
        direction: into the zone or out of it.
        zone: the zone whose gates it is for.
        vehicle: plate of the tractor.
        trailer: plate of the trailer.
        containers: their numbers.
        customs_code: district, four digits.
        binding: how vehicles and bills belong together.
        relates: numbers of the lists or bills it is for (rltNo).
        two_gates: it is passed at two gates, one after the other.
        total_kg: of everything on the weighbridge (totalWt).
        vehicle_kg: of the tractor.
        frame_kg: of the trailer.
        container_kg: of the empty containers.
        gross_kg: of the goods.
    """

    type: PassType
    direction: Direction
    zone: Code
    vehicle: Plate
    trailer: Plate | None = None
    containers: Sequence[Annotated[str, Meta(min_length=1, max_length=16)]] = ()
    customs_code: Annotated[str, Meta(pattern=r"^\d{4}(?!\n)$")] | None = None
    binding: Binding = Binding.ONE_BILL_ONE_VEHICLE
    relates: Sequence[Number] = ()
    two_gates: bool = False
    total_kg: Kilograms | None = None
    vehicle_kg: Kilograms | None = None
    frame_kg: Kilograms | None = None
    container_kg: Kilograms | None = None
    gross_kg: Kilograms | None = None


class PassMoved(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="pass_state"):
    """A pass took another state, by somebody's word: approved, deleted, void; passed, where others say so."""

    state: PassState


class Order(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="unlock_order"):
    """Customs order that a seal be opened (施解封指令). ``seal`` None: whichever is on."""

    zone: Code
    seal: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class SealRecord(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="seal_record"):
    """A seal was put on, in place of another or as the first, recorded with the handover.

    Attributes:
        seal: its number.
        replaces: the number of the one that it replaces; None: the one on the named things, or the open one.
        iso_class: by ISO 17712: indicative, security or high security.
    """

    seal: Annotated[str, Meta(min_length=1, max_length=32)]
    replaces: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    iso_class: Annotated[str, Meta(pattern=r"^[ISH](?!\n)$")] | None = None


class Release(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="release"):
    """Customs released the goods (or the named parcels), or holds them."""

    state: Annotated[str, Meta(pattern=r"^(released|hold)(?!\n)$")]
    pass_number: Number | None = msgspec.field(name="pass", default=None)


class Status(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="status"):
    """Under which status goods are kept (货物状态): bonded or not; ``reference`` names the paper."""

    status: Annotated[str, Meta(pattern=r"^(bonded|non_bonded)(?!\n)$")]
    reference: Number | None = None


class Conveyance(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="conveyance"):
    """The conveyance that brought the goods declared its entry at that moment (运输工具申报进境)."""

    voyage: Number | None = None


class Declaration(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="declaration"):
    """The goods were declared: an entry or a bonded list (报关单, 备案清单)."""

    released: bool = False


class Deduction(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="deduction"):
    """The bonded list was deducted (核扣)."""


class Count(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="count"):
    """A physical count against the book (盘点)."""

    location: Code
    book: Annotated[float, Meta(ge=0)]
    counted: Annotated[float, Meta(ge=0)]
    uom: Annotated[str, Meta(max_length=16)] = ""
    serialised: bool = False


class Steps(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="steps"):
    """The scans that goods must go through, in order, and within how many hours of each other."""

    steps: Annotated[Sequence[str], Meta(min_length=1, max_length=20)]
    max_step_h: Mapping[str, Annotated[float, Meta(gt=0)]] = {}


class Calibration(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="calibration"):
    """A device's sensors were calibrated at the document's moment."""

    device: Annotated[str, Meta(min_length=3, max_length=129)]
    certificate: Number | None = None


class DeviceKey(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="device_key"):
    """A device signs with this key (Ed25519, 32 bytes in base64) from the document's moment on."""

    device: Annotated[str, Meta(min_length=3, max_length=129)]
    public_key: Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{43}=(?!\n)$")]


class PlateConfirmed(
    Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="plate_confirmed"
):
    """An officer looked at a gate's picture and says which plate it shows.

    Attributes:
        device: of the gate that read it.
        run: of the observation.
        seq: of the observation.
        plate: what the officer reads.
        reason: why.
    """

    device: Annotated[str, Meta(min_length=3, max_length=129)]
    run: Annotated[int, Meta(ge=-1)]
    seq: Annotated[int, Meta(ge=0)]
    plate: Plate
    reason: Reason


class GateOverride(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="gate_override"):
    """An officer decided at a gate against the system's decision, or without one.

    Attributes:
        device: of the gate.
        run: of the gate's observation.
        seq: of the gate's observation.
        decision: ``open``, ``hold`` or ``inspect``.
        reason: why.
    """

    device: Annotated[str, Meta(min_length=3, max_length=129)]
    run: Annotated[int, Meta(ge=-1)]
    seq: Annotated[int, Meta(ge=0)]
    decision: Annotated[str, Meta(pattern=r"^(open|hold|inspect)(?!\n)$")]
    reason: Reason


Body: TypeAlias = (
    GatePass | PassMoved | Order | SealRecord | Release | Status | Conveyance | Declaration | Deduction
    | Count | Steps | Calibration | DeviceKey | PlateConfirmed | GateOverride
)  # fmt: skip

KINDS: Final[dict[str, type[Struct]]] = {
    str(body.__struct_config__.tag): body
    for body in (
        GatePass, PassMoved, Order, SealRecord, Release, Status, Conveyance, Declaration, Deduction, Count,
        Steps, Calibration, DeviceKey, PlateConfirmed, GateOverride,
    )
}  # fmt: skip
"""Bodies by kind."""


def read(kind: str, body: Mapping[str, Any]) -> Body:
    """A document's body, checked.

    Raises:
        msgspec.ValidationError: unknown kind, or a field that is missing, unknown or wrong.
    """
    found: Body = msgspec.convert({**body, "kind": kind}, Body)
    return found


def fields(body: Body) -> dict[str, Any]:
    """The body as JSON values, without its kind; ``read(kind, fields(body)) == body``."""
    return {name: value for name, value in msgspec.to_builtins(body).items() if name != "kind"}
