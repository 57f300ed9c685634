"""``/v1/zones`` and ``/v1/corridors``: GeoJSON in and out, by revisions."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter, ValidationError

from devices.observation import micros
from tracking.api.access import Authorised, Caller
from tracking.api.context import Context, Ctx
from tracking.api.models import CODE_PATTERN, Feature, FeatureCollection, Moment
from tracking.api.problems import Problem
from tracking.domain.places import CORRIDOR, Area
from tracking.judge import replan_after_place_change
from tracking.store import reading, registry

router = APIRouter(prefix="/v1", tags=["places"])

GEOJSON: Final = "application/geo+json"
OURS: Final = {"code", "kind", "park", "tolerance_m", "valid_from"}
"""Properties that are columns of ours; every other one is kept as it is."""

KNOWN: Final[dict[str, type]] = {"bonded": bool, "parent": str, "name_en": str, "name_zh": str}
"""Properties that we read ourselves, and what they must be."""

_CODE: Final = re.compile(CODE_PATTERN)
_MOMENT: Final = TypeAdapter(Moment)


@router.get("/zones", response_class=Response, responses={200: {"content": {GEOJSON: {}}}})
def zones(ctx: Ctx, _: Authorised, at: Moment | None = None, park: str | None = None) -> Response:
    """The zones in force now, or at a moment."""
    return _collection(ctx, at, park, corridors=False)


@router.get("/corridors", response_class=Response, responses={200: {"content": {GEOJSON: {}}}})
def corridors(ctx: Ctx, _: Authorised, at: Moment | None = None, park: str | None = None) -> Response:
    """The corridors in force now, or at a moment."""
    return _collection(ctx, at, park, corridors=True)


@router.post("/zones")
def put_zones(body: FeatureCollection, ctx: Ctx, caller: Authorised) -> dict[str, Any]:
    """Draw zones, or give them a new revision. What is the same already stays as it is."""
    return _put(body, ctx, caller, corridors=False)


@router.post("/corridors")
def put_corridors(body: FeatureCollection, ctx: Ctx, caller: Authorised) -> dict[str, Any]:
    """Draw corridors, or give them a new revision. What is the same already stays as it is."""
    return _put(body, ctx, caller, corridors=True)


def _collection(ctx: Context, at: datetime | None, park: str | None, *, corridors: bool) -> Response:
    with ctx.pool.connection() as conn:
        rows = reading.areas(conn, at=at or ctx.now(), park=park, corridors=corridors)
    features = [
        {
            "type": "Feature",
            "id": row["code"],
            "geometry": row["geometry"],
            "properties": row["properties"]
            | {name: row[name] for name in ("code", "kind", "park", "revision")}
            | ({"tolerance_m": row["tolerance_m"]} if row["tolerance_m"] is not None else {})
            | {"valid_from": row["valid_from"].isoformat()},
        }
        for row in rows
    ]
    return JSONResponse({"type": "FeatureCollection", "features": features}, media_type=GEOJSON)


def _put(body: FeatureCollection, ctx: Context, caller: Caller, *, corridors: bool) -> dict[str, Any]:
    now = ctx.now()
    areas = [_area(feature, at, now, corridors) for at, feature in enumerate(body.features)]
    outcomes: dict[str, str] = {}
    with ctx.pool.connection() as conn, conn.transaction():
        registry.lock_reference(conn)
        changed_from = None
        for at, (feature, area, valid_from) in enumerate(areas):
            try:
                outcome = registry.put_area(
                    conn,
                    code=area.code,
                    kind=area.kind,
                    park=area.park,
                    geometry=feature.geometry.model_dump(),
                    tolerance_m=area.tolerance_m,
                    properties=area.properties,
                    valid_from=valid_from,
                    recorded_at=now,
                    recorded_by=caller.name,
                )
            except registry.Unknown as error:
                pointer = f"/features/{at}/properties/{error.what}"
                raise Problem(422, "unknown-" + error.what, str(error), pointer=pointer) from error
            except ValueError as error:
                raise Problem(409, "area-conflict", str(error), pointer=f"/features/{at}") from error
            outcomes[area.code] = outcome
            if outcome != "unchanged":
                changed_from = min(changed_from or valid_from, valid_from)
        if changed_from is not None:
            replan_after_place_change(conn, changed_from)
    return {"areas": outcomes}


def _area(feature: Feature, at: int, now: datetime, corridors: bool) -> tuple[Feature, Area, datetime]:
    """The area that a feature draws, checked as the fold will see it."""
    where = f"/features/{at}"
    properties = feature.properties
    code = properties.get("code", feature.id)
    kind = properties.get("kind", CORRIDOR if corridors else None)
    for name, value in (("code", code), ("kind", kind), ("park", properties.get("park"))):
        if not isinstance(value, str) or not _CODE.fullmatch(value):
            detail = f"{name} must be text of 1 to 64 of A-Z a-z 0-9 _ -"
            raise Problem(422, "invalid-area", detail, pointer=f"{where}/properties/{name}")
    if (kind == CORRIDOR) != corridors:
        other = "/v1/corridors" if kind == CORRIDOR else "/v1/zones"
        detail = f'"{code}" is of kind {kind}: send it to {other}'
        raise Problem(422, "invalid-area", detail, pointer=f"{where}/properties/kind")
    for name, shape in KNOWN.items():
        if not isinstance(properties.get(name), shape | None):
            detail = f"{name} must be {'true or false' if shape is bool else 'text'}"
            raise Problem(422, "invalid-area", detail, pointer=f"{where}/properties/{name}")
    tolerance_m = properties.get("tolerance_m")
    if isinstance(tolerance_m, bool) or not isinstance(tolerance_m, int | float | None):
        detail = "tolerance_m must be a number of metres"
        raise Problem(422, "invalid-area", detail, pointer=f"{where}/properties/tolerance_m")
    try:
        valid_from = _MOMENT.validate_python(properties.get("valid_from", now))
    except ValidationError as error:
        detail = "valid_from must be RFC 3339 with an offset, between 1970 and 2200"
        raise Problem(422, "invalid-area", detail, pointer=f"{where}/properties/valid_from") from error
    try:
        area = Area.from_geojson(
            feature.geometry.model_dump(),
            code=str(code),
            kind=str(kind),
            park=str(properties["park"]),
            valid_from_us=micros(valid_from),
            tolerance_m=tolerance_m,
            properties={name: value for name, value in properties.items() if name not in OURS},
        )
    except (ValueError, TypeError, IndexError) as error:
        raise Problem(422, "invalid-area", str(error), pointer=f"{where}/geometry") from error
    return feature, area, valid_from
