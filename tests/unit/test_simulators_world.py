"""The simulated world: deterministic, believable, and troubled only where the scenario says so."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import islice, pairwise, takewhile
from typing import Any

import msgspec
import pytest
from shapely.geometry import Point as Spot
from shapely.geometry import shape

from devices.client.facts import tail
from devices.identifiers import parse_thing
from devices.observation import Direction, Gate, Position, Scan, Seal, SealState, micros
from devices.topics import device_name
from simulators import places, scenario
from simulators.geo import Line, Point, distance_m
from simulators.reports import Paper, Report
from simulators.scenario import Offline, ScenarioError, Stray
from simulators.world import World
from tracking.domain.custody import terms
from tracking.domain.custody.checks import Place, check
from tracking.domain.places import Area

BEGINS_MS = 1_790_000_000_000
DEMO = scenario.load("demo")
PLACES = places.load()
FLEET = {"name": "a", "park": "SIP", "trucks": 1}


def world(seed: int = 7, turn: int = 0) -> World:
    return World(DEMO, PLACES, seed=seed, begins_ms=BEGINS_MS, turn=turn)


@pytest.fixture(scope="module")
def hours() -> list[Report]:
    """The demo's reports of two and a half hours."""
    return [told for told in everything() if isinstance(told, Report)]


@pytest.fixture(scope="module")
def papers() -> list[Paper]:
    """What firms and offices say over the API meanwhile."""
    return [told for told in everything() if isinstance(told, Paper)]


@cache
def everything() -> list[Report | Paper]:
    return list(takewhile(lambda told: told.time_ms < BEGINS_MS + 9_000_000, world().reports()))


@pytest.fixture(scope="module")
def tracks(hours: list[Report]) -> dict[str, list[tuple[float, Position]]]:
    """Seconds of the story and positions, by tracker."""
    found = defaultdict(list)
    for report in hours:
        if isinstance(report.fact, Position):
            found[report.device].append(((report.time_ms - BEGINS_MS) / 1000, report.fact))
    return dict(found)


def corridor_of(tracker: str) -> str:
    number = int(tracker[-3:])
    for fleet in DEMO.fleets:
        if number <= fleet.trucks:
            return fleet.corridor
        number -= fleet.trucks
    raise AssertionError(tracker)


def off_m(line: Line, fix: Position) -> float:
    here = Point(fix.lon, fix.lat)
    return distance_m(line.point(line.nearest_m(here)), here)


def test_the_same_seed_is_the_same_story() -> None:
    first, second, other = (list(islice(world(seed).reports(), 4_000)) for seed in (7, 7, 8))
    assert first == second
    assert first != other


def test_reports_come_in_the_order_of_their_times_and_are_valid(hours: list[Report]) -> None:
    assert all(one.time_ms <= other.time_ms for one, other in pairwise(hours))
    assert {report.device for report in hours} == set(world().devices)
    for report in hours:
        tail(report.fact)


def test_a_device_never_says_two_things_at_once_about_its_place(
    tracks: dict[str, list[tuple[float, Position]]],
) -> None:
    for track in tracks.values():
        assert all(one < other for (one, _), (other, _) in pairwise(track))


def test_trucks_drive_at_believable_speeds(tracks: dict[str, list[tuple[float, Position]]]) -> None:
    assert len(tracks) == 24
    for name, track in tracks.items():
        for (before, one), (after, other) in pairwise(track):
            moved = distance_m(Point(one.lon, one.lat), Point(other.lon, other.lat))
            assert moved < 60 + (after - before) * 38, f"{name} at {after} s: {moved:.0f} m"
            assert 8 <= (other.accuracy_m or 0) <= 15


def test_only_the_stray_truck_leaves_its_corridor(tracks: dict[str, list[tuple[float, Position]]]) -> None:
    (story,) = [story for story in DEMO.stories if isinstance(story, Stray)]
    for name, track in tracks.items():
        code = corridor_of(name)
        tolerance = PLACES.features[code]["properties"]["tolerance_m"]
        line = PLACES.corridor(code)
        off = [at for at, fix in track if off_m(line, fix) - (fix.accuracy_m or 0) > tolerance]
        if name == "KS/TRK-012":
            assert story.truck == 2
            assert off[-1] - off[0] > 300
            assert len(off) > 30
        else:
            assert off == [], name


def test_only_the_one_truck_is_ever_in_the_lay_by(
    hours: list[Report], tracks: dict[str, list[tuple[float, Position]]]
) -> None:
    lay_by = shape(PLACES.features["LAYBY-LD"]["geometry"]).buffer(0.0003)
    inside = {
        name: [at for at, fix in track if lay_by.contains(Spot(fix.lon, fix.lat))]
        for name, track in tracks.items()
    }
    stay = inside.pop("SIP/TRK-001")
    assert 13 * 60 < stay[-1] - stay[0] < 17 * 60
    assert not any(inside.values())
    assert DEMO.past_s > stay[0] + 600, "the demo must show it while it catches up"


def test_gates_see_each_truck_out_and_in(hours: list[Report]) -> None:
    seen = defaultdict(list)
    for report in hours:
        if isinstance(report.fact, Gate):
            seen[report.fact.plate].append((report.fact.gate, report.fact.direction))
    assert len(seen) == 24
    for passages in seen.values():
        directions = [direction for _, direction in passages]
        assert directions == [Direction.OUT, Direction.IN] * (len(directions) // 2) + [Direction.OUT] * (
            len(directions) % 2
        )
        assert all(one != other for (one, _), (other, _) in pairwise(passages[:2]))


def test_sealed_trucks_are_locked_on_the_way_and_unlocked_at_its_end(hours: list[Report]) -> None:
    seals = [report for report in hours if isinstance(report.fact, Seal) and report.device == "KS/ES-005"]
    states = [report.fact.state for report in seals if isinstance(report.fact, Seal)]
    assert states.index(SealState.UNLOCKED) > 3
    assert set(states[: states.index(SealState.UNLOCKED)]) == {SealState.LOCKED}
    assert len(set(states)) == 2


def test_only_the_seal_of_the_story_is_cut_and_goes_on_saying_so(hours: list[Report]) -> None:
    cut = [told for told in hours if isinstance(told.fact, Seal) and told.fact.state is SealState.CUT]
    assert {told.device for told in cut} == {"SIP/ES-003"}
    assert len(cut) > 5
    assert DEMO.past_s * 1000 > cut[0].time_ms - BEGINS_MS, "the demo must show it while it catches up"


def test_no_seal_is_opened_before_customs_order_it(hours: list[Report], papers: list[Paper]) -> None:
    ordered = {
        paper.body["body"]["seal"]: paper.time_ms
        for paper in papers
        if paper.body.get("kind") == "unlock_order"
    }
    opened = {
        told.fact.seal: told.time_ms
        for told in hours
        if isinstance(told.fact, Seal) and told.fact.state is SealState.UNLOCKED
    }
    assert len(opened) >= 4
    assert opened.keys() <= ordered.keys()
    assert all(0 < at - ordered[seal] < 30 * 60_000 for seal, at in opened.items())


def test_every_vehicle_at_a_bonded_gate_has_an_approved_pass_of_its_own(
    hours: list[Report], papers: list[Paper]
) -> None:
    applied = {paper.body["number"]: paper for paper in papers if paper.path == "passes"}
    approved = {paper.path.split("/")[1]: paper.time_ms for paper in papers if paper.path.endswith("/states")}
    used = []
    for told in hours:
        gate = told.fact
        if not isinstance(gate, Gate):
            continue
        assert gate.image
        zone = PLACES.features[gate.gate]["properties"]["parent"]
        if PLACES.features[zone]["properties"]["kind"] != "cbz":
            assert gate.pass_number is None
            continue
        assert gate.pass_number is not None
        body = applied[gate.pass_number].body["body"]
        assert (body["zone"], body["direction"], body["vehicle"]) == (zone, gate.direction, gate.plate)
        assert body.get("containers", []) == gate.containers
        assert abs(body["total_kg"] - (gate.weight_kg or 0)) <= 100
        assert approved[gate.pass_number] < told.time_ms
        used.append(gate.pass_number)
    assert len(used) == len(set(used)) > 40


def test_goods_are_declared_and_loaded_at_the_beginning_and_unloaded_once(papers: list[Paper]) -> None:
    declared = [paper for paper in papers if paper.body.get("kind") == "declaration"]
    assert {paper.time_ms for paper in declared} == {BEGINS_MS}
    assert len(declared) == 24
    carried = [paper.body for paper in papers if paper.path == "aggregations"]
    assert sum(body["action"] == "ADD" for body in carried) == 24
    unloaded = [body["children"][0] for body in carried if body["action"] == "DELETE"]
    assert len(unloaded) == len(set(unloaded)) > 14


def test_scanners_scan_valid_codes_and_take_pauses(hours: list[Report]) -> None:
    scans = [(report, report.fact) for report in hours if isinstance(report.fact, Scan)]
    assert {parse_thing(scan.code).kind for _, scan in scans} == {"handling_unit"}
    mine = [report.time_ms for report, _ in scans if report.device == "SIP/SC-001"]
    assert max(later - earlier for earlier, later in pairwise(mine)) >= 5 * 60_000


def test_places_and_terms_are_such_that_the_api_takes_them() -> None:
    places_drawn = {}
    for feature in PLACES.zones["features"] + PLACES.corridors["features"]:
        properties = feature["properties"]
        Area.from_geojson(
            feature["geometry"], code=properties["code"], kind=properties["kind"], park=properties["park"],
            valid_from_us=micros(msgspec.convert(properties["valid_from"], terms.datetime)),
            tolerance_m=properties.get("tolerance_m"), properties={},
        )  # fmt: skip
        places_drawn[properties["code"]] = Place(properties["kind"], properties.get("parent"))
        assert properties["approximate"]
        assert properties["park"] in PLACES.parks
    shipments = world().shipments()
    assert len(shipments) == len({shipment["number"] for shipment in shipments}) == 24
    for shipment in shipments:
        assert check(terms.parse(shipment["terms"]), places_drawn) == []
        assert [parse_thing(thing).kind for thing in shipment["things"]] == ["container"]


def test_names_are_names_and_another_turn_has_others() -> None:
    first, second = world().devices, world(turn=2).devices
    for spec in first.values():
        assert device_name(spec.park, spec.code) == spec.name
    assert {spec.code for name, spec in first.items() if name in second} == set(DEMO.fleets[0].gates).union(
        DEMO.fleets[0].gates_back, DEMO.fleets[1].gates, DEMO.fleets[2].gates
    )
    assert "SIP/TRK-207" in second


def test_faults_are_about_the_devices_of_the_turn_in_order() -> None:
    faults = world(turn=2).faults
    assert [fault.device for fault in faults] == ["SIP/SC-203", "SIP/TRK-207", "SIP/SC-205"]
    assert isinstance(faults[0].fault, Offline)
    assert faults[0].at_ms == BEGINS_MS + 900_000


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fleets": [{"name": "a", "park": "SIP", "corridor": "C-NONE", "trucks": 1}]}, "no place 'C-NONE'"),
        (
            {"fleets": [{"name": "a", "park": "SIP", "corridor": "COLD01", "trucks": 1}]},
            "COLD01 is no corridor",
        ),
        (
            {"faults": [{"kind": "rubbish", "device": "TRK-099", "at_s": 1}]},
            "device 'TRK-099': there is none",
        ),
        (
            {
                "fleets": [FLEET | {"corridor": "C-PVG-SIPE"}],
                "stories": [{"kind": "cut", "fleet": "a", "truck": 1, "at_km": 3.0}],
            },
            "truck 1 of fleet 'a' has no seal",
        ),
    ],
)
def test_a_scenario_that_names_what_is_not_there_is_refused(change: dict[str, Any], says: str) -> None:
    told = msgspec.convert({"title": "t"} | change, scenario.Scenario)
    with pytest.raises(ScenarioError, match=says):
        World(told, PLACES, seed=1, begins_ms=BEGINS_MS)


def test_a_misspelt_field_is_refused(tmp_path: Any) -> None:
    file = tmp_path / "x.toml"
    file.write_text('title = "x"\n[[fleets]]\nname = "a"\npark = "SIP"\ncorridor = "C"\ntruks = 3\n')
    with pytest.raises(ScenarioError, match=r"truks|trucks"):
        scenario.load(str(file))
    with pytest.raises(ScenarioError, match="there are: demo"):
        scenario.load("demmo")
