"""A trace in the formats that people load elsewhere: GeoJSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import quote

import msgspec
from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from msgspec import Struct

from tracking.api.models import EARLIEST, LATEST, Moment
from tracking.store.traces import TracePoint

Format: TypeAlias = Literal["json", "geojson", "csv"]

LAST_MOMENT: Final = LATEST - timedelta(seconds=1)
MOST_POSITIONS: Final = 200_000

FORMATS: Final = {
    "json": "application/json",
    "geojson": "application/geo+json",
    "csv": "text/csv; charset=utf-8",
}
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {media: {} for media in FORMATS.values()}}
}
"""What OpenAPI says of the answers of every trace."""

COLUMNS: Final = (
    "event_time",
    "device",
    "lon",
    "lat",
    "accuracy_m",
    "speed_mps",
    "heading_deg",
    "run",
    "seq",
)


class Asked(Struct, frozen=True):
    """What every request for a trace may say: which format, and which time."""

    format: Format
    since: datetime
    until: datetime


def asked(
    request: Request,
    as_: Annotated[Format | None, Query(alias="format", description="Else by the Accept header")] = None,
    since: Moment = EARLIEST,
    until: Moment = LAST_MOMENT,
) -> Asked:
    """Read it from the query, and the format else from the Accept header."""
    return Asked(as_ or accepted(request.headers.get("accept", "")), since, until)


Wanted = Annotated[Asked, Depends(asked)]


def accepted(accept: str) -> Format:
    """The format that an Accept header asks for."""
    if "geo+json" in accept:
        return "geojson"
    return "csv" if "text/csv" in accept else "json"


def answer(wanted: Format, what: str, name: str, points: Sequence[TracePoint]) -> Response:
    """A trace as asked for.

    Args:
        wanted: the format.
        what: ``shipment`` or ``thing``.
        name: its number or URI.
        points: its positions, in event-time order.
    """
    if wanted == "csv":
        file = f"attachment; filename=\"trace.csv\"; filename*=UTF-8''{quote(name, safe='')}.csv"
        headers = {"Content-Disposition": file}
        return StreamingResponse(csv_lines(points), media_type=FORMATS["csv"], headers=headers)
    if wanted == "geojson":
        return Response(msgspec.json.encode(geojson(what, name, points)), media_type=FORMATS["geojson"])
    body = {what: name, "positions": points, "complete": len(points) < MOST_POSITIONS}
    # Encoded here: a long trace is most of the answer's cost, and this way takes a third of it.
    return Response(msgspec.json.encode(body), media_type=FORMATS["json"])


def csv_lines(points: Iterable[TracePoint]) -> Iterator[str]:
    """CSV with a header line; times RFC 3339 UTC, WGS-84 degrees, metres, metres per second."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for point in points:
        record = msgspec.structs.asdict(point) | {"event_time": point.event_time.isoformat()}
        writer.writerow([record[column] for column in COLUMNS])
        if buffer.tell() > 65_536:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def geojson(what: str, name: str, points: Sequence[TracePoint]) -> dict[str, Any]:
    """A FeatureCollection with one line a device; ``properties.times`` runs along the coordinates.

    A device with a single position is a Point, because a line needs two. Source: RFC 7946.
    """
    by_device: dict[str, list[TracePoint]] = {}
    for point in points:
        by_device.setdefault(point.device, []).append(point)
    features = []
    for device, fixes in by_device.items():
        coordinates = [[fix.lon, fix.lat] for fix in fixes]
        line = len(coordinates) > 1
        features.append(
            {
                "type": "Feature",
                "geometry": {
                    "type": "LineString" if line else "Point",
                    "coordinates": coordinates if line else coordinates[0],
                },
                "properties": {
                    what: name,
                    "device": device,
                    "times": [fix.event_time for fix in fixes],
                    "accuracy_m": [fix.accuracy_m for fix in fixes],
                },
            }
        )
    return {"type": "FeatureCollection", "features": features}
