"""The load's intended moments and events: fixed beforehand, complete, in order, fit for the gateway."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from devices.codecs.native import decode
from devices.observation import Datum, Observation
from simulators.load_probes import turns_s
from simulators.load_schedule import PROFILES, Events, Profile, Schedule


def moments(schedule: Schedule) -> list[float]:
    return [schedule.moment_s(number) for number in range(schedule.publishes)]


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("processes", [1, 3])
def test_the_processes_together_send_exactly_the_load(profile: Profile, processes: int) -> None:
    shares = [moments(Schedule(70, 10, profile, index=index, of=processes)) for index in range(processes)]
    everything = sorted(moment for share in shares for moment in share)
    assert len(everything) == 700
    assert everything[0] == 0
    assert everything[-1] < 10
    assert everything == pytest.approx(moments(Schedule(70, 10, profile)))
    for share in shares:
        assert share == sorted(share)


def test_a_steady_rate_is_even() -> None:
    found = moments(Schedule(100, 5, Profile.MIXED))
    gaps = {round(after - before, 6) for before, after in pairwise(found)}
    assert gaps == {0.01}


def test_bursts_are_three_times_the_rate_and_the_mean_stays() -> None:
    by_second = Counter(int(moment) for moment in moments(Schedule(100, 10, Profile.BURST)))
    assert [by_second[second] for second in range(10)] == pytest.approx([300, 50, 50, 50, 50] * 2, abs=1)


@pytest.mark.parametrize("profile", list(Profile))
def test_every_event_is_one_that_the_gateway_takes(profile: Profile) -> None:
    kinds: Counter[str] = Counter()
    for number in range(40):
        events = Events(number, 7, profile)
        payload = events.payload(11, [1_700_000_000_000 + 100 * at for at in range(10)])
        decoded = decode(payload, Datum.WGS84)
        assert all(isinstance(event, Observation) for event in decoded), decoded
        assert [event.seq for event in decoded] == list(range(11, 21))
        assert {event.run for event in decoded} == {7}
        kinds[type(decoded[0].fact).__name__] += 1
    if profile is Profile.POSITIONS:
        assert kinds == {"Position": 40}
    elif profile is Profile.SCANS:
        assert kinds == {"Scan": 40}
    else:
        assert kinds == {"Position": 30, "Reading": 6, "Scan": 4}


def test_one_event_is_no_array() -> None:
    assert Events(0, 7, Profile.POSITIONS).payload(1, [1]).startswith(b'{"run":7,"seq":1,"time":1,')


def test_every_profile_is_explained() -> None:
    assert set(PROFILES) == set(Profile)


def test_seals_are_cut_so_many_at_a_time_and_each_for_a_minute() -> None:
    assert turns_s(0, 3600) == []
    assert turns_s(4, 30) == [1.0, 1.5, 2.0, 2.5]
    hour = turns_s(4, 3600)
    assert len(hour) == 4 * 60
    assert hour[4:6] == [61.0, 61.5]
