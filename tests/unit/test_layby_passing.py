"""Trucks that only drive past through the lay-by of the park's own map, at any speed, phase and error."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from devices.observation import Observation, Position, moment
from tests.support.rows import NOON_US, SECOND_US
from tests.support.traces import moved
from tests.support.yard import PVG_TO_SIP
from tracking.domain.custody import terms
from tracking.domain.custody.facts import AreaRevision, Carriage, Facts, Milestone, TermsRevision
from tracking.domain.custody.judge import judge
from tracking.domain.places import Area, PlaceIndex
from tracking.domain.tracks import DeviceEvents, Profile, Standing, Track, fold_batch

PLACES = Path(__file__).parents[2] / "simulators" / "places.json"
LAYBY = "LAYBY-LD"
EVERY_S = 30
PROFILE = Profile(60)


@pytest.fixture(scope="module")
def places() -> PlaceIndex:
    features = {one["id"]: one for one in json.loads(PLACES.read_text(encoding="utf-8"))["features"]}
    geometry = features[LAYBY]["geometry"]
    area = Area.from_geojson(geometry, code=LAYBY, kind="layby_forbidden", park="SIP", valid_from_us=0)
    return PlaceIndex([area])


def middle(places: PlaceIndex) -> tuple[float, float]:
    area = places.holds(LAYBY, NOON_US)
    assert area is not None
    return area.geometry.centroid.x, area.geometry.centroid.y


def findings(places: PlaceIndex, track_to: list[Observation]) -> set[str]:
    """Every finding of A4 that stands at any report, as a judge sees it that never rests."""
    track, told, found = Track(), [], set()
    area = AreaRevision(LAYBY, "layby_forbidden", False, None, 1, moment(0))
    port = AreaRevision("PVGCARGO", "airport", False, None, 1, moment(0))
    held = terms.parse({"legs": [PVG_TO_SIP["legs"][0]]})
    for observation in track_to:
        folded = fold_batch([DeviceEvents(track, PROFILE, [observation])], places)[0]
        track = folded.track
        told += folded.milestones
        begun = moment(NOON_US - 3600 * SECOND_US)
        milestones = [Milestone(begun, "entered", "PVGCARGO", {}, (begun, 0, 0))]
        milestones += [
            Milestone(moment(m.time_us), m.kind, m.area, m.detail, (moment(m.at[0]), *m.at[1:])) for m in told
        ]
        leaving = {
            code: moment(presence.prior.time_us)
            for code, presence in track.areas.items()
            if presence.standing is Standing.LEAVING and presence.prior is not None
        }
        now = moment(observation.time_us)
        carriage = Carriage("SIP/T", "primary", 60, begun, None, now, now, tuple(milestones), (), leaving)
        facts = Facts(
            "S", (TermsRevision(1, begun, held),), (carriage,), {LAYBY: (area,), "PVGCARGO": (port,)}
        )
        found |= {
            f.finding_id for f in judge(facts, now).findings if f.verdict.rule == "forbidden_zone_entry"
        }
    return found


def drive(
    places: PlaceIndex, dice: random.Random, kmh: float, slope: float, halt_s: int = 0
) -> list[Observation]:
    """East through the middle, a report every 30 s, each with an error of 8 to 15 m; a halt in the middle."""
    lon, lat = middle(places)
    seq, time, east = 0, 0.0, -2500.0 + dice.random() * kmh / 3.6 * EVERY_S
    seen = []
    while east < 5000:
        accuracy = dice.uniform(8, 15)
        at = moved(lon, lat, east + dice.gauss(0, accuracy / 2), east * slope + dice.gauss(0, accuracy / 2))
        seq += 1
        fact = Position(*at, accuracy_m=accuracy, speed_mps=kmh / 3.6)
        seen.append(Observation(1, seq, NOON_US + round(time * SECOND_US), fact, b""))
        time += EVERY_S
        ahead = kmh / 3.6 * EVERY_S
        if halt_s > 0 and east + ahead >= 0:
            east, halt_s = 0.0, halt_s - EVERY_S
        else:
            east += ahead
    return seen


@pytest.mark.parametrize("kmh", [40, 50, 60, 85])
@pytest.mark.parametrize("slope", [0.0, 0.6])
def test_who_drives_past_is_never_found(places: PlaceIndex, kmh: float, slope: float) -> None:
    dice = random.Random(7)
    assert [findings(places, drive(places, dice, kmh, slope)) for _ in range(20)] == [set()] * 20


def test_many_who_drive_past_are_within_for_two_fixes(places: PlaceIndex) -> None:
    """Else the test above would say nothing."""
    dice = random.Random(7)
    work = [DeviceEvents(Track(), PROFILE, drive(places, dice, 40, 0.0)) for _ in range(20)]
    told = [{milestone.kind for milestone in folded.milestones} for folded in fold_batch(work, places)]
    assert sum("entered" in kinds for kinds in told) > 5


def test_who_halts_is_found_once(places: PlaceIndex) -> None:
    dice = random.Random(7)
    assert all(len(findings(places, drive(places, dice, 60, 0.0, halt_s=29 * 60))) == 1 for _ in range(10))
