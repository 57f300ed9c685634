"""Hand scanners in a warehouse: people work in shifts, fast at the beginning, with a break in the middle."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Final

from simulators.reality.format import Warehouse
from simulators.reality.speech import Fact
from simulators.warehouses import sscc

_DAY_S: Final = 86_400.0
_BREAK_S: Final = 1800.0
_RUSH_S: Final = 1200.0
_ACTIONS: Final = ("receiving", "storing", "picking", "loading")


def scans(
    place: Warehouse, rng: random.Random, *, local_s: float, ends: float
) -> Iterator[tuple[float, Fact]]:
    """What one scanner says, with its moments.

    Args:
        place: where.
        rng: of this scanner.
        local_s: seconds since local midnight at the world's first moment.
        ends: last moment.
    """
    shifts = [_shift(text) for text in place.shifts]
    operator = f"OP-{rng.randint(1, 60):02d}"
    parcels: list[str] = []
    now = rng.uniform(0, 10)
    while now < ends:
        rate = place.scans_per_minute * _pace((local_s + now) % _DAY_S, shifts)
        if rate == 0:
            now += 60.0
            continue
        now += max(0.5, rng.expovariate(rate / 60))
        if now >= ends or _pace((local_s + now) % _DAY_S, shifts) == 0:
            continue
        action = rng.choice(_ACTIONS) if parcels else "receiving"
        if action == "receiving":
            parcels = [*parcels[-30:], sscc(rng.randrange(10**9))]
        location = rng.choice(place.shelves) if action == "storing" and place.shelves else place.zone
        code = rng.choice(parcels[-10:])
        yield (
            now,
            {"type": "scan", "code": code, "action": action, "location": location, "operator": operator},
        )


def _shift(text: str) -> tuple[float, float]:
    begins, ends = (int(part[:2]) * 3600.0 + int(part[3:]) * 60.0 for part in text.split("-"))
    return begins, ends if ends > begins else ends + _DAY_S


def _pace(local_s: float, shifts: Sequence[tuple[float, float]]) -> float:
    """How much faster or slower than usual; 0: nobody is at work."""
    for begins, ends in shifts:
        for at in (local_s, local_s + _DAY_S):  # a night's shift goes on after midnight
            if begins <= at < ends:
                if abs(at - (begins + ends) / 2) < _BREAK_S / 2:
                    return 0.0
                return 2.0 if at < begins + _RUSH_S else 1.0
    return 0.0
