"""The papers of a haul: its terms, and what people say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from simulators.reality.befalling import MIN
from simulators.reality.hauls import GUARDED, Haul
from simulators.scripts.actors import Document

CALIBRATED_DAYS: Final = 100
"""So long ago sensors were."""


def terms(one: Haul) -> dict[str, Any]:
    """What its shipment is held to: a stay, the move, a stay."""
    limits: dict[str, Any] = {}
    if one.band is not None:
        limits = {"limits": {"temperature_c": {"profile": one.band.profile, "high": one.band.high}}}
        if one.band.low is not None:
            limits["limits"]["temperature_c"]["low"] = one.band.low
    move = {
        "type": "move",
        "from_zones": [one.origin],
        "corridor": one.fleet.corridor,
        "to_zones": [one.destination],
        "seal": "any",
        "max_silence_s": one.fleet.max_silence_s,
    }
    stays = [{"type": "stay", "zones": [zone]} for zone in (one.origin, one.destination)]
    return {"legs": [stays[0], move | limits, stays[1] | limits]}


def papers(one: Haul, kinds: Mapping[str, str], at: Callable[[float], datetime]) -> Iterator[Document]:
    """Passes, the order to open the seal, the sensor's calibration.

    Args:
        one: the truck.
        kinds: of zones, by their code.
        at: tells a second of the world in UTC.
    """
    told_at = one.begins + MIN
    passes = [
        ("in", one.destination, one.pass_in, True),
        ("out", one.origin, one.pass_out, one.has_pass_out),
    ]
    for direction, zone, number, is_there in passes:
        if kinds[zone] != GUARDED or not is_there:
            continue
        body = {
            "type": 2, "direction": direction, "zone": zone, "vehicle": one.plate,
            "containers": [one.container], "total_kg": one.weight_kg,
        }  # fmt: skip
        applied = at(told_at).isoformat()
        yield Document(at=applied, kind="pass", number=number, shipments=(one.shipment,), body=body)
        approved = at(told_at + MIN).isoformat()
        yield Document(at=approved, kind="pass_state", number=number, body={"state": "approved"})
    order = {"zone": one.destination, "seal": one.seal.partition("/")[2]}
    yield Document(
        at=at(one.ordered).isoformat(), kind="unlock_order", number=f"UO-{one.number:03d}",
        shipments=(one.shipment,), body=order,
    )  # fmt: skip
    if one.band is not None:
        yield Document(
            at=(at(one.begins) - timedelta(days=CALIBRATED_DAYS)).isoformat(),
            told_at=at(told_at).isoformat(), kind="calibration", device=one.sensor,
        )  # fmt: skip
