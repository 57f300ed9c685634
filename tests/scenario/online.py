"""What stories end with, to be compared with how they end when everybody is online: effective findings,
milestones and coverage, never how anything arrived.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from tests.fault.api import Api
from tests.fault.waiting import until

SIGNED_S: Final = 60.0
"""A head is signed every ten seconds; on a busy machine it takes longer."""

ARRIVAL: Final = frozenset({"recorded_at", "through", "judged_through", "decisions", "decided"})
"""Fields that say when we learned something."""

End = Mapping[str, Any]


def ends_of(api: Api) -> dict[str, End]:
    """How every shipment of an installation stands."""
    rows = api.ask("GET", "/v1/shipments?limit=200")["shipments"]
    return {row["number"]: _end_of(api, row["number"]) for row in rows}


def _end_of(api: Api, shipment: str) -> End:
    """The effective findings, milestones and coverage of a shipment, without what arrival alone decides."""
    path = f"/v1/shipments/{quote(shipment, safe='')}"

    def signed() -> Any:
        found = api.ask("GET", f"{path}/coverage")
        return None if "unsigned" in json.dumps(found) else found

    coverage = until(signed, SIGNED_S, f"everything of {shipment} to be signed")
    return {
        "findings": _without_arrival(api.ask("GET", f"{path}/custody")["findings"]),
        "milestones": _without_arrival(api.ask("GET", f"{path}/milestones")["milestones"]),
        "coverage": _without_arrival(coverage),
    }


def differences(shipment: str, as_told: End, online: End) -> Iterator[str]:
    """Where two ends differ, in words."""
    for part, found in as_told.items():
        if found != online[part]:
            yield f"{shipment}: {part} differ from an online run: {_first(found, online[part])}"


def _first(found: Any, other: Any) -> str:
    if isinstance(found, list) and isinstance(other, list):
        here = [one for one in found if one not in other]
        there = [one for one in other if one not in found]
        return f"{_short(here)} against {_short(there)}"
    if isinstance(found, dict) and isinstance(other, dict):
        return "; ".join(
            f"{name}: {_first(found.get(name), other.get(name))}"
            for name in sorted(found.keys() | other.keys())
            if found.get(name) != other.get(name)
        )
    return f"{_short(found)} against {_short(other)}"


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:600]


def _without_arrival(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_arrival(part) for name, part in value.items() if name not in ARRIVAL}
    if isinstance(value, list):
        return [_without_arrival(part) for part in value]
    return value
