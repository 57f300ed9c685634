"""Hand scanners and thermometers: generators of reports in the order of their times."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from devices.observation import Action, Reading, Scan
from simulators.reports import Report
from simulators.scenario import ColdStore, Warehouse

_WORK = (Action.RECEIVING, Action.STORING, Action.PICKING, Action.LOADING)
_DEFROST_EVERY_S = 4 * 3600
_DEFROST_S = 20 * 60


def scanner(device: str, place: Warehouse, begins_ms: int, rng: random.Random) -> Iterator[Report]:
    """One scanner at work: parcels come in, are stored, picked and loaded, with pauses, without end."""
    operator = f"OP-{rng.randint(1, 40):02d}"
    shelves = place.shelves or (place.zone,)
    shift_ms = round((place.work_minutes + place.pause_minutes) * 60_000)
    work_ms = place.work_minutes * 60_000
    begun = begins_ms - rng.randrange(shift_ms)
    now = begins_ms
    parcels: list[str] = []
    while True:
        now += 1 + round(rng.expovariate(place.scans_per_minute / 60_000))
        if (now - begun) % shift_ms > work_ms:
            now += round(shift_ms - (now - begun) % shift_ms)
            continue
        action = rng.choice(_WORK) if parcels else Action.RECEIVING
        if action is Action.RECEIVING:
            parcels = [*parcels[-30:], sscc(rng.randrange(10**9))]
        location = rng.choice(shelves) if action is Action.STORING else place.zone
        scan = Scan(rng.choice(parcels[-10:]), action=action, location=location, operator=operator)
        yield Report(now, device, scan)


def thermometer(device: str, place: ColdStore, begins_ms: int, rng: random.Random) -> Iterator[Report]:
    """One thermometer: it wanders about the target, and defrosting lifts it now and then, without end."""
    offset, phase, now = rng.gauss(0, 0.3), rng.randrange(_DEFROST_EVERY_S), begins_ms
    wander = 0.0
    while True:
        wander = 0.95 * wander + rng.gauss(0, 0.05)
        into = (now / 1000 + phase) % _DEFROST_EVERY_S
        defrost = 4.0 * math.sin(math.pi * into / _DEFROST_S) if into < _DEFROST_S else 0.0
        temperature = round(place.target_c + offset + wander + defrost, 2)
        values: dict[str, float | bool] = {
            "temperature_c": temperature,
            "humidity_pct": round(rng.uniform(70, 80), 1),
        }
        yield Report(now, device, Reading(values))
        now += round(place.every_s * 1000)


def sscc(serial: int) -> str:
    """An SSCC element string, AI (00), of a made-up company.

    Source: GS1 General Specifications, section 3.2; check digit section 7.9.
    """
    body = f"3690000{serial:010d}"[:17]
    return f"00{body}{-sum(int(digit) * (3, 1)[at % 2] for at, digit in enumerate(body)) % 10}"
