"""Order doesn't matter: any permutation, duplication and batching of arrival, with time passing in between,
ends in the milestones and the track of one fold in order."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.coordinates import wgs84_to_gcj02
from devices.observation import Gate, Observation, Reading, Seal
from tests.support.traces import SECOND, START_US, Truck, corridor, moved, square
from tracking.domain.places import PlaceIndex
from tracking.domain.tracks import (
    BIRTH,
    DeviceEvents,
    Key,
    Milestone,
    Profile,
    Track,
    Window,
    advance,
    fold_batch,
    refold,
)

# The shuttle road between the two bonded zones of the industrial park, a lay-by beside it, a gate on it.
ROAD = [(120.805, 31.3347), (120.805, 31.332), (120.796, 31.329), (120.785, 31.328), (120.770, 31.329)]
ROAD += [(120.755, 31.331), (120.745, 31.3335), (120.740, 31.335)]
LATER = START_US + 1800 * SECOND
PLACES = PlaceIndex(
    [
        corridor("C-SIPE-SIPW", ROAD, 500),
        square("SIPCBZ-W", 120.735, 31.336, 700, kind="cbz"),
        square("LAYBY", 120.7775, 31.3285, 120, kind="layby_forbidden", valid_to_us=LATER),
        square("LAYBY", 120.7775, 31.3285, 160, kind="layby_forbidden", valid_from_us=LATER, revision=1),
        square("GATE", 120.7525, 31.3317, 40, kind="gate"),
        square("DOCK", 120.805, 31.3333, 60, kind="warehouse"),
        square("ENDS", 120.7600, 31.3303, 300, valid_to_us=LATER),
    ]
)
PROFILE = Profile(30)
END_US = START_US + 3 * 86_400 * SECOND


class Recorder:
    """The record step in miniature, for one device: in-order events inline, older ones by re-fold."""

    def __init__(self, snapshot_every: int) -> None:
        self.every = snapshot_every
        self.recorded: dict[Key, Observation] = {}
        self.keys: list[Key] = []
        self.track = Track()
        self.since = 0
        self.snapshots: dict[Key, Track] = {}
        self.held: dict[int, Milestone] = {}
        self.told = 0
        self.late: list[Key] = []
        self.corrected: dict[Key, Observation] = {}
        self.watermark = 0

    def new(self, arriving: Iterable[Observation]) -> list[Observation]:
        """What of a batch folds inline, in order; duplicates dropped, late ones kept for a re-fold."""
        inline = []
        for observation in sorted(arriving, key=lambda o: o.key):
            if observation.key in self.recorded:
                continue
            self.recorded[observation.key] = observation
            insort(self.keys, observation.key)
            (inline if observation.key > self.track.head else self.late).append(
                observation if observation.key > self.track.head else observation.key
            )
        return inline

    def corrects(self, key: Key) -> None:
        """An observation counts no longer."""
        self.corrected[key] = self.recorded[key]
        self.keys.remove(key)
        self.snapshots.pop(key, None)
        self.late.append(key)

    def retracts(self, key: Key) -> None:
        """It counts again."""
        del self.corrected[key]
        insort(self.keys, key)
        self.late.append(key)

    def folded(self, track: Track, milestones: list[Milestone], count: int) -> None:
        self.track = track
        self.tell(milestones)
        self.since += count
        if count and self.since >= self.every:
            self.snapshots[track.head] = Track.decode(track.encode())
            self.since = 0

    def tell(self, milestones: Iterable[Milestone]) -> None:
        for milestone in milestones:
            self.told += 1
            self.held[self.told] = milestone

    def time_passes(self, until_us: int) -> None:
        self.watermark = max(self.watermark, until_us)
        passed = advance(self.track, PROFILE, self.watermark)
        self.folded(passed.track, passed.milestones, 0)

    def refold(self) -> None:
        """All pending late observations at once."""
        if not self.late:
            return
        keys = sorted(key for key in self.snapshots if key < min(self.late))
        start = keys[-1] if keys else BIRTH
        done = refold(
            self.snapshots.get(start, Track()),
            PROFILE,
            self.windows(start),
            PLACES,
            through=max(self.late),
            until_us=self.watermark,
            snapshot_every=self.every,
        )
        for identity in done.supersede:
            del self.held[identity]
        self.tell(done.add)
        self.snapshots |= {snapshot.head: snapshot for snapshot in done.snapshots}
        if done.track is not None:
            self.track, self.since = done.track, done.since_snapshot
        self.late.clear()

    def windows(self, start: Key) -> Iterator[Window]:
        ends: list[tuple[Key, Track, bool]] = [
            (key, self.snapshots[key], False) for key in sorted(self.snapshots) if key > start
        ]
        ends.append(((1 << 63, 0, 0), self.track, True))
        for end, track, is_head in ends:
            begin, stop = bisect_left(self.keys, (*start[:2], start[2] + 1)), bisect_left(self.keys, end)
            stop += stop < len(self.keys) and self.keys[stop] == end
            observations = [self.recorded[key] for key in self.keys[begin:stop]]
            milestones = [(i, m) for i, m in self.held.items() if start < m.at <= end]
            yield Window(observations, milestones, track, is_head)
            start = end


def in_order(observations: list[Observation]) -> tuple[list[Milestone], Track]:
    folded = fold_batch([DeviceEvents(Track(), PROFILE, observations)], PLACES)[0]
    passed = advance(folded.track, PROFILE, END_US)
    return folded.milestones + passed.milestones, passed.track


def sorted_milestones(milestones: Iterable[Milestone]) -> list[Milestone]:
    return sorted(milestones, key=lambda m: (m.at, m.time_us, m.kind, m.area or ""))


SCENES = st.lists(
    st.tuples(
        st.sampled_from(
            ["drive", "stray", "stop", "drift", "silence", "jump", "datum", "seal", "bad", "together"]
        ),
        st.integers(0, 2**32 - 1),
    ),
    min_size=1,
    max_size=14,
)


@st.composite
def traces(draw: st.DrawFn) -> list[Observation]:
    """A truck on the shuttle road, with all that befalls a device."""
    truck = Truck(*ROAD[0], every_s=draw(st.sampled_from([5, 20, 45])))
    ahead = list(ROAD[1:])
    for scene, seed in draw(SCENES):
        random = Random(seed)
        match scene:
            case "drive" if ahead:
                to = ahead.pop(0)
                lon_m, lat_m = moved_m(truck, to)
                truck.drives(lon_m, lat_m, kmh=random.uniform(20, 90))
            case "stray":
                away = random.choice([-1, 1]) * random.uniform(300, 1500)
                truck.drives(0, away).stands(random.randrange(0, 9)).drives(0, -away)
            case "stop":
                truck.stands(random.randrange(1, 20))
            case "drift":
                drifts(truck, random)
            case "silence":
                truck.is_silent(random.choice([100, 149, 150, 151, 600, 7200]))
            case "jump":
                for _ in range(random.randrange(1, 6)):
                    truck.is_seen(9000, random.uniform(-50, 50))
            case "datum":
                mixes_datums(truck, random)
            case "seal":
                truck.reports(Seal("ES-77020", random.choice(["locked", "cut", "low_battery"])))
                truck.reports(Gate("GATE", "1", "in", plate="苏E1289K"))
            case "bad":
                truck.is_seen(random.uniform(-3000, 3000), accuracy_m=400)
                truck.reports(Reading({"temperature_c": -18.5}))
            case "together":
                truck.is_seen(after_s=0).is_seen(700, after_s=0)
    return truck.observations or truck.is_seen().observations


def drifts(truck: Truck, random: Random) -> None:
    for _ in range(random.randrange(1, 30)):
        offset = random.gauss(0, 120), random.gauss(0, 120)
        truck.is_seen(*offset, accuracy_m=random.choice([None, 8, 25, 60, 99]))


def mixes_datums(truck: Truck, random: Random) -> None:
    """It stands, and some fixes lie where a Chinese map would draw it; half the time it really is there."""
    truck.stands(random.randrange(1, 9))
    there = wgs84_to_gcj02(truck.lon, truck.lat)
    east, north = moved_m(truck, there)
    for _ in range(random.choice([1, 2, 5, 30])):
        truck.is_seen(east, north + random.uniform(-40, 40), speed_mps=random.choice([None, 0.0]))
    if random.random() < 0.5:
        truck.lon, truck.lat = there
    truck.is_seen()


def moved_m(truck: Truck, to: tuple[float, float]) -> tuple[float, float]:
    east, north = moved(truck.lon, truck.lat, 1, 1)
    return (to[0] - truck.lon) / (east - truck.lon), (to[1] - truck.lat) / (north - truck.lat)


@st.composite
def arrivals(draw: st.DrawFn, observations: list[Observation]) -> list[list[Observation]]:
    """Batches in which a trace may arrive: shuffled near or far, some twice, a stretch at the very end."""
    random = Random(draw(st.integers(0, 2**32 - 1)))
    reach = draw(st.sampled_from([0, 3, 40, 10**6]))
    arriving = sorted(observations, key=lambda o: o.seq + random.uniform(0, reach))
    if draw(st.booleans()):
        first = random.randrange(len(arriving))
        held_back = arriving[first : first + random.randrange(1, 60)]
        arriving = arriving[:first] + arriving[first + len(held_back) :] + held_back
    for _ in range(draw(st.integers(0, 5))):
        arriving.insert(random.randrange(len(arriving) + 1), random.choice(arriving))
    batches, largest = [], draw(st.sampled_from([1, 4, 30, 1000]))
    while arriving:
        size = random.randrange(1, largest + 1)
        batches.append(arriving[:size])
        arriving = arriving[size:]
    return batches


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_arrival_ends_as_one_fold_in_order(data: st.DataObject) -> None:
    fleet = [data.draw(traces(), label=f"trace {i}") for i in range(data.draw(st.integers(1, 2)))]
    recorders = [Recorder(data.draw(st.sampled_from([1, 7, 50, 10_000]))) for _ in fleet]
    queues = [data.draw(arrivals(trace)) for trace in fleet]
    random = Random(data.draw(st.integers(0, 2**32 - 1)))
    eager = data.draw(st.sampled_from([0.0, 0.3, 1.0]), label="how eager re-folds and time are")
    while any(queues):
        batch = [
            (recorder, recorder.new(queue.pop(0)))
            for recorder, queue in zip(recorders, queues, strict=True)
            if queue
        ]
        work = [DeviceEvents(recorder.track, PROFILE, inline) for recorder, inline in batch]
        for (recorder, inline), folded in zip(batch, fold_batch(work, PLACES), strict=True):
            recorder.folded(folded.track, folded.milestones, len(inline))
        for recorder, _ in batch:
            if random.random() < eager:
                recorder.refold()
            if random.random() < eager:
                recorder.time_passes(START_US + random.randrange(0, 4 * 3600) * SECOND)
    for recorder, trace in zip(recorders, fleet, strict=True):
        recorder.time_passes(END_US)
        recorder.refold()
        milestones, track = in_order(trace)
        assert recorder.track == track
        assert recorder.track.encode() == track.encode()
        assert sorted_milestones(recorder.held.values()) == sorted_milestones(milestones)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_was_corrected_might_never_have_been_folded(data: st.DataObject) -> None:
    """In any order of arrivals, corrections, retractions, re-folds and the passing of time."""
    trace = data.draw(traces())
    recorder = Recorder(data.draw(st.sampled_from([1, 7, 50, 10_000])))
    random = Random(data.draw(st.integers(0, 2**32 - 1)))
    eager = data.draw(st.sampled_from([0.0, 0.3, 1.0]), label="how eager re-folds and time are")
    wrong = {observation.key for observation in trace if random.random() < random.choice([0.02, 0.5])}
    queue = data.draw(arrivals(trace))
    while queue or wrong - recorder.corrected.keys():
        inline = recorder.new(queue.pop(0) if queue else [])
        (folded,) = fold_batch([DeviceEvents(recorder.track, PROFILE, inline)], PLACES)
        recorder.folded(folded.track, folded.milestones, len(inline))
        for key in sorted(recorder.recorded):
            if key in recorder.corrected:
                if random.random() < (0.02 if key in wrong else 0.5):
                    recorder.retracts(key)
            elif random.random() < (0.3 if key in wrong else 0.01):
                recorder.corrects(key)
        if random.random() < eager:
            recorder.refold()
        if random.random() < eager:
            recorder.time_passes(START_US + random.randrange(0, 4 * 3600) * SECOND)
    for key in sorted(recorder.corrected.keys() - wrong):
        recorder.retracts(key)
    recorder.time_passes(END_US)
    recorder.refold()
    milestones, track = in_order([observation for observation in trace if observation.key not in wrong])
    assert recorder.track.encode() == track.encode()
    assert sorted_milestones(recorder.held.values()) == sorted_milestones(milestones)


@settings(max_examples=100, deadline=None)
@given(traces(), st.lists(st.integers(0, 10_000), max_size=6))
def test_time_that_passes_in_steps_is_time_that_passes_at_once(
    observations: list[Observation], steps: list[int]
) -> None:
    track = fold_batch([DeviceEvents(Track(), PROFILE, observations)], PLACES)[0].track
    at_once = advance(track, PROFILE, observations[-1].time_us + 10_000 * SECOND)
    milestones = []
    for step in [*sorted(steps), 10_000, 10_000]:
        passed = advance(track, PROFILE, observations[-1].time_us + step * SECOND)
        track = passed.track
        milestones += passed.milestones
    assert (track, milestones) == (at_once.track, at_once.milestones)


@settings(max_examples=100, deadline=None)
@given(traces(), st.data())
def test_a_snapshot_anywhere_holds_all_that_the_future_needs(
    observations: list[Observation], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(observations)))
    whole = fold_batch([DeviceEvents(Track(), PROFILE, observations)], PLACES)[0]
    half = fold_batch([DeviceEvents(Track(), PROFILE, observations[:at])], PLACES)[0]
    untouched = half.track.encode()
    rest = fold_batch([DeviceEvents(Track.decode(untouched), PROFILE, observations[at:])], PLACES)[0]
    again = fold_batch([DeviceEvents(half.track, PROFILE, observations[at:])], PLACES)[0]
    assert half.track.encode() == untouched
    assert rest.track == again.track == whole.track
    assert half.milestones + rest.milestones == whole.milestones
    assert all(m.at <= half.track.head for m in half.milestones)
    assert all(m.at > half.track.head for m in rest.milestones)


def test_the_traces_are_not_hollow() -> None:
    """What the other tests compare holds every kind of milestone that positions and time can bring."""
    kinds: set[str] = set()

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(traces())
    def gather(observations: list[Observation]) -> None:
        kinds.update(m.kind for m in in_order(observations)[0])

    gather()
    wanted = {"entered", "left", "strayed", "returned", "crossed", "stopped", "moved", "silent", "heard"}
    wanted |= {"jumped", "jump_settled", "datum_suspected", "datum_undetermined", "datum_cleared"}
    assert kinds >= wanted | {"seal_locked", "seal_cut", "passed_gate"}
