"""The stage of a run: a park, its places, trucks with shipments, a siren."""

from __future__ import annotations

import time

from tests.fault import story
from tests.fault.api import Api


def shipment_of(name: str) -> str:
    """The shipment that a truck carries."""
    return "S-" + name.replace("/", "-")


def siren_of(park: str) -> str:
    """The client that hears the alerts of a park."""
    return f"{park}/SIREN"


def set_stage(api: Api, park: str, trucks: int, begin_ms: int) -> dict[str, str]:
    """Park, places, trucks, shipments, a siren; the secrets by name."""
    origin, destination, route = f"{park}-W", f"{park}-E", f"C-{park}"
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin_ms / 1000 - 3600))
    api.ask("PUT", f"/v1/parks/{park}", {"name_en": "Fault park"})
    zones = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": story.square(lon)},
            "properties": {"code": code, "kind": "cbz", "park": park, "valid_from": since},
        }
        for code, lon in ((origin, story.WEST), (destination, story.EAST))
    ]
    line = [[story.WEST, story.LATITUDE], [story.EAST, story.LATITUDE]]
    corridor = {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": line},
        "properties": {
            "code": route,
            "kind": "corridor",
            "park": park,
            "tolerance_m": story.TOLERANCE_M,
            "valid_from": since,
        },
    }
    api.ask("POST", "/v1/zones", {"type": "FeatureCollection", "features": zones})
    api.ask("POST", "/v1/corridors", {"type": "FeatureCollection", "features": [corridor]})
    passwords = {}
    leg = {
        "type": "move",
        "from_zones": [origin],
        "corridor": route,
        "to_zones": [destination],
        "max_silence_s": 30 * 86400,
    }
    for number in range(trucks):
        made = api.ask(
            "POST", "/v1/devices", {"park": park, "code": f"TRK-{number:03}", "expected_every_s": 20}
        )
        name = made["name"]
        passwords[name] = made["secret"]
        thing = f"苏{park[0]}{number:05}"
        api.ask("POST", "/v1/attachments", {"device": name, "thing": thing, "from": since})
        api.ask(
            "POST",
            "/v1/shipments",
            {
                "number": shipment_of(name),
                "park": park,
                "things": [thing],
                "terms": {"legs": [leg]},
                "from": since,
            },
        )
    made = api.ask("POST", "/v1/devices", {"park": park, "code": "SIREN", "kind": "siren"})
    passwords[siren_of(park)] = made["secret"]
    return passwords
