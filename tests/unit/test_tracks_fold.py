"""The fold: stops, impossible jumps, silence, reports; and what it refuses."""

import msgspec
import pytest

from devices.observation import Gate, Handover, Position, Reading, Scan, Seal, Status
from tests.support.traces import SECOND, START_US, Truck, moved, seconds, square, told
from tracking.domain.places import PlaceIndex
from tracking.domain.tracks import (
    BIRTH,
    KINDS,
    DeviceEvents,
    DeviceState,
    Parameters,
    Profile,
    Track,
    advance,
    due_us,
    fold_batch,
)

LON, LAT = 120.8, 31.34
NOWHERE = PlaceIndex([])
MINUTELY = Profile(60)
LIMIT_S = 300


# --- stops -----------------------------------------------------------------------------------------


def test_a_stop_is_dated_at_its_first_fix_and_ends_at_the_first_beyond():
    truck = Truck(LON, LAT).drives(2000).stands(10).drives(3000)
    stopped, moved_on = truck.folded().milestones
    still = [o for o in truck.observations if o.fact.speed_mps == 0]
    assert told([stopped, moved_on]) == [("stopped", None), ("moved", None)]
    assert stopped.time_us == still[0].time_us
    assert stopped.at[0] - stopped.time_us == 180 * SECOND
    assert moved_on.time_us == still[-1].time_us + 30 * SECOND
    assert moved_on.detail["stood_s"] == 300
    assert moved_on.detail["before"] == list(still[-1].key)
    assert stopped.detail["near"] is None


def test_a_stop_names_the_nearest_zone_and_how_far_it_is():
    far, near = square("FAR", *moved(LON, LAT, 500, 0), 200), square("NEAR", *moved(LON, LAT, -320, 0), 200)
    (stopped,) = told_kinds(Truck(LON, LAT).stands(8).folded(far, near).milestones, "stopped")
    assert stopped.detail["near"] == ["NEAR", pytest.approx(120, abs=1)]
    around = square("AROUND", LON, LAT, 1000)
    (within,) = told_kinds(Truck(LON, LAT).stands(8).folded(near, around).milestones, "stopped")
    assert within.detail["near"] == ["AROUND", -400.0]


@pytest.mark.parametrize(("fixes", "stops"), [(6, False), (7, True)])
def test_a_stop_takes_three_minutes(fixes, stops):
    truck = Truck(LON, LAT).stands(fixes)
    assert bool(told(truck.folded().milestones, "stopped")) is stops


def told_kinds(milestones, *kinds):
    return [milestone for milestone in milestones if milestone.kind in kinds]


def test_crawling_is_no_stop():
    assert told(Truck(LON, LAT, every_s=10).drives(1000, kmh=5).folded().milestones) == []


def test_a_fast_fix_on_the_spot_begins_the_stop_anew():
    truck = Truck(LON, LAT).stands(6).is_seen(speed_mps=5.0).stands(6)
    assert told(truck.folded().milestones) == []


def test_without_speed_the_distances_decide():
    truck = Truck(LON, LAT)
    for _ in range(8):
        truck.is_seen()
    for north in range(1, 9):
        truck.is_seen(0, 500 * north)
    assert told(truck.folded().milestones) == [("stopped", None), ("moved", None)]


def test_two_fixes_astray_do_not_end_a_stop():
    truck = Truck(LON, LAT).stands(8)
    for _ in range(5):
        truck.is_seen(400).is_seen(420).is_seen(10)
    assert told(truck.folded().milestones) == [("stopped", None)]


def test_leaving_a_stop_through_a_zone_is_seen_once_it_is_a_departure():
    zone = square("Z", *moved(LON, LAT, 450, 0), 300)
    truck = Truck(LON, LAT).stands(8).is_seen(900, speed_mps=20.0).is_seen(1400, speed_mps=20.0)
    assert told(truck.folded(zone).milestones, "crossed") == []
    crossed = [m for m in truck.is_seen(1800, speed_mps=20.0).folded(zone).milestones if m.kind == "crossed"]
    assert told(crossed) == [("crossed", "Z")]
    assert crossed[0].detail["certain"] is True
    assert seconds(crossed[0]) == 240
    assert crossed[0].at == truck.last.key


# --- impossible jumps ------------------------------------------------------------------------------


def test_a_jump_and_back_judges_nothing():
    zone = square("Z", *moved(LON, LAT, 50_000, 0), 400)
    between = square("BETWEEN", *moved(LON, LAT, 25_000, 0), 400)
    truck = Truck(LON, LAT).stands(8).is_seen(50_000).is_seen(50_000).stands(3)
    folded = truck.folded(zone, between)
    assert told(folded.milestones) == [("stopped", None), ("jumped", None), ("jump_settled", None)]
    jumped, settled = folded.milestones[1:]
    assert (seconds(jumped), seconds(settled)) == (240, 300)
    assert jumped.at == truck.observations[8].key
    assert jumped.detail["before"] == list(truck.observations[7].key)
    assert jumped.detail["after"] == list(truck.observations[8].key)
    assert jumped.detail["distance_m"] == pytest.approx(50_000, rel=0.01)
    assert jumped.detail["speed_kmh"] == pytest.approx(6000, rel=0.01)
    assert settled.detail["believed"] is False
    assert folded.track.suspect is None
    assert folded.track.suspect_count == 0


def test_a_jump_is_believed_after_three_consistent_fixes():
    zone = square("Z", *moved(LON, LAT, 50_000, 0), 400)
    between = square("BETWEEN", *moved(LON, LAT, 25_000, 0), 400)
    truck = Truck(LON, LAT).stands(2)
    for _ in range(4):
        truck.is_seen(50_000)
    milestones = truck.folded(zone, between).milestones
    assert told(milestones) == [("jumped", None), ("jump_settled", None), ("entered", "Z")]
    jumped, settled, entered = milestones
    assert settled.detail["believed"] is True
    assert (seconds(jumped), seconds(settled), seconds(entered)) == (60, 120, 120)


def test_two_fixes_of_one_moment_have_no_speed():
    truck = Truck(LON, LAT).is_seen().is_seen(50_000, after_s=0)
    (jumped,) = truck.folded().milestones
    assert jumped.detail["speed_kmh"] is None


def test_a_fix_that_time_makes_possible_settles_a_jump_where_it_led():
    truck = Truck(LON, LAT).is_seen().is_seen(50_000).is_seen(50_000, after_s=3600)
    (jumped, settled) = truck.folded(profile=Profile(3600)).milestones
    assert (jumped.kind, settled.kind, settled.detail["believed"]) == ("jumped", "jump_settled", True)


def test_the_way_of_a_believed_jump_crosses_nothing():
    between = square("BETWEEN", *moved(LON, LAT, 25_000, 0), 400)
    beside = square("BESIDE", *moved(LON, LAT, 50_400, 0), 150)
    truck = Truck(LON, LAT).stands(8)
    for east in (50_000, 50_000, 50_800, 51_500, 52_200, 52_900):
        truck.is_seen(east, speed_mps=25.0)
    milestones = truck.folded(between, beside).milestones
    assert told(milestones, "stopped", "moved", "crossed") == [("stopped", None), ("moved", None)]


def test_jumps_all_over_are_never_believed():
    truck = Truck(LON, LAT).stands(2)
    for i in range(10):
        truck.is_seen(50_000 * (-1) ** i, 10_000 * i)
    assert truck.folded(square("Z", *moved(LON, LAT, 50_000, 0), 400)).track.fix.key == (
        START_US + 30 * SECOND,
        1,
        2,
    )


@pytest.mark.parametrize(("metres", "is_jump"), [(1990, False), (2010, True)])
def test_a_short_step_is_never_a_jump(metres, is_jump):
    truck = Truck(LON, LAT, every_s=1).is_seen().is_seen(metres)
    assert (truck.folded().track.suspect is not None) is is_jump


@pytest.mark.parametrize(("kmh", "is_jump"), [(139, False), (141, True)])
def test_the_speed_limit_is_the_profiles(kmh, is_jump):
    truck = Truck(LON, LAT, every_s=3600).is_seen().is_seen(0, kmh * 1000)
    assert (truck.folded().track.suspect is not None) is is_jump
    assert truck.folded(profile=Profile(3600, max_speed_kmh=350)).track.suspect is None


def test_a_way_past_a_disbelieved_fix_is_judged_from_the_last_believed():
    zone = square("Z", *moved(LON, LAT, 500, 0), 150)
    truck = Truck(LON, LAT, every_s=20).is_seen(speed_mps=25.0)
    truck.is_seen(90_000, 40_000, speed_mps=25.0).is_seen(1000, speed_mps=25.0)
    milestones = truck.folded(zone).milestones
    assert told(milestones) == [("jumped", None), ("jump_settled", None), ("crossed", "Z")]
    assert milestones[2].detail["before"] == list(truck.observations[0].key)


# --- silence ---------------------------------------------------------------------------------------


def test_silence_is_dated_at_the_moment_the_limit_passed():
    truck = Truck(LON, LAT).is_seen().is_seen(after_s=1000)
    silent, heard = truck.folded(profile=MINUTELY).milestones[:2]
    assert (silent.kind, seconds(silent), silent.at) == ("silent", 300, (START_US + LIMIT_S * SECOND, -1, -1))
    assert silent.detail == {"last_heard": [START_US, 1, 1], "after_s": 300.0}
    assert (heard.kind, seconds(heard), heard.at) == ("heard", 1000, truck.last.key)
    assert heard.detail["gap_s"] == 1000


@pytest.mark.parametrize(("gap_s", "is_silent"), [(299.999999, False), (300, True)])
def test_the_limit_itself_is_silence(gap_s, is_silent):
    truck = Truck(LON, LAT).is_seen().is_seen(after_s=gap_s)
    assert bool(told(truck.folded(profile=MINUTELY).milestones, "silent")) is is_silent


@pytest.mark.parametrize(("until_s", "is_silent"), [(299.999999, False), (300, True), (9999, True)])
def test_time_alone_brings_the_same_silence(until_s, is_silent):
    track = Truck(LON, LAT).is_seen().folded().track
    passed = advance(track, MINUTELY, START_US + round(until_s * SECOND))
    told_by_gap = Truck(LON, LAT).is_seen().is_seen(after_s=20_000).folded(profile=MINUTELY).milestones[:1]
    assert passed.milestones == (told_by_gap if is_silent else [])
    assert track.silent_us is None
    assert advance(passed.track, MINUTELY, START_US + 10**12).milestones == ([] if is_silent else told_by_gap)


def test_due_is_one_limit_after_the_last_report_of_any_kind():
    track = Truck(LON, LAT).is_seen().reports(Status(battery_pct=80.0)).folded().track
    assert due_us(track, MINUTELY) == START_US + 30 * SECOND + LIMIT_S * SECOND
    assert due_us(Track(), MINUTELY) is None
    silent = advance(track, MINUTELY, START_US + 10**10).track
    assert due_us(silent, MINUTELY) is None
    assert silent.head == (START_US + 330 * SECOND, -1, -1)


def test_before_the_first_report_there_is_no_silence():
    assert advance(Track(), MINUTELY, START_US).milestones == []
    assert Track().head == BIRTH


# --- reports ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (Seal("ES-1", "locked", thing="BNDU1000010"), ("seal_locked", None)),
        (Seal("ES-1", "unlocked", order="o-1"), ("seal_unlocked", None)),
        (Seal("ES-1", "cut"), ("seal_cut", None)),
        (Seal("ES-1", "tampered"), ("seal_tampered", None)),
        (
            Gate("G-1", "2", "out", plate="苏E1289K", weight_kg=33480.0, pass_number="Z1"),
            ("passed_gate", "G-1"),
        ),
        (Handover("A", "B", "giver", thing="BNDU1000010"), ("handed_over", None)),
    ],
)
def test_a_report_is_a_milestone_with_what_it_says(fact, expected):
    (milestone,) = Truck(LON, LAT).reports(fact).folded().milestones
    assert (milestone.kind, milestone.area) == expected
    said = {name: value for name, value in msgspec.to_builtins(fact).items() if value not in (None, [])}
    assert milestone.detail == {"key": [START_US, 1, 1]} | {k: v for k, v in said.items() if k != "type"}


def test_a_seal_that_repeats_itself_is_no_news():
    truck = Truck(LON, LAT)
    for state in ("locked", "locked", "cut", "cut", "cut", "locked"):
        truck.reports(Seal("ES-1", state)).reports(Seal("ES-2", "locked"))
    told = [(milestone.kind, milestone.detail["seal"]) for milestone in truck.folded().milestones]
    assert told == [
        ("seal_locked", "ES-1"),
        ("seal_locked", "ES-2"),
        ("seal_cut", "ES-1"),
        ("seal_locked", "ES-1"),
    ]


def test_an_unlocking_under_another_order_is_news():
    truck = Truck(LON, LAT)
    for order in ("o-1", "o-1", "o-2"):
        truck.reports(Seal("ES-1", "unlocked", order=order))
    assert [m.detail["order"] for m in truck.folded().milestones] == ["o-1", "o-2"]


def test_what_seals_said_is_not_remembered_for_ever():
    truck = Truck(LON, LAT)
    for number in range(20):
        truck.reports(Seal(f"ES-{number}", "locked"))
    track = truck.folded().track
    assert [said[0] for said in track.seals] == [f"ES-{number}" for number in range(12, 20)]
    assert Track.decode(track.encode()) == track


def test_other_facts_are_only_heard():
    truck = Truck(LON, LAT).reports(Seal("ES-1", "low_battery")).reports(Scan("X", "receiving"))
    truck.reports(Reading({"temperature_c": -18.0})).reports(Status())
    folded = truck.folded()
    assert folded.milestones == []
    assert folded.track == Track(heard=truck.last.key)


# --- the fold itself -------------------------------------------------------------------------------


def test_observations_out_of_order_are_the_callers_mistake():
    one, two = Truck(LON, LAT).is_seen().is_seen().observations
    for wrong in ([two, one], [one, one]):
        with pytest.raises(ValueError, match="is not after"):
            fold_batch([DeviceEvents(Track(), MINUTELY, wrong)], NOWHERE)
    with pytest.raises(ValueError, match="is not after"):
        fold_batch([DeviceEvents(Track(heard=one.key), MINUTELY, [one])], NOWHERE)


def test_devices_of_a_batch_keep_to_themselves():
    zone = square("Z", LON, LAT, 400)
    fleet = [Truck(*moved(LON, LAT, x, 0)).drives(900).stands(9).drives(3000) for x in (-2000, 0, 90_000)]
    alone = [truck.folded(zone) for truck in fleet]
    work = [DeviceEvents(Track(), MINUTELY, truck.observations) for truck in fleet]
    assert fold_batch(work, PlaceIndex([zone])) == alone
    assert fold_batch([], PlaceIndex([zone])) == []
    assert fold_batch([DeviceEvents(Track(), MINUTELY, [])], PlaceIndex([zone]))[0].track == Track()


def test_observations_at_one_moment_are_told_apart_by_run_and_number():
    truck = Truck(LON, LAT).is_seen().is_seen(after_s=0).is_seen(after_s=0)
    assert truck.folded().track.heard == (START_US, 1, 3)


def test_details_survive_json():
    zone = square("Z", LON, LAT, 400)
    truck = Truck(*moved(LON, LAT, -3000, 0)).drives(3000).stands(9).drives(9000).is_silent(9000).is_seen()
    milestones = truck.reports(Gate("G-1", "1", "in")).folded(zone).milestones
    assert {m.kind for m in milestones} >= {
        "entered",
        "left",
        "stopped",
        "moved",
        "silent",
        "heard",
        "passed_gate",
    }
    for milestone in milestones:
        assert msgspec.json.decode(msgspec.json.encode(milestone.detail)) == milestone.detail
        assert milestone.kind in KINDS


def test_state_survives_storage():
    folded = (
        Truck(*moved(LON, LAT, -900, 0)).drives(800).stands(9).is_seen(900).folded(square("Z", LON, LAT, 400))
    )
    state = DeviceState(
        {7: [(1, 17), (19, 19)]}, folded.track, 12, due_armed=True, contact_us=1_700_000_000_000_000
    )
    assert folded.track.areas
    assert folded.track.leaving is not None
    assert DeviceState.decode(state.encode()) == state
    assert Track.decode(folded.track.encode()) == folded.track
    assert DeviceState.decode(DeviceState().encode()) == DeviceState()


def test_fixes_worse_than_the_limit_are_heard_only():
    truck = Truck(LON, LAT).reports(Position(LON, LAT, accuracy_m=101.0))
    assert truck.folded().track == Track(heard=truck.last.key)
    assert truck.folded(params=Parameters(max_accuracy_m=150)).track.fix is not None
