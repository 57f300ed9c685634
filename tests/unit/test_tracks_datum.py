"""Fixes in another datum: held back while they may be none, believed in the end, and no crossing missed."""

from random import Random

import pytest

from devices.coordinates import gcj02_to_bd09, wgs84_to_gcj02
from devices.observation import Position
from tests.support.traces import EAST_ZONE, SECOND, START_US, Truck, moved, seconds, square, told
from tracking.domain.places import PlaceIndex, geodesy
from tracking.domain.tracks import DeviceEvents, Parameters, Profile, Track, fold_batch

PARKED = (120.82318, 31.3410)
"""30 m within the east border."""
DATUM = ("datum_suspected", "datum_undetermined", "datum_cleared")


class Parked(Truck):
    """A truck that stands, some of whose fixes come in the datum of Chinese maps."""

    def is_shifted(self, fixes: int = 1, *, speed_mps: float | None = 0.0, bd09: bool = False) -> "Parked":
        for _ in range(fixes):
            lon, lat = wgs84_to_gcj02(self.lon, self.lat)
            lon, lat = gcj02_to_bd09(lon, lat) if bd09 else (lon, lat)
            self.reports(Position(lon, lat, accuracy_m=self.accuracy_m, speed_mps=speed_mps))
        return self

    def moves_over(self) -> "Parked":
        """To where the datum of Chinese maps would put it."""
        self.lon, self.lat = wgs84_to_gcj02(self.lon, self.lat)
        return self


def parked(**more) -> Parked:
    return Parked(*PARKED, **more)


def test_the_shift_at_suzhou_is_what_the_vectors_say():
    lon, lat = wgs84_to_gcj02(*PARKED)
    assert geodesy.distance_m(*PARKED, lon, lat) == pytest.approx(467, abs=3)


def test_single_shifted_fixes_judge_nothing_and_are_told():
    truck = parked().stands(10)
    for _ in range(5):
        truck.is_shifted().stands(4)
    milestones = truck.folded(EAST_ZONE).milestones
    assert told(milestones, "entered", "left", "stopped", "moved", "crossed", "jumped") == [
        ("entered", "SIPCBZ-E"),
        ("stopped", None),
    ]
    assert told(milestones, *DATUM) == [("datum_suspected", None), ("datum_cleared", None)] * 5
    suspected, cleared = (m for m in milestones if m.kind in DATUM[::2] and seconds(m) <= 330)
    assert (seconds(suspected), seconds(cleared)) == (300, 330)
    assert suspected.at == truck.observations[10].key
    assert suspected.detail["leaves"] == ["SIPCBZ-E"]
    assert suspected.detail["datum"] == "gcj02"
    assert cleared.detail | {"key": None, "first": None} == {
        "key": None,
        "first": None,
        "fixes": 1,
        "believed": False,
        "datum": "gcj02",
    }


@pytest.mark.parametrize("every_s", [30, 300])
def test_five_in_a_row_leave_the_places_undetermined(every_s):
    truck = parked(every_s=every_s).stands(10).is_shifted(5)
    waiting = truck.folded(EAST_ZONE, profile=Profile(every_s))
    truck.stands(3)
    milestones = truck.folded(EAST_ZONE, profile=Profile(every_s)).milestones
    assert told(milestones, "left", "moved") == []
    assert told(milestones, *DATUM) == [(kind, None) for kind in DATUM]
    suspected, undetermined, cleared = (m for m in milestones if m.kind in DATUM)
    assert undetermined.time_us == suspected.time_us
    assert undetermined.detail["leaves"] == ["SIPCBZ-E"]
    assert cleared.time_us == truck.observations[15].time_us
    assert (cleared.detail["fixes"], cleared.detail["believed"]) == (5, False)
    assert waiting.track.doubt is not None
    assert Track.decode(waiting.track.encode()) == waiting.track


def test_two_in_a_row_are_not_enough_to_leave_a_place_undetermined():
    milestones = parked().stands(10).is_shifted(2).stands(2).folded(EAST_ZONE).milestones
    assert told(milestones, *DATUM) == [("datum_suspected", None), ("datum_cleared", None)]


def test_baidu_s_datum_is_known_too():
    milestones = parked().stands(10).is_shifted(3, bd09=True).stands(2).folded(EAST_ZONE).milestones
    assert {m.detail["datum"] for m in milestones if m.kind in DATUM} == {"bd09"}
    assert told(milestones, "left", "moved") == []


def test_another_distance_or_direction_is_no_shift():
    for east, north in ((467, 0), (-408, 227), (408, -420), (700, -390)):
        truck = parked().stands(10).is_seen(east, north, speed_mps=0.0).stands(2)
        assert told(truck.folded(EAST_ZONE).milestones, *DATUM) == []


def test_a_truck_that_stays_where_the_shift_would_put_it_is_believed():
    truck = parked().stands(10).moves_over().stands(30)
    milestones = truck.folded(EAST_ZONE).milestones
    assert told(milestones)[2:] == [
        ("datum_suspected", None),
        ("datum_undetermined", None),
        ("datum_cleared", None),
        ("moved", None),
        ("left", "SIPCBZ-E"),
        ("stopped", None),
    ]
    left = next(m for m in milestones if m.kind == "left")
    cleared = next(m for m in milestones if m.kind == "datum_cleared")
    assert seconds(left) == 300
    assert left.detail["before"] == list(truck.observations[9].key)
    assert seconds(cleared) == 300 + 600
    assert left.at == cleared.at == truck.observations[30].key
    assert cleared.detail["believed"] is True


def test_what_is_believed_is_what_would_have_been_told_at_once():
    truck = parked().stands(10).moves_over().stands(40).drives(3000)
    late = truck.folded(EAST_ZONE).milestones
    plain = truck.folded(EAST_ZONE, params=Parameters(datum_slack_m=-1000)).milestones
    assert [(m.kind, m.area, m.time_us) for m in late if m.kind not in DATUM] == [
        (m.kind, m.area, m.time_us) for m in plain
    ]


def test_a_truck_that_moves_on_from_there_is_believed_at_once():
    truck = parked().stands(10).is_shifted(5)
    truck.lon, truck.lat = wgs84_to_gcj02(*PARKED)
    milestones = truck.drives(3000, -1500).folded(EAST_ZONE).milestones
    left = next(m for m in milestones if m.kind == "left")
    assert seconds(left) == 300
    assert left.at == truck.observations[15].key


def test_a_way_on_is_tested_for_zones_from_where_the_truck_really_was():
    zone = square("Z", *moved(*wgs84_to_gcj02(*PARKED), 300, 0), 100)
    truck = Parked(*PARKED, every_s=30).stands(10).is_shifted(3, speed_mps=None)
    truck.lon, truck.lat = wgs84_to_gcj02(*PARKED)
    milestones = truck.drives(3000, kmh=72).folded(zone).milestones
    crossed = [m for m in milestones if m.kind == "crossed"]
    assert told(crossed) == [("crossed", "Z")]
    assert crossed[0].detail["before"] == list(truck.observations[12].key)


def test_a_truck_that_drives_there_is_not_suspected():
    truck = parked().stands(10)
    truck.lon, truck.lat = wgs84_to_gcj02(*PARKED)
    milestones = truck.is_seen(speed_mps=16.0).drives(4000).folded(EAST_ZONE).milestones
    assert told(milestones, *DATUM) == []
    assert next(seconds(m) for m in milestones if m.kind == "left") == 300


def test_a_truck_without_speeds_that_never_stood_is_not_suspected():
    truck = Parked(*PARKED)
    for _ in range(30):
        truck.reports(Position(truck.lon, truck.lat, accuracy_m=10.0)).moves_over()
    assert told(truck.folded().milestones, *DATUM) == []


@pytest.mark.parametrize(("speed_mps", "is_told"), [(0.0, True), (None, False), (9.0, False)])
def test_who_has_just_come_into_a_zone_is_suspected_if_the_fix_says_that_it_stands(speed_mps, is_told):
    truck = Parked(*moved(*PARKED, -1500, 0)).drives(1000).is_shifted(speed_mps=speed_mps).stands(2)
    assert bool(told(truck.folded(EAST_ZONE).milestones, *DATUM)) is is_told


def test_a_device_that_reports_every_second_does_not_fill_its_track():
    truck = parked(every_s=1).stands(300).is_shifted(590)
    track = truck.folded(EAST_ZONE).track
    assert track.doubt is not None
    assert (track.doubt.count, len(track.doubt.held)) == (590, 59)
    assert len(track.encode()) < 4000


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("in_a_row", [False, True])
def test_drift_beside_the_border_with_shifted_fixes_tells_no_crossing(seed, in_a_row):
    """A parked truck 30 m from the border for two hours: the park's own story of drift and a datum."""
    random = Random(seed)
    truck = parked(every_s=30)
    for _ in range(8):
        truck.is_seen(random.uniform(-20, 10), speed_mps=0.0, accuracy_m=25)
    shifted = set(range(100, 105)) if in_a_row else {40, 80, 120, 160, 200}
    stray = set(random.sample([i for i in range(20, 230, 7) if i not in shifted], 12))
    for i in range(240):
        accuracy_m = random.uniform(25, 60)
        east = random.uniform(40, 70) if i in stray else random.uniform(-90, 25)
        lon, lat = moved(*PARKED, east, random.gauss(0, 15))
        if i in shifted:
            lon, lat = wgs84_to_gcj02(lon, lat)
        truck.reports(Position(lon, lat, accuracy_m=accuracy_m, speed_mps=0.0))
    milestones = truck.folded(EAST_ZONE).milestones
    assert told(milestones, "entered", "left", "moved", "crossed") == [("entered", "SIPCBZ-E")]
    assert told(milestones, "datum_suspected")
    assert bool(told(milestones, "datum_undetermined")) is in_a_row


def test_held_fixes_survive_a_snapshot_anywhere():
    observations = parked().stands(10).moves_over().stands(30).drives(2000).observations
    places = PlaceIndex([EAST_ZONE])
    whole = fold_batch([DeviceEvents(Track(), Profile(60), observations)], places)[0]
    for at in range(len(observations)):
        half = fold_batch([DeviceEvents(Track(), Profile(60), observations[:at])], places)[0]
        track = Track.decode(half.track.encode())
        rest = fold_batch([DeviceEvents(track, Profile(60), observations[at:])], places)[0]
        assert half.milestones + rest.milestones == whole.milestones
        assert rest.track == whole.track
        assert all(m.at > track.head for m in rest.milestones)


def test_the_trace_begins_where_it_says():
    assert parked().stands(1).last.time_us == START_US
    assert parked().stands(2).last.time_us == START_US + 30 * SECOND
