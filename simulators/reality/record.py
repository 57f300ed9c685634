"""The truth as a file: one JSON object a line, for whoever wants to hold something else against it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from shapely.geometry import Polygon

from simulators.places import Places
from simulators.reality.course import runs
from simulators.reality.hauls import Haul
from simulators.reality.seen import SAMPLED_S
from simulators.reality.world import World

WHERE_EVERY_S: Final = 60.0


def write(path: Path, world: World, places: Places) -> int:
    """Write it; how many lines there are.

    Args:
        path: of the file; what was there is replaced.
        world: whose truth.
        places: where its zones are.
    """
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for line in lines(world, places):
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    return count


def lines(world: World, places: Places) -> Iterator[dict[str, Any]]:
    """Every line: of the world, of each haul, and every incident."""
    yield {
        "is": "world",
        "name": world.name,
        "begins": world.begins.isoformat(),
        "hours": round(world.hours, 2),
    }
    for haul in world.hauls:
        yield from _of_haul(world, haul, places)
    for one in world.incidents:
        yield {
            "is": "incident",
            "rule": one.rule,
            "shipment": one.shipment,
            "from": world.at(one.begins).isoformat(),
            "until": world.at(one.ends).isoformat(),
            "due": world.at(one.due).isoformat(),
            "sure": bool(one.sure),
            "early_s": one.early_s,
            "closes": bool(one.closes),
            "why": one.why,
        }


def _of_haul(world: World, haul: Haul, places: Places) -> Iterator[dict[str, Any]]:
    def told(kind: str, t: float, **fields: Any) -> dict[str, Any]:
        return {"is": kind, "shipment": haul.shipment, "time": world.at(t).isoformat(), **fields}

    yield told(
        "haul",
        haul.begins,
        until=world.at(haul.ends).isoformat(),
        container=haul.container,
        plate=haul.plate,
        corridor=haul.fleet.corridor,
        cargo=haul.fleet.cargo,
        deeds=sorted(haul.deeds),
    )
    t, lon, lat = haul.drive.course.sampled(WHERE_EVERY_S)
    for moment, x, y in zip(t.tolist(), lon.tolist(), lat.tolist(), strict=True):
        place = {"lon": round(x, 7), "lat": round(y, 7)}
        if haul.band is not None:
            place["temperature_c"] = round(haul.climate.at(moment), 2)
        yield told("where", moment, **place)
    t, lon, lat = haul.drive.course.sampled(SAMPLED_S)
    for code, feature in places.features.items():
        if feature["geometry"]["type"] != "Polygon":
            continue
        inside = shapely.contains_xy(Polygon(feature["geometry"]["coordinates"][0]), lon, lat)
        for begins, ends in runs(np.asarray(inside), t):
            yield told("in", begins, until=world.at(ends).isoformat(), zone=code)
    for state, at in (("locked", haul.locked), ("cut", haul.cut), ("unlocked", haul.unlocked)):
        if at is not None:
            yield told("seal", at, state=state)
    for kind, windows in (
        ("standing", haul.drive.course.stands),
        ("door", haul.climate.doors),
        ("no_power", haul.climate.failures),
        ("defrost", haul.climate.defrosts),
        ("tracker_dead", haul.tracker_off),
        ("seal_dead", haul.seal_off),
        ("offline", haul.radio.offline),
    ):
        for begins, ends in windows:
            yield told(kind, begins, until=world.at(ends).isoformat())
