"""The bodies that the API takes, with examples: what OpenAPI shows and what is checked at the edge."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

CODE_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
Code = Annotated[str, Field(pattern=CODE_PATTERN, examples=["SIP"])]


class Body(BaseModel):
    """A strict body: a misspelt field is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Park(Body):
    """A park: one zone, many parks."""

    name_en: str = Field("", examples=["Suzhou Industrial Park"])
    name_zh: str = Field("", examples=["苏州工业园区"])
    time_zone: str = Field("Asia/Shanghai", examples=["Asia/Shanghai"])


class Geometry(BaseModel):
    """A GeoJSON geometry, WGS-84 degrees, longitude first (RFC 7946)."""

    type: Literal["Polygon", "MultiPolygon", "LineString"]
    coordinates: list[Any]


class Feature(BaseModel):
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
    thing: str = Field(min_length=1, max_length=200, examples=["苏E1289K"])
    role: Literal["primary", "secondary", "sensor", "seal"] = "primary"
    valid_from: AwareDatetime = Field(alias="from", examples=["2026-03-10T08:00:00+08:00"])
    valid_to: AwareDatetime | None = Field(None, alias="to")


class NewShipment(Body):
    """A consignment under customs control, with its terms of custody."""

    number: str = Field(min_length=1, max_length=64, pattern=r"^[^/\s]+$", examples=["SIP-2026-000123"])
    park: Code
    reference: str = Field("", max_length=100, examples=["QD231426I000000123"])
    things: list[str] = Field(min_length=1, max_length=1000, examples=[["BNDU1000010", "苏E1289K"]])
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
    valid_from: AwareDatetime | None = Field(
        None, alias="from", description="The terms hold from here on; default: now"
    )


class AlertAction(Body):
    """What a person did about an alert."""

    action: Literal["acknowledge", "resolve", "comment"]
    by: str = Field(min_length=1, max_length=64)
    comment: str = Field("", max_length=2000)
