"""The places of the simulated world: ``places.json``, approximate and saying so."""

from __future__ import annotations

import json
from functools import cached_property
from importlib.resources import files
from typing import Any, Final

from simulators.geo import Line, Point, centre

VALID_FROM: Final = "2020-01-01T00:00:00Z"
"""Long before any story, so that every story finds the places in force."""


class Places:
    """Zones and corridors by their codes."""

    def __init__(self, collection: dict[str, Any]) -> None:
        self.parks: dict[str, dict[str, str]] = collection["parks"]
        self.features: dict[str, dict[str, Any]] = {
            feature["properties"]["code"]: feature for feature in collection["features"]
        }

    def corridor(self, code: str) -> Line:
        """The road of a corridor.

        Raises:
            KeyError: there is no such corridor.
        """
        geometry = self._feature(code)["geometry"]
        if geometry["type"] != "LineString":
            raise KeyError(f"{code} is no corridor")
        return Line([Point(lon, lat) for lon, lat in geometry["coordinates"]])

    def middle(self, code: str) -> Point:
        """The middle of a zone.

        Raises:
            KeyError: there is no such zone.
        """
        geometry = self._feature(code)["geometry"]
        if geometry["type"] != "Polygon":
            raise KeyError(f"{code} is no zone")
        return centre(geometry["coordinates"][0])

    def ends(self, corridor: str) -> tuple[str, str]:
        """The zones that a corridor begins and ends in."""
        properties = self._feature(corridor)["properties"]
        return properties["from"], properties["to"]

    @cached_property
    def zones(self) -> dict[str, Any]:
        """All zones as the API takes them."""
        return self._collection("Polygon")

    @cached_property
    def corridors(self) -> dict[str, Any]:
        """All corridors as the API takes them."""
        return self._collection("LineString")

    def _feature(self, code: str) -> dict[str, Any]:
        if code not in self.features:
            raise KeyError(f"no place {code!r} in places.json")
        return self.features[code]

    def _collection(self, geometry: str) -> dict[str, Any]:
        found = [feature for feature in self.features.values() if feature["geometry"]["type"] == geometry]
        return {
            "type": "FeatureCollection",
            "features": [f | {"properties": f["properties"] | {"valid_from": VALID_FROM}} for f in found],
        }


def load() -> Places:
    """The places that come with the package."""
    return Places(json.loads(files("simulators").joinpath("places.json").read_text(encoding="utf-8")))
