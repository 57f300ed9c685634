"""What stories end with, to be compared with how they end when everybody is online: effective findings,
milestones and coverage, never how anything arrived or what of it is signed yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from tests.fault.api import Api

ARRIVAL: Final = frozenset({"recorded_at", "decisions", "decided"})
"""Fields that say when we learned something."""

UNSIGNED: Final = "unsigned"
NUMBERS: Final = ("measured", "controlled", "verifiable")

End = Mapping[str, Any]


def end_of(api: Api, number: str, until: datetime) -> End:
    """The effective findings, milestones and coverage of a shipment, without what arrival alone decides.

    Args:
        api: who is asked.
        number: of the shipment.
        until: coverage after this moment is left out: time goes on while one asks.
    """
    path = f"/v1/shipments/{quote(number, safe='')}"
    coverage = api.ask("GET", f"{path}/coverage")
    return {
        "findings": _without_arrival(api.ask("GET", f"{path}/custody")["findings"]),
        "milestones": _without_arrival(api.ask("GET", f"{path}/milestones")["milestones"]),
        "continuity": coverage["continuity"],
        **{
            f"{part} {name}": list(_missing(told[name]["missing"], until))
            for part, told in [("whole", coverage["whole"]), *_legs(coverage["legs"])]
            for name in NUMBERS
        },
    }


def differences(number: str, as_told: End, online: End) -> Iterator[str]:
    """Where two ends differ, in words."""
    for part in sorted(as_told.keys() | online.keys()):
        if as_told.get(part) != online.get(part):
            found, other = as_told.get(part), online.get(part)
            if isinstance(found, list) and isinstance(other, list):
                found = [one for one in as_told[part] if one not in other]
                other = [one for one in online[part] if one not in as_told[part]]
            yield f"{number}: {part} differ from an online run: {_short(found)} against {_short(other)}"


def _legs(legs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((f"leg {leg['index']}", leg) for leg in legs)


def _missing(told: Sequence[Mapping[str, Any]], until: datetime) -> Iterator[tuple[str, str, list[str]]]:
    """Missing intervals up to a moment; whether they are signed yet doesn't count."""
    held: tuple[str, str, list[str]] | None = None
    for one in told:
        why = [reason for reason in one["why"] if reason != UNSIGNED]
        begins = one["begins"]
        if not why or datetime.fromisoformat(begins) >= until:
            continue
        ends = min(datetime.fromisoformat(one["ends"]), until).isoformat()
        if held is not None and held[1] == begins and held[2] == why:
            held = (held[0], ends, why)
            continue
        if held is not None:
            yield held
        held = (begins, ends, why)
    if held is not None:
        yield held


def _without_arrival(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_arrival(part) for name, part in value.items() if name not in ARRIVAL}
    if isinstance(value, list):
        return [_without_arrival(part) for part in value]
    return value


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:600]
