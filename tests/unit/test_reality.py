"""Worlds: the same seed is the same world, believable, and the truth is told of what happened alone."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from shapely.geometry import Point as Spot
from shapely.geometry import shape

from devices.codecs.native import decode
from devices.codecs.outcome import BadEvent
from devices.observation import Datum
from simulators import library, places
from simulators.geo import Line, Point, distance_m
from simulators.reality import format as worlds
from simulators.reality import record
from simulators.reality.climate import BANDS, climate
from simulators.reality.course import Course, off_m, runs
from simulators.reality.receiver import Receiver
from simulators.reality.scanners import scans
from simulators.reality.seen import Heard, seen
from simulators.reality.speech import Radio, speak
from simulators.reality.truth_cold import power_loss
from simulators.reality.world import Drawn, World

PLACES = places.load()
NOON = 12.0


def world(name: str = "mixed", seed: int = 7, **drawn: Any) -> World:
    return World(name, worlds.load(name), PLACES, Drawn(seed, **drawn))


@pytest.fixture(scope="module")
def mixed() -> World:
    return world(hours=24)


def plain(**deeds: float) -> World:
    """Trucks of one fleet that all do the same."""
    told = {
        "title": "t", "begins": "2026-03-10T08:00:00+08:00", "rules": [], "hours": 6, "spread_h": 0.1,
        "fleets": [{"name": "a", "park": "SIP", "corridor": "C-PVG-SIPE", "cargo": "frozen", "deeds": deeds}],
    }  # fmt: skip
    return World("t", msgspec.convert(told, worlds.WorldFile), PLACES, Drawn(3))


def rules(one: World, *, sure: bool = True) -> set[str]:
    return {incident.rule for incident in one.incidents if incident.sure or not sure}


def test_the_same_seed_is_the_same_world(mixed: World) -> None:
    again = world(hours=24)
    assert again.said() == mixed.said()
    assert again.incidents == mixed.incidents
    assert world(hours=24, seed=8).said() != mixed.said()


def test_more_hours_change_no_truck_that_was_there(mixed: World) -> None:
    few = world(hours=8)
    assert len(few.hauls) < len(mixed.hauls)
    for one, other in zip(few.hauls, mixed.hauls, strict=False):
        assert (one.shipment, one.deeds, one.locked, one.ends) == (
            other.shipment,
            other.deeds,
            other.locked,
            other.ends,
        )


def test_everything_that_is_said_can_be_read_but_the_rubbish() -> None:
    seen: set[str] = set()
    for number, said in enumerate(plain(rubbish=1.0, skew=1.0, duplicates=1.0).said()):
        event = {"run": 1, "seq": number + 1, "time": said.time.isoformat(), **said.fact}
        (found,) = decode(json.dumps(event).encode(), Datum.WGS84)
        seen.add(said.fact["type"])
        assert isinstance(found, BadEvent) == (said.fact.get("lat", 0) > 90), said
    assert seen == {"position", "reading", "seal", "gate", "status"}


def test_trucks_drive_believably(mixed: World) -> None:
    for haul in mixed.hauls:
        course = haul.drive.course
        for t in np.arange(course.begins + 1, course.ends - 1, 30.0):
            assert course.speed_mps(float(t)) < 130 / 3.6, (haul.shipment, t)
        origin = shape(PLACES.features[haul.origin]["geometry"])
        destination = shape(PLACES.features[haul.destination]["geometry"])
        assert origin.contains(Spot(*course.at(course.begins + 1)))
        assert destination.contains(Spot(*course.at(course.ends - 1)))


def test_a_clean_truck_has_nothing_to_be_found() -> None:
    clean = plain(near_stray=1, short_stop=1, rest=1, seal_quiet=1, tracker_quiet=1, offline=1, hiccup=1)
    assert rules(clean, sure=False) - {"temp_excursion"} == set()


@pytest.mark.parametrize(
    ("deed", "rule"),
    [
        ("stray", "route_deviation"),
        ("stop", "unauthorised_stop"),
        ("lay_by", "forbidden_zone_entry"),
        ("seal_cut", "seal_broken_in_transit"),
        ("early_unlock", "seal_broken_in_transit"),
        ("door", "door_or_light_while_sealed"),
        ("seal_off", "seal_silent"),
        ("tracker_off", "device_silent"),
        ("compressor", "power_loss"),
        ("door_at_dock", "door_open_warming"),
    ],
)
def test_each_deed_is_what_a_rule_promises_to_find(deed: str, rule: str) -> None:
    assert rule in rules(plain(**{deed: 1.0}))


def test_two_failures_at_once_are_one_without_power() -> None:
    truck = plain(compressor=1).hauls[0]
    begins = truck.drive.when(truck.line.length_m / 2)
    failures = [(begins, begins + 1200), (begins - 500, begins + 200), (truck.ends - 700, truck.ends + 3600)]
    truck = replace(truck, climate=truck.climate._replace(failures=failures))
    found = [(one.begins, one.ends) for one in power_loss(seen(truck, Heard([], []), PLACES))]
    assert found == [(begins + 100, begins + 1200), (truck.ends - 100, truck.ends)]


def test_only_what_is_seen_to_end_must_close() -> None:
    for one in world("mixed", devices=60).incidents:
        if one.rule == "zone_exit_without_release":
            assert one.closes == one.shipment.startswith("shuttle"), "a station is none of these zones"
        assert not (one.rule == "seal_broken_in_transit" and one.closes), "nobody locks it again"
    dead = plain(battery=1)
    silences = [one for one in dead.incidents if one.rule == "device_silent"]
    assert silences
    assert not any(one.closes for one in silences)


def test_a_truck_that_creeps_to_where_it_stands_may_have_stopped_earlier() -> None:
    stops = [one for one in plain(stop=1).incidents if one.rule == "unauthorised_stop"]
    assert stops
    assert all(0 < one.early_s < 300 for one in stops)


def test_an_exit_without_a_pass_is_seen_by_no_gate() -> None:
    borders = world("borders")
    without = {one.shipment for one in borders.incidents if one.rule == "zone_exit_without_release"}
    assert without == {haul.shipment for haul in borders.hauls if "no_pass" in haul.deeds}
    seen = {said.fact["plate"] for said in borders.said() if said.fact.get("direction") == "out"}
    assert seen == {haul.plate for haul in borders.hauls if haul.shipment not in without}


def test_the_first_hours_are_a_part_of_the_whole(mixed: World) -> None:
    part = world(hours=24, for_s=7200.0)
    assert part.said() == [one for one in mixed.said() if one.sent <= mixed.at(7200)]
    assert {one[:4] for one in part.incidents} <= {one[:4] for one in mixed.incidents}
    assert all(one.due <= 6600 for one in part.incidents if one.sure)


@pytest.mark.parametrize("seed", [4, 6, 8])
def test_what_rests_on_something_that_has_not_gone_out_by_the_end_is_not_sure(seed: int) -> None:
    """Some trucks have no network when a play ends early: their backlog is part of the whole alone."""
    part, whole = (world(seed=seed, devices=30, for_s=for_s) for for_s in (7200.0, None))
    sent = {(one.device, one.number) for one in part.said()}
    kept = [one for one in whole.said() if (one.device, one.number) not in sent]
    since = {
        haul.shipment: min(
            (one.time for one in kept if one.device in {haul.tracker, haul.seal, haul.sensor}),
            default=whole.at(whole.ends_s),
        )
        for haul in whole.hauls
    }
    at_stake = [one for one in whole.incidents if one.sure and one.due <= 6600]
    assert any(since[one.shipment] <= whole.at(one.due) for one in at_stake), "else nothing is tried"
    assert not [one for one in part.incidents if one.sure and since[one.shipment] <= part.at(one.due)]
    assert not [one for one in part.incidents if one.closes and since[one.shipment] <= part.at(one.ends)]
    assert any(one.sure for one in part.incidents)
    assert all(part.at(until) <= since[name] for name, until in part.heard_until.items())


def test_so_many_devices_and_no_more() -> None:
    few = world(hours=1000, devices=20)
    assert len([one for one in few.devices if one.on]) == 18


def test_metres_off_a_line_are_metres() -> None:
    line = Line([Point(121.0, 31.0), Point(121.5, 31.2), Point(122.0, 31.2)])
    there = [line.beside(along, 700) for along in (20_000.0, 80_000.0)]
    found = off_m(line, np.array([p.lon for p in there]), np.array([p.lat for p in there]))
    assert found == pytest.approx([700, 700], abs=5)


def test_runs_are_from_first_to_last() -> None:
    t = np.arange(6.0)
    assert runs(np.array([True, True, False, False, True, False]), t) == [(0.0, 1.0), (4.0, 4.0)]
    assert runs(np.zeros(6, dtype=bool), t) == []


def test_a_course_is_straight_between_its_knots() -> None:
    course = Course([(0, Point(121, 31)), (10, Point(121.001, 31)), (20, Point(121.001, 31))], [(10, 20)])
    assert course.at(5) == pytest.approx((121.0005, 31))
    assert course.speed_mps(5) == pytest.approx(9.53, abs=0.01)
    assert not course.stands_at(9)
    assert course.stands_at(15)


def follow(**what: Any) -> Any:
    usual = {"doors": [], "failures": [], "begins": 0.0, "ends": 4 * 3600.0}
    return climate(BANDS["frozen"], random.Random(1), ambient_c=(20, 30), local_h=NOON, **(usual | what))


def test_a_box_stays_cold_while_its_unit_works() -> None:
    calm = follow()
    outside = [not any(a <= t < b + 1800 for a, b in calm.defrosts) for t in calm.t]
    assert calm.air_c[outside].max() < -19.5
    assert calm.air_c.min() > -21.5


def test_a_failing_unit_and_an_open_door_warm_it() -> None:
    failing = follow(failures=[(3600.0, 9000.0)])
    assert failing.at(9000) > -14
    assert failing.at(9000) > failing.at(6000) > failing.at(3600)
    open_door = follow(doors=[(3600.0, 4200.0)])
    assert open_door.at(4200) - open_door.at(3600) > 10
    assert open_door.at(4 * 3600) < open_door.at(4200)


def test_a_receiver_errs_as_far_as_it_says() -> None:
    true = Point(120.8, 31.3)
    beyond = total = 0
    for seed in range(20):
        receiver = Receiver(random.Random(seed))
        for count in range(300):
            said = receiver.fix(count * 60.0, true, 0.0, urban=False)
            beyond += distance_m(true, Point(said["lon"], said["lat"])) > said["accuracy_m"]
            total += 1
    assert 0.25 < beyond / total < 0.45, "a third of all fixes lie beyond what 68 % lie within"


def test_radios_are_late_twice_wrong_and_rubbish() -> None:
    facts = [(float(t), {"type": "status"}) for t in range(0, 1000, 10)]
    radio = Radio(offline=[(200.0, 400.0)], skew_s=30.0, doubled=0.3, rubbish=0.2)
    said = list(speak("SIP/A", facts, radio, random.Random(2)))
    late = [one for one in said if 230 <= one.time < 430]
    assert late
    assert all(one.sent > 400 for one in late)
    assert all(one.time - one.sent <= 30.01 for one in said)
    numbers = [one.number for one in said]
    assert len(numbers) > len(set(numbers)) > 110
    assert sum(one.fact["type"] == "position" for one in said) > 10


def test_scanners_work_in_shifts_and_rest_in_their_middle() -> None:
    house = worlds.Warehouse("SIP", "WHMIX01", 1, shifts=("22:00-06:00",))
    times = [t for t, _ in scans(house, random.Random(1), local_s=0.0, ends=86_400.0)]
    hours = {int(t // 3600) for t in times}
    assert hours == {0, 1, 2, 3, 4, 5, 22, 23}
    assert not any(1.8 * 3600 < t < 2.2 * 3600 for t in times), "the break"


def test_the_truth_is_a_file_of_lines(mixed: World, tmp_path: Path) -> None:
    file = tmp_path / "truth.ndjson"
    count = record.write(file, mixed, PLACES)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == count
    assert lines[0]["is"] == "world"
    assert {one["is"] for one in lines} >= {"haul", "where", "in", "seal", "standing", "incident"}
    assert sum(one["is"] == "incident" for one in lines) == len(mixed.incidents)


TOLD = """title = "t"
begins = 2026-03-10T08:00:00+08:00
rules = []
[[fleets]]
name = "a"
park = "SIP"
corridor = "C-PVG-SIPE"
"""


HOUSE = '[[warehouses]]\npark = "S"\nzone = "W"\nscanners = 1\nshifts = ["8"]\n'


@pytest.mark.parametrize(
    ("part", "instead", "says"),
    [
        ("rules = []", "rules = []\nhourss = 3", "hourss"),
        ("rules = []", "", "rules"),
        ("+08:00", "", "no offset"),
        ('park = "SIP"', "", "fleets"),
        ('park = "SIP"', 'park = "SIP"\ndeeds = { stray = 2 }', "stray"),
        (
            "[[fleets]]",
            '[[warehouses]]\npark = "S"\nzone = "W"\nscanners = 1\nshifts = ["8"]\n[[fleets]]',
            "shifts",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_field(
    tmp_path: Path, part: str, instead: str, says: str
) -> None:
    file = tmp_path / "w.toml"
    file.write_text(TOLD.replace(part, instead))
    with pytest.raises(worlds.WorldError, match=says):
        library.load(str(file))


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    broken, foreign, folder = (tmp_path / name for name in ("broken.toml", "foreign.toml", "folder.toml"))
    broken.write_text(TOLD.replace("[[fleets]]", "[[fleets"))
    foreign.write_bytes("title = '苏州'\n".encode("gb18030"))
    folder.mkdir()
    for path, reason in ((broken, "line 4"), (foreign, "utf-8"), (folder, "directory")):
        with pytest.raises(library.UnknownScenario, match=reason):
            library.load(str(path))
        with pytest.raises(worlds.WorldError, match=reason):
            worlds.load(str(path))


def test_a_corridor_that_is_not_there_is_named() -> None:
    told = msgspec.convert(
        {
            "title": "t", "begins": "2026-03-10T08:00:00+08:00", "rules": [],
            "fleets": [{"name": "a", "park": "SIP", "corridor": "C-NONE"}],
        },
        worlds.WorldFile,
    )  # fmt: skip
    with pytest.raises(worlds.WorldError, match="no place 'C-NONE'"):
        World("t", told, PLACES, Drawn(1))


@pytest.mark.parametrize("name", worlds.names())
def test_a_world_declares_what_its_truth_tells(name: str) -> None:
    told = worlds.load(name)
    assert set(told.rules).isdisjoint(told.beside)
    assert rules(world(name, devices=24)) <= {*told.rules, *told.beside}


def test_there_are_enough_scenarios() -> None:
    assert len(library.names()) >= 12
    assert len({entry.name for entry in library.entries()}) == len(library.entries())
    with pytest.raises(library.UnknownScenario, match="there are: s1"):
        library.load("mixd")
