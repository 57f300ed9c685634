"""A trace in the formats that people load elsewhere: GeoJSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

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


def geojson(number: str, rows: Sequence[dict[str, Any]], names: dict[int, str]) -> dict[str, Any]:
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
                    "shipment": number,
                    "device": names[device_id],
                    "times": [fix["event_time"] for fix in fixes],
                    "accuracy_m": [fix["accuracy_m"] for fix in fixes],
                },
            }
        )
    return {"type": "FeatureCollection", "features": features}
