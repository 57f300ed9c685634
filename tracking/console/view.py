"""Rows to what the templates show. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from tracking.console.drawing import Projection
from tracking.console.i18n import WORDS, Words
from tracking.domain.custody.corrections import Correction
from tracking.store.traces import TracePoint

SHAPES: Final = {"critical": "▲", "major": "◆", "minor": "●", "info": "○", "undetermined": "?"}
FIGURES: Final = (
    "area", "device", "missing", "silence", "last_heard", "heard", "distance_m", "tolerance_m", "accuracy_m",
    "fixes", "lon", "lat", "depth_m", "gap_s", "after_s", "seal", "certain", "last_day", "days_late",
    "minutes", "farthest", "caused_by", "score", "value",
)  # fmt: skip
"""What of a piece of evidence is worth a line on a page, in no particular order."""

CONTINUITY_MARKS: Final = {"continuous": "fine", "gap": "minor", "broken": "critical"}

BAD_MILESTONES: Final = {"strayed", "silent", "seal_cut", "seal_tampered"}


class Mark(Struct, frozen=True):
    """A symbol on the map."""

    x: float
    y: float
    shape: str
    severity: str
    title: str


def areas_named(terms: Mapping[str, Any]) -> set[str]:
    """The codes of the areas that some terms name."""
    named: set[str] = set()
    for leg in terms.get("legs", ()):
        named.update(leg.get("zones", ()), leg.get("from_zones", ()), leg.get("to_zones", ()))
        if leg.get("corridor"):
            named.add(leg["corridor"])
    return named


def area_names(areas: Iterable[Mapping[str, Any]], language: str) -> dict[str, str]:
    """What people call each area."""
    return {
        area["code"]: (area["properties"] or {}).get(f"name_{language}")
        or (area["properties"] or {}).get("name_en")
        or area["code"]
        for area in areas
    }


def milestone(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A line of the timeline."""
    area = row["area"]
    return dict(row) | {
        "area_name": names.get(area, area) if area else None,
        "bad": row["kind"] in BAD_MILESTONES,
        "note": note(row["detail"]),
    }


def note(detail: Mapping[str, Any]) -> str:
    """The figures of a milestone that people look for first."""
    parts = []
    if (distance := detail.get("distance_m")) is not None and distance > 0:
        parts.append(f"{distance:,.0f} m")
    if seal := detail.get("seal"):
        parts.append(str(seal))
    if plate := detail.get("plate"):
        parts.append(str(plate))
    return " · ".join(parts)


def continuity(
    told: Mapping[str, Any] | None, names: Mapping[str, str], words: Words
) -> dict[str, Any] | None:
    """The headline, with every point of the chain and every gap; None: it isn't judged yet."""
    if told is None:
        return None
    return {
        "verdict": told["verdict"],
        "is_complete": told["is_complete"],
        "unobserved": datetime.fromisoformat(told["unobserved"]) if "unobserved" in told else None,
        "mark": CONTINUITY_MARKS[told["verdict"]],
        "links": [_link(link, names, words) for link in told["links"]],
        "interruptions": [_interruption(one, words) for one in (*told["breaks"], *told["gaps"])],
    }


def _counted(count: float | None, uom: str | None, words: Words) -> str | None:
    if count is None:
        return None
    unit = words["uom_containers"] if uom == "containers" else uom or ""
    return f"{count:g} {unit}".strip()


def _link(link: Mapping[str, Any], names: Mapping[str, str], words: Words) -> dict[str, Any]:
    place = link["place"]
    told = [
        ("figure_seal", ", ".join(link["seals"]) or None),
        ("count", _counted(link["count"], link["uom"], words)),
        ("temperature_c", f"{link['temperature_c']:.1f}" if "temperature_c" in link else None),
        ("weight_kg", None if link["weight_kg"] is None else f"{link['weight_kg']:,.0f}"),
    ]
    return {
        "time": datetime.fromisoformat(link["time"]),
        "kind": link["kind"],
        "witness": link["witness"],
        "place": names.get(place, place) if place else None,
        "hands": list(dict.fromkeys(party for party in (link["giver"], link["taker"]) if party)),
        "figures": [(words[name], value) for name, value in told if value is not None],
    }


def _interruption(one: Mapping[str, Any], words: Words) -> dict[str, Any]:
    why = one["why"]
    ends = one["ends"]
    return {
        "why": words[f"gap_{why}"] if f"gap_{why}" in WORDS else words[f"rule_{why}"],
        "cause": one["cause"],
        "is_certain": one["is_certain"],
        "begins": datetime.fromisoformat(one["begins"]),
        "ends": None if ends is None else datetime.fromisoformat(ends),
    }


def coverage(told: Mapping[str, Any], words: Words) -> dict[str, Any] | None:
    """The three numbers with what is missing; None: no leg has begun, or it isn't judged yet."""
    whole = told.get("whole")
    if not whole:
        return None
    return {
        "custody_h": whole["custody_s"] / 3600,
        "numbers": [_number(name, whole[name], words) for name in ("measured", "controlled", "verifiable")],
        "legs": [
            {
                "number": leg["index"] + 1,
                "name": leg["corridor"] or ", ".join(leg["zones"]),
                "shares": [_percent(leg[name]["share"]) for name in ("measured", "controlled", "verifiable")],
            }
            for leg in told["legs"]
        ],
    }


def _number(name: str, part: Mapping[str, Any], words: Words) -> dict[str, Any]:
    missing = [
        {
            "begins": datetime.fromisoformat(one["begins"]),
            "ends": datetime.fromisoformat(one["ends"]),
            "why": ", ".join(_reason(why, words) for why in one["why"]),
        }
        for one in part["missing"]
    ]
    return {"name": name, "share": part["share"], "percent": _percent(part["share"]), "missing": missing}


def _percent(share: float | None) -> str:
    """Rounded down: 100 % means all of it."""
    return "–" if share is None else f"{int(share * 1000) / 10:.1f} %"


def _reason(why: str, words: Words) -> str:
    if why.startswith("undetermined "):
        return f"{words['rule_' + why.split()[1]]} ({words['severity_undetermined']})"
    return words[f"missing_{why}"] if f"missing_{why}" in WORDS else words[f"rule_{why}"]


def paper(row: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the papers: what was said when, by whom, with what it says in a few words."""
    body = row["body"]
    said = [body[name] for name in ("state", "status", "vehicle", "zone", "seal", "plate") if body.get(name)]
    return dict(row) | {"told": " · ".join(map(plain, said))}


def mark_of(row: Mapping[str, Any]) -> str:
    """How a finding is marked: undetermined is never shown as a breach."""
    return "undetermined" if row["verdict"] == "undetermined" else str(row["severity"])


def finding(row: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """An entry of the findings."""
    return dict(row) | {
        "mark": mark_of(row),
        "evidence": [piece_of(piece, words) for piece in row["evidence"]],
        "parameters": sorted((name, plain(value)) for name, value in row["parameters"].items()),
    }


def change(told: Mapping[str, Any]) -> dict[str, Any]:
    """A change of the findings, with its causes each in a few words and once."""
    counted: dict[str, int] = {}
    for one in told["because"]:
        about = next((one[name] for name in ("device", "area", "number", "reason") if one.get(name)), "")
        cause = f"{one.get('by', '')} {about}".strip()
        counted[cause] = counted.get(cause, 0) + int(one.get("events", 1))
    causes = [f"{cause} ×{count}" if count > 1 else cause for cause, count in counted.items() if cause]
    return dict(told) | {"causes": causes}


def correction(one: Correction) -> dict[str, Any]:
    """What people said was observed wrongly."""
    seen = one.observation
    return {
        "device": seen.device,
        "time": seen.time,
        "number": f"{seen.run}/{seen.seq}",
        "reason": one.reason,
        "why": one.why,
        "corrective": [f"{other.device} {other.run}/{other.seq}" for other in one.corrective],
        "by": one.by,
        "recorded_at": one.recorded_at,
        "retraction": one.retraction,
    }


def piece_of(piece: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """A piece of evidence for people: what, when, whose observation, and the figures worth reading.

    The whole of it, with every observation's key, is in the API's answer.
    """
    known = piece.get("known_at") or piece.get("observation") or {}
    told = {**piece, **(piece.get("detail") or {})}
    figures = {name: value for name, value in told.items() if name in FIGURES and value is not None}
    said = {n: v for n, v in (piece.get("fact") or {}).items() if n != "type" and v not in (None, [], "")}
    if said:
        figures["said"] = said
    if known.get("seq", -1) >= 0:
        figures["observation"] = f"{piece.get('device')} run {known['run']} seq {known['seq']}"
    return {
        "kind": piece.get("milestone"),
        "time": datetime.fromisoformat(piece["time"]) if "time" in piece else None,
        "lines": [(words["figure_" + name], plain(value)) for name, value in figures.items()],
    }


def plain(value: Any) -> str:
    """A value of evidence for people."""
    if isinstance(value, bool):
        return "✓" if value else "–"
    if isinstance(value, float):
        return f"{value:,.5f}".rstrip("0").rstrip(".")
    if isinstance(value, dict):
        return ", ".join(f"{name} {plain(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value[:6]) + (f" … ({len(value)})" if len(value) > 6 else "")
    return str(value)


def marks(
    findings: Sequence[Mapping[str, Any]],
    fixes: Sequence[TracePoint],
    projection: Projection,
    words: Words,
) -> list[Mark]:
    """Where each finding opened, on the trace."""
    times = [fix.event_time for fix in fixes]
    placed = []
    for row in findings:
        fix = _at(times, fixes, row["opened_at"])
        if fix is None:
            continue
        x, y = projection.point(fix.lon, fix.lat)
        mark = mark_of(row)
        title = f"{words['rule_' + row['rule']]} · {words['severity_' + mark]}"
        placed.append(Mark(x=x, y=y, shape=SHAPES[mark], severity=mark, title=title))
    return placed


def _at(times: Sequence[datetime], fixes: Sequence[TracePoint], moment: datetime) -> TracePoint | None:
    """The first fix at or after a moment, else the last one."""
    if not fixes:
        return None
    return fixes[min(bisect_left(times, moment), len(fixes) - 1)]
