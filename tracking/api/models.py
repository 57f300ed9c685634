"""The bodies that the API takes, with examples: what OpenAPI shows and what is checked at the edge."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def in_our_time(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError("must lie between 1970 and 2200")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(in_our_time)]
"""RFC 3339 with an offset, in a time in which any offset can be written."""

CODE_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
NUMBER_PATTERN = r"^(\.{0,2}[^/\s\p{C}.][^/\s\p{C}]*|\.{3}[^/\s\p{C}]*)$"
"""No slash, space or control character; and not `.` or `..`, which no address can hold."""

Thing = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Code = Annotated[str, Field(pattern=CODE_PATTERN, examples=["SIP"])]


class Storable(BaseModel):
    """What can be written down: no control characters, half characters or numbers that aren't any."""

    @model_validator(mode="before")
    @classmethod
    def _can_be_stored(cls, value: Any) -> Any:
        _check(value)
        return value


class Body(Storable):
    """A strict body: a misspelt field is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


def _check(value: Any) -> None:
    if isinstance(value, dict):
        for name, part in value.items():
            _check(name)
            _check(part)
    elif isinstance(value, list):
        for part in value:
            _check(part)
    elif isinstance(value, str):
        if any((char < " " and char not in "\t\n\r") or "\ud800" <= char <= "\udfff" for char in value):
            raise ValueError("text must hold no control characters and no halves of characters")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("numbers must be finite")


class Park(Body):
    """A park: one zone, many parks."""

    name_en: str = Field("", examples=["Suzhou Industrial Park"])
    name_zh: str = Field("", examples=["苏州工业园区"])
    time_zone: str = Field("Asia/Shanghai", examples=["Asia/Shanghai"])


class Geometry(BaseModel):
    """A GeoJSON geometry, WGS-84 degrees, longitude first (RFC 7946)."""

    type: Literal["Polygon", "MultiPolygon", "LineString"]
    coordinates: list[Any]


class Feature(Storable):
    """One zone or corridor. Further properties are kept."""

    type: Literal["Feature"]
    geometry: Geometry
    properties: dict[str, Any] = Field(
        examples=[
            {"code": "SIPCBZ-E", "kind": "cbz", "park": "SIP", "name_en": "Suzhou Industrial Park CBZ (east)"}
        ]
    )
    id: str | int | None = None


class FeatureCollection(BaseModel):
    """A GeoJSON FeatureCollection (RFC 7946)."""

    type: Literal["FeatureCollection"]
    features: list[Feature] = Field(min_length=1, max_length=5000)


class NewDevice(Body):
    """A device to register."""

    park: Code
    code: Code = Field(examples=["TRK-001"])
    kind: str = Field("tracker", pattern=r"^[a-z_]{1,32}$", examples=["tracker"])
    name: str = Field("", max_length=200)
    datum: Literal["wgs84", "gcj02", "bd09"] = "wgs84"
    expected_every_s: int = Field(60, ge=1, le=7 * 86400, description="How often it reports, seconds")


class NewAttachment(Body):
    """A device on a thing, from a moment on."""

    device: str = Field(examples=["SIP/TRK-001"])
    thing: Thing = Field(examples=["苏E1289K"])
    role: Literal["primary", "secondary", "sensor", "seal"] = "primary"
    valid_from: Moment = Field(alias="from", examples=["2026-03-10T08:00:00+08:00"])
    valid_to: Moment | None = Field(None, alias="to")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("“to” must be later than “from”")
        return self


class NewAggregation(Body):
    """Things in another, or so no longer, as an EPCIS AggregationEvent says it."""

    action: Literal["ADD", "DELETE", "OBSERVE"]
    parent: Thing = Field(examples=["BNDU1000010"])
    children: list[Thing] = Field(min_length=1, max_length=10_000, examples=[["(00)340123453111111115"]])
    time: Moment = Field(examples=["2026-03-10T08:00:00+08:00"])
    quantity: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="So many units of each child; default: all of it"
    )


class NewShipment(Body):
    """A consignment under customs control, with its terms of custody."""

    number: str = Field(min_length=1, max_length=64, pattern=NUMBER_PATTERN, examples=["SIP-2026-000123"])
    park: Code
    reference: str = Field("", max_length=100, examples=["QD231426I000000123"])
    things: list[Thing] = Field(min_length=1, max_length=1000, examples=[["BNDU1000010", "苏E1289K"]])
    terms: dict[str, Any] = Field(
        examples=[
            {
                "legs": [
                    {
                        "type": "move",
                        "from_zones": ["PVGCARGO"],
                        "corridor": "C-PVG-SIPE",
                        "to_zones": ["SIPCBZ-E"],
                        "max_silence_s": 900,
                    }
                ]
            }
        ]
    )
    valid_from: Moment | None = Field(
        None, alias="from", description="The terms hold from here on; default: now"
    )


class NewTerms(Body):
    """Other terms for a shipment, from a moment on."""

    terms: dict[str, Any] = Field(
        examples=[{"legs": [{"type": "stay", "zones": ["SIPCBZ-E"], "max_dwell_s": 864000}]}]
    )
    valid_from: Moment | None = Field(
        None, alias="from", description="The terms hold from here on, whatever older ones said; default: now"
    )


class Said(Body):
    """What every document has."""

    time: Moment = Field(description="When it took effect", examples=["2026-03-10T08:10:00+08:00"])
    source: Literal["declared", "reported", "decided"] = Field(
        "declared", description="By a firm, by a partner's system, by a person of ours"
    )


class NewDocument(Said):
    """What somebody says of a shipment, of a thing, or of a device."""

    kind: str = Field(max_length=32, examples=["release"])
    number: str = Field("", max_length=64, description="Of the paper, order, list or declaration")
    body: dict[str, Any] = Field(default_factory=dict, examples=[{"state": "released"}])
    shipments: list[str] = Field(default_factory=list, max_length=1000, description="Which it concerns, too")
    things: list[Thing] = Field(default_factory=list, max_length=10_000, description="What it is about")


class NewParkRules(Body):
    """How a park changes rules for its shipments, from a moment on."""

    rules: dict[str, Any] = Field(
        examples=[{"route_deviation": {"severity": "critical", "parameters": {"min_duration_s": 60}}}]
    )
    valid_from: Moment | None = Field(None, alias="from", description="They hold from here on; default: now")


class NewDecision(Body):
    """What a person decides on a finding."""

    kind: Literal["explain", "waive"]
    reason: str = Field(min_length=1, max_length=2000, pattern=r"\S", examples=["road closed by the police"])
    by: str = Field(min_length=1, max_length=64, pattern=r"\S", examples=["desk 2"])
    until: Moment | None = Field(
        None,
        description="Of a waiver: also of findings of the same rule and cause that open before this moment",
    )

    @model_validator(mode="after")
    def _only_a_waiver_goes_on(self) -> Self:
        if self.until is not None and self.kind != "waive":
            raise ValueError("“until” belongs to a waiver")
        return self


class ObservationName(Body):
    """An observation as evidence names it."""

    device: str = Field(max_length=129, examples=["SIP/TRK-001"])
    time: Moment = Field(description="Event time", examples=["2026-03-10T02:24:00Z"])
    run: int = Field(ge=-1, lt=2**31, examples=[7])
    seq: int = Field(ge=0, lt=2**63, examples=[17])


class NewCorrection(Body):
    """An observation is in error: an EPCIS error declaration."""

    observation: ObservationName
    reason: Literal["did_not_occur", "incorrect_data"] = Field(description="CBV error reason")
    why: str = Field(min_length=1, max_length=2000, pattern=r"\S", examples=["the wrong box was scanned"])
    by: str = Field(min_length=1, max_length=64, pattern=r"\S", examples=["desk 2"])
    corrective: list[ObservationName] = Field(
        default_factory=list, max_length=100, description="Recorded observations that tell it right"
    )


class NewRetraction(Body):
    """A correction was a mistake: the observation counts again."""

    why: str = Field(min_length=1, max_length=2000, pattern=r"\S", examples=["it was another box"])
    by: str = Field(min_length=1, max_length=64, pattern=r"\S", examples=["desk 2"])


class AlertAction(Body):
    """What a person did about an alert."""

    action: Literal["acknowledge", "resolve", "comment"]
    by: str = Field(min_length=1, max_length=64)
    comment: str = Field("", max_length=2000)


class GateOverride(Body):
    """An officer decides at a gate."""

    decision: Literal["open", "hold", "inspect"] = Field(examples=["open"])
    reason: str = Field(min_length=1, max_length=1000, examples=["papers seen, the camera was dirty"])
    by: str = Field(min_length=1, max_length=64, examples=["officer 17"])


class PlateConfirmation(Body):
    """An officer has looked at the gate's picture."""

    plate: str = Field(min_length=1, max_length=16, pattern=r"\S", examples=["苏E33D71"])
    reason: str = Field(min_length=1, max_length=1000, examples=["it is a D"])
    by: str = Field(min_length=1, max_length=64, examples=["officer 17"])
