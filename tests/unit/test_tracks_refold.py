"""Re-folding: what a late observation changes, and that it touches no more than that."""

from collections.abc import Iterator

import msgspec
import pytest

from devices.observation import Position
from tests.support.traces import SECOND, START_US, Truck, moved, square, told
from tracking.domain.places import PlaceIndex
from tracking.domain.tracks import (
    DeviceEvents,
    Milestone,
    Profile,
    Track,
    Window,
    advance,
    fold_batch,
    refold,
)
from tracking.domain.tracks.refold import difference

LON, LAT = 120.8, 31.34
PLACES = PlaceIndex([square("Z", LON, LAT, 400)])
PROFILE = Profile(60)


class History:
    """A device's recorded past with a snapshot every ten observations, folded without the late ones."""

    def __init__(self, observations, late, until_us=0):
        known = [o for o in observations if o not in late]
        self.observations, self.late, self.until_us = observations, late, until_us
        self.snapshots, self.held = [], []
        track = Track()
        for begin in range(0, len(known), 10):
            folded = fold_batch([DeviceEvents(track, PROFILE, known[begin : begin + 10])], PLACES)[0]
            track = folded.track
            self.held += folded.milestones
            if len(known[begin : begin + 10]) == 10:
                self.snapshots.append(track)
        passed = advance(track, PROFILE, until_us)
        self.head = passed.track
        self.held = list(enumerate(self.held + passed.milestones))
        self.windows_read = 0

    def windows(self, start) -> Iterator[Window]:
        after = start.head
        ends = [(s, False) for s in self.snapshots if s.head > after] + [(self.head, True)]
        for end, is_head in ends:
            self.windows_read += 1
            upto = (1 << 63, 0, 0) if is_head else end.head
            yield Window(
                (o for o in self.observations if after < o.key <= upto),
                [(i, m) for i, m in self.held if after < m.at <= upto],
                end,
                is_head,
            )
            after = upto

    def refolded(self, snapshot_every=10):
        first = min(o.key for o in self.late)
        start = max((s for s in self.snapshots if s.head < first), key=lambda s: s.head, default=Track())
        return refold(
            start,
            PROFILE,
            self.windows(start),
            PLACES,
            through=max(o.key for o in self.late),
            until_us=self.until_us,
            snapshot_every=snapshot_every,
        )

    def effective(self, done):
        kept = [m for i, m in self.held if i not in done.supersede]
        return sorted([*kept, *done.add], key=lambda m: (m.at, m.kind))


def in_order(observations, until_us=0):
    folded = fold_batch([DeviceEvents(Track(), PROFILE, observations)], PLACES)[0]
    passed = advance(folded.track, PROFILE, until_us)
    return sorted([*folded.milestones, *passed.milestones], key=lambda m: (m.at, m.kind)), passed.track


def test_a_late_fix_that_changes_nothing_reads_one_window():
    observations = Truck(LON, LAT).stands(100_0).observations
    history = History(observations, observations[503:504])
    done = history.refolded()
    assert (done.track, done.snapshots, done.supersede, done.add) == (None, [], [], [])
    assert history.windows_read == 1


def test_a_late_visit_is_inserted_where_it_happened():
    truck = Truck(*moved(LON, LAT, -9000, 0)).drives(20_000, kmh=40)
    inside = [o for o in truck.observations if abs(o.fact.lon - LON) * 95_500 < 900]
    history = History(truck.observations, inside)
    assert told(m for _, m in history.held) == [("crossed", "Z")]
    done = history.refolded()
    assert len(done.supersede) == 1
    assert told(done.add) == [("entered", "Z"), ("left", "Z")]
    assert done.track is None
    assert history.effective(done) == in_order(truck.observations)[0]


def test_a_silence_that_was_none_is_withdrawn():
    truck = Truck(LON, LAT, every_s=60).stands(30)
    late = truck.observations[10:20]
    history = History(truck.observations, late)
    assert told((m for _, m in history.held), "silent", "heard") == [("silent", None), ("heard", None)]
    done = history.refolded()
    assert len(done.supersede) == 2
    assert history.effective(done) == in_order(truck.observations)[0]


def test_a_silence_that_began_later_is_moved():
    truck = Truck(LON, LAT, every_s=60).stands(15)
    until_us = START_US + 7200 * SECOND
    history = History(truck.observations, truck.observations[12:], until_us)
    done = history.refolded()
    assert told(done.add) == [("silent", None)]
    assert done.add[0].time_us == truck.last.time_us + 300 * SECOND
    assert (history.effective(done), done.track) == in_order(truck.observations, until_us)


def test_a_silence_once_told_stands_though_the_watermark_is_unknown():
    truck = Truck(LON, LAT, every_s=60).stands(15)
    history = History(truck.observations, truck.observations[12:13], START_US + 7200 * SECOND)
    history.until_us = 0
    done = history.refolded()
    assert (done.track, done.supersede, done.add) == (None, [], [])


def test_a_head_that_counts_no_longer_is_no_clock():
    """It may have told a time of its own: a silence before it holds as far as time has passed."""
    truck = Truck(LON, LAT, every_s=60).stands(5)
    last, *earlier = reversed(truck.observations)
    wrong = msgspec.structs.replace(last, time_us=last.time_us + 600 * SECOND)
    observations = [*reversed(earlier), wrong]
    folded = fold_batch([DeviceEvents(Track(), PROFILE, observations)], PLACES)[0]
    assert told(folded.milestones, "silent", "heard") == [("silent", None), ("heard", None)]
    window = Window(observations[:-1], list(enumerate(folded.milestones)), folded.track, is_head=True)
    done = refold(
        Track(),
        PROFILE,
        [window],
        PLACES,
        through=wrong.key,
        until_us=last.time_us + 30 * SECOND,
        snapshot_every=10,
    )
    assert told([folded.milestones[i] for i in done.supersede]) == [("silent", None), ("heard", None)]
    assert done.add == []
    assert done.track.heard == observations[-2].key
    assert done.track.silent_us is None


def test_meeting_a_snapshot_before_the_last_late_one_proves_nothing():
    truck = Truck(LON, LAT).stands(20).drives(6000).stands(20)
    away = [o for o in truck.observations if o.fact.speed_mps]
    history = History(truck.observations, [truck.observations[3], *away])
    done = history.refolded()
    assert history.effective(done) == in_order(truck.observations)[0]
    assert done.snapshots


def test_a_long_upload_gets_snapshots_of_its_own():
    truck = Truck(LON, LAT).stands(5).drives(60_000)
    history = History(truck.observations, truck.observations[5:])
    done = history.refolded()
    assert len(done.snapshots) == (len(truck.observations) - 1) // 20
    assert done.since_snapshot == len(truck.observations) - 20 * len(done.snapshots)
    assert done.track == in_order(truck.observations)[1]
    for snapshot in done.snapshots:
        before = [o for o in truck.observations if o.key <= snapshot.head]
        assert in_order(before)[1] == snapshot


@pytest.mark.parametrize("copies", [1, 2])
def test_what_is_told_again_stays(copies):
    milestone = Milestone(5, "entered", "Z", {"first": [5, 1, 1]}, (6, 1, 2))
    other = Milestone(5, "entered", "Z", {"first": [4, 1, 1]}, (6, 1, 2))
    held = [(7, milestone), (8, other)]
    assert difference(held, [other, milestone] * copies) == ([], [other, milestone] * (copies - 1))
    assert difference(held, [milestone]) == ([8], [])
    assert difference([], [milestone]) == ([], [milestone])


def test_a_fix_out_of_nowhere_changes_only_its_window():
    truck = Truck(LON, LAT).stands(400)
    late = Truck(LON, LAT).reports(Position(*moved(LON, LAT, 0, 900), accuracy_m=5.0)).observations[0]
    late = type(late)(2, 1, truck.observations[205].time_us, late.fact, late.raw)
    observations = sorted([*truck.observations, late], key=lambda o: o.key)
    history = History(observations, [late])
    done = history.refolded()
    assert (done.track, done.supersede, done.add) == (None, [], [])
    assert history.windows_read <= 2
