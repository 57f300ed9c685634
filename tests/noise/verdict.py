"""What the folds told, held against where the vehicle truly was."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from msgspec import Struct

from devices.observation import moment
from tests.noise.ground import Ground, areas
from tests.noise.journeys import DEEP_M, Path
from tests.noise.receiver import START_US
from tracking.domain.custody import facts, terms
from tracking.domain.custody.judge import judge
from tracking.domain.custody.verdicts import Outcome
from tracking.domain.tracks import Milestone

NEAR_M: Final = 10.0
"""Who comes as near to a zone as this may be told to be in it, or off a corridor at whose edge it is."""

AROUND_S: Final = 30.0
SEEN: Final = 3
"""Of what a receiver has reported fewer fixes, in a tunnel most of the time, nobody can tell."""

EXIT_M: Final = 100.0
EXIT_S: Final = 180.0
STRAY_S: Final = 300.0
INTO: Final = ("entered", "returned", "crossed")
OUT_OF: Final = ("left", "strayed")
PLACE_RULES: Final = ("route_deviation", "forbidden_zone_entry", "zone_exit_without_release")
DAY: Final = timedelta(days=1)


class Exit(Struct, frozen=True):
    """A true exit, seconds.

    Attributes:
        last_seen: the last report from within. It may have been reflected out: then the exit is dated there.
        begins: when the vehicle was last within.
        ends: until when it was out by ``EXIT_M``.
    """

    last_seen: float
    begins: float
    ends: float


class Judged(Struct):
    """What one vehicle, or many, adds up to.

    Attributes:
        hours: simulated.
        told: milestones about areas.
        alerts: findings about places.
        false: what was told and wasn't so.
        exits: true exits.
        found: of those.
        missed: descriptions of the others.
        uncertain: crossings told as uncertain; they are no alerts.
    """

    hours: float = 0.0
    told: int = 0
    alerts: int = 0
    false: list[str] = []
    exits: int = 0
    found: int = 0
    missed: list[str] = []
    uncertain: int = 0

    def add(self, other: Judged) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def hold_against(
    name: str, path: Path, ground: Ground, reported_s: Sequence[float], milestones: Sequence[Milestone]
) -> Judged:
    """Judge one vehicle's milestones, and the custody of goods on it."""
    told = [m for m in milestones if m.kind in INTO or m.kind in OUT_OF]
    judged = Judged(hours=path.ends_s / 3600, told=len(told))
    judged.uncertain = sum(m.detail.get("certain") is False for m in told)
    false = [m for m in told if _contradicts(path, ground, m)]
    judged.false = [f"{name}: {m.kind} {m.area} at {_seconds(m.time_us):.0f} s" for m in false]
    alerts = _alerts(ground, milestones, path)
    judged.alerts = len(alerts)
    for rule, area, since in alerts:
        if not any(m.area == area and moment(_begins_us(m)) <= since for m in told):
            judged.false.append(f"{name}: {rule} {area} at {since.isoformat()} rests on nothing")
    exits = true_exits(path, ground, reported_s)
    kind = "strayed" if ground.code in ground.tolerance_m else "left"
    raised = {area for rule, area, _ in alerts if rule == "zone_exit_without_release"}
    asks_for_pass = any(area.code == ground.code and area.kind == "cbz" for area in areas())
    for true in exits:
        is_found = any(
            m.kind == kind
            and m.area == ground.code
            and true.last_seen <= _seconds(m.time_us) <= true.ends
            and _seconds(m.at[0]) >= true.begins
            for m in told
        )
        if is_found and (not asks_for_pass or ground.code in raised):
            judged.found += 1
        else:
            judged.missed.append(f"{name}: out of {ground.code} {true.begins:.0f} to {true.ends:.0f} s")
    judged.exits = len(exits)
    return judged


def true_exits(path: Path, ground: Ground, reported_s: Sequence[float]) -> list[Exit]:
    """Exits by over ``EXIT_M`` for over ``EXIT_S``, of who had been seen as far within for as long.

    One that the journey's end cuts short doesn't count: its confirmation may be yet to come.
    """
    is_corridor = ground.code in ground.tolerance_m
    least_s = STRAY_S if is_corridor else EXIT_S
    t = path.moments()
    beyond = ground.beyond_m(ground.code, *path.at(t))
    found: list[Exit] = []
    was_settled, last_within = False, 0.0
    for since, until in _runs(t, beyond):
        if beyond[since] < -DEEP_M and t[until] - t[since] > EXIT_S:
            seen = bisect_right(reported_s, t[until]) - bisect_right(reported_s, t[since])
            was_settled = was_settled or seen >= SEEN
        if until == len(t) - 1:
            break
        if beyond[since] > EXIT_M and t[until] - t[since] > least_s and was_settled:
            within = np.flatnonzero(beyond[:since] <= 0)
            last_within = float(t[within[-1]]) if len(within) else 0.0
            before = bisect_right(reported_s, last_within)
            last_seen = reported_s[before - 1] if before else 0.0
            found.append(Exit(last_seen, last_within, float(t[until])))
            was_settled = False
    return found


def _runs(t: np.ndarray, beyond: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of each stretch far out, far within or between."""
    state = np.where(beyond > EXIT_M, 1, np.where(beyond < -DEEP_M, -1, 0))
    edges = np.flatnonzero(np.diff(state)) + 1
    return list(
        zip(
            [0, *edges.tolist()],
            [*(edges - 1).tolist(), len(t) - 1],
            strict=True,
        )
    )


def _seconds(time_us: int) -> float:
    return (time_us - START_US) / 1e6


def _begins_us(told: Milestone) -> int:
    """From when on it may have happened: a way is dated at its end."""
    begins: int = told.detail["before"][0] if told.kind == "crossed" else told.time_us
    return begins


def _contradicts(path: Path, ground: Ground, told: Milestone) -> bool:
    """Whether the vehicle truly was never where a milestone says, at any moment that it may mean."""
    if told.detail.get("certain") is False:
        return False
    since = _seconds(_begins_us(told)) - AROUND_S
    until = _seconds(told.at[0]) + AROUND_S
    t = np.arange(max(0.0, since), min(path.ends_s, until) + 1.0)
    beyond = ground.beyond_m(told.area or "", *path.at(t))
    if told.kind in INTO:
        return bool(beyond.min() > NEAR_M)
    return bool(beyond.max() <= (0.0 if told.kind == "left" else -NEAR_M))


def _alerts(ground: Ground, milestones: Sequence[Milestone], path: Path) -> list[tuple[str, str, datetime]]:
    """The findings about places of a shipment on the vehicle: rule, area, opening."""
    begun, over = moment(START_US) - DAY, moment(START_US + round(path.ends_s * 1e6))
    is_zone = ground.code not in ground.tolerance_m
    home = ground.code if is_zone else "ELSEWHERE"
    held = terms.parse({"legs": [{"type": "stay", "zones": [home]}]})
    read = [facts.Milestone(begun, "entered", home, {}, (begun, 0, 0))] if home == "ELSEWHERE" else []
    read += [
        facts.Milestone(moment(m.time_us), m.kind, m.area, m.detail, (moment(m.at[0]), *m.at[1:]))
        for m in milestones
        if m.kind in facts.READ_KINDS
    ]
    revisions = {
        area.code: (
            facts.AreaRevision(
                area.code,
                area.kind,
                bool(area.properties.get("bonded")),
                area.properties.get("parent"),
                1,
                begun,
                None,
                area.properties,
            ),
        )
        for area in areas()
    }
    gates = tuple(
        facts.GateWatch(area.code, home, f"SIP/{area.code}", 86_400, over + DAY, ())
        for area in areas()
        if area.kind == "gate" and area.properties.get("parent") == home
    )
    carriage = facts.Carriage("SIP/T", "primary", 300, begun, None, over, over, tuple(read))
    case = facts.Facts("S", (facts.TermsRevision(1, begun, held),), (carriage,), revisions, gates=gates)
    return [
        (finding.verdict.rule, finding.verdict.cause, finding.verdict.opened_at)
        for finding in judge(case, over).findings
        if finding.verdict.rule in PLACE_RULES and finding.verdict.outcome is Outcome.FINDING
    ]
