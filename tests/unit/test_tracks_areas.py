"""Areas: entered, left, strayed, returned and crossed when they happened, and nothing when they did not."""

from itertools import product
from random import Random

import pytest

from devices.observation import Position
from tests.support.traces import EAST_ZONE, START_US, Truck, corridor, moved, seconds, square, told
from tracking.domain.places import REACH_M, PlaceIndex
from tracking.domain.tracks import DeviceEvents, Parameters, Profile, Track, fold_batch
from tracking.domain.tracks.areas import CONFIRMED, MOVES, Verdict
from tracking.domain.tracks.state import Standing

LON, LAT = 120.8, 31.34
BORDER_LON = 120.8235


def yard(half_m=500, **more):
    return square("YARD", LON, LAT, half_m, **more)


def road(tolerance_m=500, **more):
    return corridor(
        "ROAD", [moved(LON, LAT, -20_000, 0), (LON, LAT), moved(LON, LAT, 20_000, 0)], tolerance_m, **more
    )


# --- the table -------------------------------------------------------------------------------------


def test_every_move_is_in_the_table():
    decided = {(s, v) for s, v in product(Standing, Verdict)}
    assert set(MOVES) == decided
    assert set(CONFIRMED) == {Standing.ENTERING, Standing.LEAVING}


def test_undetermined_confirms_nothing():
    assert {MOVES[s, Verdict.UNDETERMINED] for s in Standing}.isdisjoint(CONFIRMED)


# --- zones -----------------------------------------------------------------------------------------


def test_a_truck_enters_stays_and_leaves():
    truck = Truck(*moved(LON, LAT, -2000, 0)).drives(6000, kmh=30)
    entered, left = truck.folded(yard()).milestones
    assert told([entered, left]) == [("entered", "YARD"), ("left", "YARD")]
    first_inside = next(o for o in truck.observations if abs(o.fact.lon - LON) * 95_000 < 490)
    assert entered.time_us == first_inside.time_us
    assert entered.at == truck.observations[first_inside.seq].key
    assert entered.detail["first"] == list(first_inside.key)
    assert entered.detail["before"] == [first_inside.time_us - 30_000_000, 1, first_inside.seq - 1]
    assert -500 <= entered.detail["distance_m"] < -10
    assert left.detail["fixes"] >= 3
    assert left.at[0] - left.time_us >= 120 * 1_000_000
    assert left.detail["distance_m"] > 60
    assert left.detail["revision"] == 0


def test_a_track_that_begins_inside_says_so():
    (entered,) = Truck(LON, LAT).stands(3).folded(yard()).milestones
    assert entered.kind == "entered"
    assert entered.detail["before"] is None
    assert seconds(entered) == 0


@pytest.mark.parametrize(("accuracy", "entered"), [(9.0, True), (11.0, False)])
def test_inside_means_deeper_than_the_fix_may_err(accuracy, entered):
    truck = Truck(LON, LAT, accuracy_m=accuracy)
    for _ in range(10):
        truck.is_seen(490)
    assert bool(told(truck.folded(yard()).milestones, "entered")) is entered


def test_a_fix_without_accuracy_takes_the_default():
    truck = Truck(LON, LAT, accuracy_m=None)
    for _ in range(10):
        truck.is_seen(490)
    assert told(truck.folded(yard()).milestones, "entered") == []
    exact = Parameters(default_accuracy_m=5)
    assert told(truck.folded(yard(), params=exact).milestones, "entered") == [("entered", "YARD")]


@pytest.mark.parametrize(("beyond", "leaves"), [(58.0, False), (62.0, True)])
def test_outside_means_beyond_buffer_and_accuracy(beyond, leaves):
    truck = Truck(LON, LAT).stands(3)
    for _ in range(10):
        truck.is_seen(500 + beyond)
    assert bool(told(truck.folded(yard()).milestones, "left")) is leaves


@pytest.mark.parametrize(
    ("every_s", "fixes", "leaves"), [(30, 4, False), (30, 5, True), (60, 3, True), (300, 2, False)]
)
def test_leaving_takes_three_fixes_and_two_minutes(every_s, fixes, leaves):
    truck = Truck(LON, LAT, every_s=every_s).stands(3)
    for _ in range(fixes):
        truck.is_seen(900)
    assert bool(told(truck.folded(yard()).milestones, "left")) is leaves


def test_one_fix_between_breaks_a_departure():
    truck = Truck(LON, LAT, every_s=60).stands(3)
    for _ in range(5):
        truck.is_seen(900).is_seen(900).is_seen(540)
    assert told(truck.folded(yard()).milestones, "left") == []


def test_a_fix_too_bad_to_judge_neither_breaks_nor_confirms():
    truck = Truck(LON, LAT, every_s=60).stands(3)
    truck.is_seen(900).is_seen(0, accuracy_m=101).is_seen(900, accuracy_m=101).is_seen(900)
    assert told(truck.folded(yard()).milestones, "left") == []
    assert told(truck.is_seen(900).folded(yard()).milestones, "left") == [("left", "YARD")]


def test_far_away_is_outside_too():
    truck = Truck(LON, LAT).stands(3).drives(5000)
    assert told(truck.folded(yard()).milestones, "left") == [("left", "YARD")]
    assert truck.folded(yard()).track.areas == {}


# --- drift -----------------------------------------------------------------------------------------


def parked_by_the_border(seed, shifted=()):
    """Two hours, 30 m inside the east border: wandering, 14 fixes over the line, at most two in a row."""
    random = Random(seed)
    lon, lat = 120.82318, 31.3410
    truck = Truck(lon, lat)
    outside = set()
    while len(outside) < 14:
        at = random.randrange(2, 238)
        if not {at - 2, at - 1, at + 1, at + 2} & outside:
            outside |= {at}
    for i in range(240):
        beyond = random.uniform(1, 70) if i in outside else random.uniform(-90, -1)
        if i in shifted:
            truck.is_seen(405, -228, accuracy_m=random.uniform(25, 60), speed_mps=0.0)
        else:
            truck.is_seen(beyond + 30, random.gauss(0, 20), accuracy_m=random.uniform(25, 60), speed_mps=0.0)
    return truck


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shifted", [(), (40, 80, 120, 160, 200)])
def test_drift_at_a_border_is_no_crossing(seed, shifted):
    gate = square("G-SIPE-P1", BORDER_LON, 31.3410, 20, kind="gate")
    milestones = parked_by_the_border(seed, shifted).folded(EAST_ZONE, gate).milestones
    assert told(milestones, "left", "moved") == []
    assert not any(m.detail["certain"] for m in milestones if m.kind == "crossed")
    assert told(milestones, "entered") in ([], [("entered", "SIPCBZ-E")])


def test_a_truck_that_truly_drives_out_has_left():
    truck = parked_by_the_border(1).drives(3000)
    assert ("left", "SIPCBZ-E") in told(truck.folded(EAST_ZONE).milestones)


@pytest.mark.parametrize("seed", range(10))
def test_drift_outside_a_border_is_no_entry(seed):
    random = Random(seed)
    truck = Truck(*moved(LON, LAT, 560, 0)).stands(8)
    for i in range(240):
        away = random.uniform(-100, -70) if i % 17 == 0 else random.uniform(-30, 60)
        truck.is_seen(away, random.gauss(0, 20), accuracy_m=random.uniform(25, 39), speed_mps=0.0)
    assert told(truck.folded(yard()).milestones, "entered", "left", "crossed") == []


# --- corridors -------------------------------------------------------------------------------------


def test_a_truck_strays_and_returns():
    truck = Truck(LON, LAT).drives(3000).drives(0, 2000).drives(2000).drives(0, -2000).drives(2000)
    first, strayed, returned = [m for m in truck.folded(road()).milestones if m.area == "ROAD"]
    assert told([first, strayed, returned], "returned", "strayed") == [
        ("returned", "ROAD"),
        ("strayed", "ROAD"),
        ("returned", "ROAD"),
    ]
    assert first.detail["before"] is None
    assert strayed.detail["tolerance_m"] == 500
    assert 10 < strayed.detail["distance_m"] < 510
    assert strayed.at[0] - strayed.time_us >= 180 * 1_000_000
    assert returned.detail["distance_m"] < -100


@pytest.mark.parametrize(("seconds_out", "strays"), [(150, False), (180, True)])
def test_straying_takes_three_minutes(seconds_out, strays):
    truck = Truck(LON, LAT).stands(3)
    for _ in range(seconds_out // 30 + 1):
        truck.is_seen(0, 600)
    assert bool(told(truck.folded(road()).milestones, "strayed")) is strays


@pytest.mark.parametrize(("north", "returns"), [(405, False), (395, True)])
def test_returning_takes_a_hundred_metres_of_tolerance(north, returns):
    truck = Truck(LON, LAT).stands(3)
    for _ in range(8):
        truck.is_seen(0, 900)
    for _ in range(5):
        truck.is_seen(0, north)
    kinds = told(truck.folded(road()).milestones, "strayed", "returned")
    assert kinds == [("returned", "ROAD"), ("strayed", "ROAD")] + [("returned", "ROAD")] * returns


def test_the_edge_of_a_corridor_is_undetermined_within_the_accuracy():
    truck = Truck(LON, LAT).stands(3)
    for _ in range(20):
        truck.is_seen(0, 509, accuracy_m=10)
    assert told(truck.folded(road()).milestones, "strayed") == []


def test_a_rail_corridor_keeps_its_train_between_distant_vertices():
    rail = corridor("C-SZW-MZL", [(119.77, 40.0), (121.14, 41.13), (123.43, 41.8), (124.37, 43.17)], 25_000)
    tracker = Truck(121.14, 41.13, every_s=6 * 3600)
    tracker.reports(Position(122.30, 41.49, accuracy_m=12.0)).reports(Position(123.43, 41.8, accuracy_m=12.0))
    assert told(tracker.folded(rail, profile=Profile(6 * 3600)).milestones) == [("returned", "C-SZW-MZL")]


# --- crossings -------------------------------------------------------------------------------------


def test_a_zone_jumped_over_between_two_fixes_is_crossed():
    truck = Truck(*moved(LON, LAT, -450, 0)).is_seen().is_seen(900)
    (crossed,) = truck.folded(yard(300)).milestones
    assert (crossed.kind, crossed.area, crossed.detail["certain"]) == ("crossed", "YARD", True)
    assert crossed.time_us == truck.last.time_us
    assert crossed.detail["length_m"] == pytest.approx(600, abs=1)
    assert crossed.detail["depth_m"] == pytest.approx(300, abs=1)


@pytest.mark.parametrize(("half_m", "every_s"), [(100, 30), (300, 45), (300, 15)])
def test_a_zone_that_one_may_have_gone_around_or_a_leap_over_it_is_uncertain(half_m, every_s):
    truck = Truck(*moved(LON, LAT, -450, 0), every_s=every_s).is_seen().is_seen(900)
    (crossed,) = truck.folded(yard(half_m)).milestones
    assert (crossed.kind, crossed.detail["certain"]) == ("crossed", False)


@pytest.mark.parametrize(("depth", "enough"), [(45, 6), (30, 12), (20, 25)])
def test_what_stands_beside_a_zone_enters_it_by_no_two_fixes(depth, enough):
    truck = Truck(*moved(LON, LAT, -240, 0)).stands(10).is_seen(60).is_seen(60).stands(3)
    assert "entered" not in {m.kind for m in truck.folded(yard(200)).milestones}
    for _ in range(enough - 1):
        truck.is_seen(40 + depth, speed_mps=0.0)
    assert "entered" not in {m.kind for m in truck.folded(yard(200)).milestones}
    truck.is_seen(40 + depth, speed_mps=0.0)
    assert "entered" in {m.kind for m in truck.folded(yard(200)).milestones}


@pytest.mark.parametrize(("depth", "enough"), [(20, 5), (50, 2), (400, 2)])
def test_who_drives_in_deep_has_entered_with_the_second_fix(depth, enough):
    truck = Truck(*moved(LON, LAT, -600, 0)).stands(3)
    for north in range(enough - 1):
        truck.is_seen(100 + depth, 60 * north, speed_mps=5.0)
    assert told(truck.folded(yard()).milestones, "entered") == []
    truck.is_seen(100 + depth, 60 * enough, speed_mps=5.0)
    (entered,) = [m for m in truck.folded(yard()).milestones if m.kind == "entered"]
    assert entered.time_us == truck.observations[3].time_us


@pytest.mark.parametrize(("between", "enters"), [(-15, False), (5, True)])
def test_a_fix_at_the_border_is_no_break_but_one_outside_speaks_against(between, enters):
    truck = Truck(*moved(LON, LAT, -540, 0)).stands(10)
    for _ in range(6):
        for _ in range(3):
            truck.is_seen(70, speed_mps=0.0)
        truck.is_seen(40 + between, speed_mps=0.0)
    truck.is_seen(70, speed_mps=0.0)
    kinds = told(truck.folded(yard()).milestones, "entered", "left", "crossed")
    assert kinds == [("entered", "YARD")] * enters


def test_two_looks_an_hour_apart_are_no_hour_within():
    truck = Truck(*moved(LON, LAT, -540, 0), every_s=3600).stands(3)
    for _ in range(4):
        truck.is_seen(52, speed_mps=0.0)
        assert told(truck.folded(yard(), profile=Profile(3600)).milestones, "entered") == []


def test_who_is_out_by_little_more_than_an_inaccurate_fix_says_takes_longer_to_leave():
    near, far = (Truck(LON, LAT).stands(3) for _ in range(2))
    for _ in range(8):
        near.is_seen(600, accuracy_m=45)
        far.is_seen(720, accuracy_m=45)
    assert told(near.folded(yard()).milestones, "left") == []
    assert told(far.folded(yard()).milestones, "left") == [("left", "YARD")]


def test_an_outlier_into_a_zone_while_driving_around_its_corner_is_uncertain():
    truck = Truck(*moved(LON, LAT, -580, 100), every_s=10).is_seen(speed_mps=16.0).drives(0, 480)
    truck.is_seen(150, -150, speed_mps=16.0)
    truck.drives(320, 0)
    (crossed,) = truck.folded(yard()).milestones
    assert (crossed.kind, crossed.detail["certain"]) == ("crossed", False)


def test_reflections_of_some_seconds_are_no_entry():
    truck = Truck(*moved(LON, LAT, -260, 0), every_s=5).is_seen(speed_mps=15.0)
    for _ in range(4):
        truck.is_seen(100, speed_mps=15.0)
    truck.is_seen(speed_mps=15.0)
    assert "entered" not in {m.kind for m in truck.folded(yard(200)).milestones}


def test_a_crossing_over_a_long_gap_is_uncertain():
    truck = Truck(*moved(LON, LAT, -300, 0)).is_seen().is_seen(600, after_s=61)
    (crossed,) = truck.folded(yard(100)).milestones
    assert crossed.detail["certain"] is False


def test_clipping_a_corner_within_the_accuracy_is_uncertain():
    truck = Truck(*moved(LON, LAT, -300, 95)).is_seen().is_seen(600)
    (crossed,) = truck.folded(yard(100)).milestones
    assert crossed.detail["certain"] is False


def test_a_zone_entered_for_one_fix_while_passing_is_crossed():
    truck = Truck(*moved(LON, LAT, -1500, 0)).drives(3000)
    assert sum(abs(o.fact.lon - LON) * 95_000 < 150 for o in truck.observations) == 1
    milestones = [m for m in truck.folded(yard(150)).milestones if m.area == "YARD"]
    assert told(milestones) == [("crossed", "YARD")]
    assert milestones[0].detail["certain"] is True
    assert milestones[0].detail["inside"] is not None


def test_a_lone_outlier_into_a_zone_beside_the_road_is_uncertain():
    truck = Truck(*moved(LON, LAT, -1000, -400)).drives(1000).is_seen(0, 400).drives(1000)
    crossed = [m for m in truck.folded(yard(150)).milestones if m.kind == "crossed"]
    assert [m.detail["certain"] for m in crossed] == [False]


def test_a_lone_fix_inside_while_standing_is_drift():
    truck = Truck(*moved(LON, LAT, -400, 0)).stands(8).is_seen(400).is_seen(-150).stands(3)
    assert told(truck.folded(yard(150)).milestones) == [("stopped", None)]


def test_a_lone_fix_inside_without_moving_on_is_drift():
    truck = (
        Truck(*moved(LON, LAT, -170, 0))
        .is_seen(speed_mps=2.0)
        .is_seen(100, speed_mps=2.0)
        .is_seen(0, 40, speed_mps=2.0)
    )
    assert told(truck.folded(yard(100)).milestones) == []


def test_a_way_within_the_accuracy_leads_nowhere():
    truck = Truck(*moved(LON, LAT, -8, 0)).is_seen(speed_mps=2.0).is_seen(16, speed_mps=2.0)
    assert told(truck.folded(yard(4)).milestones) == []


def test_a_zone_the_device_is_in_is_not_crossed():
    truck = Truck(LON, LAT).stands(3).is_seen(-200, 110, speed_mps=9.0).is_seen(-110, 200, speed_mps=9.0)
    cut = yard(205)
    assert told(truck.folded(cut).milestones) == [("entered", "YARD")]
    truck = Truck(LON, LAT).stands(3).is_seen(-208, 150, speed_mps=9.0).is_seen(-150, 208, speed_mps=9.0)
    assert told(truck.folded(cut).milestones) == [("entered", "YARD")]


def test_zones_left_together_are_told_by_code():
    nested = [square(code, LON, LAT, 300) for code in "FBDACE"]
    truck = Truck(LON, LAT).stands(3).drives(5000)
    assert told(truck.folded(*nested).milestones, "left") == [("left", code) for code in "ABCDEF"]


def test_ways_are_the_same_whatever_the_batches():
    truck = Truck(*moved(LON, LAT, -3000, 0), every_s=60).drives(6000)
    index, track, milestones = PlaceIndex([yard(100)]), Track(), []
    for observation in truck.observations:
        folded = fold_batch([DeviceEvents(track, Profile(60), [observation])], index)[0]
        track = folded.track
        milestones += folded.milestones
    assert milestones == truck.folded(yard(100)).milestones
    assert told(milestones) == [("crossed", "YARD")]


# --- revisions -------------------------------------------------------------------------------------


def test_a_zone_that_ends_is_left_at_once():
    ends = yard(valid_to_us=START_US + 75 * 1_000_000)
    milestones = Truck(LON, LAT).stands(6).folded(ends).milestones
    assert told(milestones, "entered", "left") == [("entered", "YARD"), ("left", "YARD")]
    assert milestones[-1].detail["reason"] == "area_ended"
    assert seconds(milestones[-1]) == 90


def test_a_corridor_that_ends_was_not_strayed_from():
    ends = road(valid_to_us=START_US + 75 * 1_000_000)
    folded = Truck(LON, LAT).stands(6).folded(ends)
    assert told(folded.milestones, "returned", "strayed") == [("returned", "ROAD")]
    assert folded.track.areas == {}


def test_a_zone_redrawn_around_the_truck_is_entered():
    far = yard(100, valid_to_us=START_US + 100 * 1_000_000)
    near = yard(900, valid_from_us=START_US + 100 * 1_000_000, revision=2)
    milestones = Truck(*moved(LON, LAT, 600, 0)).stands(8).folded(far, near).milestones
    assert told(milestones, "entered") == [("entered", "YARD")]
    entered = next(m for m in milestones if m.kind == "entered")
    assert entered.detail["revision"] == 2
    assert seconds(entered) == 120


# --- parameters ------------------------------------------------------------------------------------


def test_a_band_wider_than_the_index_sees_is_refused():
    with pytest.raises(ValueError, match="must stay under"):
        Parameters(border_buffer_m=REACH_M - 100, max_accuracy_m=100)
    with pytest.raises(ValueError, match="at least 1"):
        Parameters(exit_points=0)
