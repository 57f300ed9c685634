"""A trace in the formats that people load elsewhere: GeoJSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

import msgspec
from fastapi import Response
from fastapi.responses import StreamingResponse

from tracking.api.models import LATEST

Format: TypeAlias = Literal["json", "geojson", "csv"]

LAST_MOMENT: Final = LATEST - timedelta(seconds=1)
MOST_POSITIONS: Final = 200_000

FORMATS: Final = {
    "json": "application/json",
    "geojson": "application/geo+json",
    "csv": "text/csv; charset=utf-8",
}
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


def accepted(accept: str) -> Format:
    """The format that an Accept header asks for."""
    if "geo+json" in accept:
        return "geojson"
    return "csv" if "text/csv" in accept else "json"


def answer(
    wanted: Format, what: str, name: str, rows: list[dict[str, Any]], carrying: Sequence[dict[str, Any]]
) -> Response:
    """A trace as asked for.

    Args:
        wanted: the format.
        what: ``shipment`` or ``thing``.
        name: its number or URI.
        rows: its positions.
        carrying: the devices that gave them.
    """
    names = {carrier["device_id"]: carrier["device"] for carrier in carrying}
    if wanted == "csv":
        file = f"attachment; filename=\"trace.csv\"; filename*=UTF-8''{quote(name, safe='')}.csv"
        headers = {"Content-Disposition": file}
        return StreamingResponse(csv_lines(rows, names), media_type=FORMATS["csv"], headers=headers)
    if wanted == "geojson":
        return Response(msgspec.json.encode(geojson(what, name, rows, names)), media_type=FORMATS["geojson"])
    for row in rows:
        row["device"] = names[row.pop("device_id")]
    body = {what: name, "positions": rows, "complete": len(rows) < MOST_POSITIONS}
    # Encoded here: a long trace is most of the answer's cost, and this way takes a third of it.
    return Response(msgspec.json.encode(body), media_type=FORMATS["json"])


def csv_lines(rows: Iterable[dict[str, Any]], names: dict[int, str]) -> Iterator[str]:
    """CSV with a header line; times RFC 3339 UTC, WGS-84 degrees, metres, metres per second."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for row in rows:
        record = row | {"event_time": row["event_time"].isoformat(), "device": names[row["device_id"]]}
        writer.writerow([record[column] for column in COLUMNS])
        if buffer.tell() > 65_536:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def geojson(what: str, name: str, rows: Sequence[dict[str, Any]], names: dict[int, str]) -> dict[str, Any]:
    """A FeatureCollection with one line a device; ``properties.times`` runs along the coordinates.

    A device with a single position is a Point, because a line needs two. Source: RFC 7946.
    """
    features = []
    by_device = sorted(rows, key=lambda row: row["device_id"])
    for device_id, group in groupby(by_device, key=lambda row: row["device_id"]):
        fixes = list(group)
        coordinates = [[fix["lon"], fix["lat"]] for fix in fixes]
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
                    "device": names[device_id],
                    "times": [fix["event_time"] for fix in fixes],
                    "accuracy_m": [fix["accuracy_m"] for fix in fixes],
                },
            }
        )
    return {"type": "FeatureCollection", "features": features}
