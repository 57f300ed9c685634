"""Levels: a reading that crosses one is told, once, whatever the batching; the rest is silence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.observation import BATTERY, Observation, Position, Reading, Status
from tests.support.traces import SECOND, START_US
from tracking.domain.custody.excursions import Band
from tracking.domain.custody.held import TEMPERATURE
from tracking.domain.custody.levels import BUILT_IN, SIMPLE, of_terms
from tracking.domain.custody.rules import RULES
from tracking.domain.custody.rules.cold_excursion import ExcursionLimits, band_of
from tracking.domain.custody.terms import Limit, parse
from tracking.domain.places import PlaceIndex
from tracking.domain.tracks import (
    DEFAULTS,
    DeviceEvents,
    Level,
    Levels,
    Milestone,
    Profile,
    Track,
    Window,
    fold_batch,
    refold,
)

NOWHERE = PlaceIndex([])
PROFILE = Profile(86_400)
AT_8 = Levels([Level("temperature_c", 8.0)])


def minute(number: int) -> int:
    return START_US + number * 60 * SECOND


def readings(*values: float | dict[str, Any], first: int = 0) -> list[Observation]:
    """A reading each minute; a bare number is a temperature."""
    return [
        Observation(
            1,
            first + place + 1,
            minute(first + place),
            Reading(value if isinstance(value, dict) else {"temperature_c": value}),
            b"{}",
        )
        for place, value in enumerate(values)
    ]


def folded(observations: list[Observation], levels: Levels = AT_8, track: Track | None = None) -> Any:
    return fold_batch([DeviceEvents(track or Track(), PROFILE, observations)], NOWHERE, DEFAULTS, levels)[0]


def crossings(milestones: list[Milestone]) -> list[tuple[int, float | None, bool | None]]:
    """Minute, level and direction of each that isn't a first reading."""
    return [
        ((m.time_us - START_US) // (60 * SECOND), m.detail["level"], m.detail["above"])
        for m in milestones
        if m.detail["before"] is not None
    ]


class TestCrossing:
    """When something is told."""

    def test_the_charge_of_a_status_counts_like_a_reading(self) -> None:
        said = [
            Observation(1, place + 1, minute(place), fact, b"{}")
            for place, fact in enumerate(
                (Status(battery_pct=50), Status(), Reading({BATTERY: 31}), Status(battery_pct=19, queued=3))
            )
        ]
        result = folded(said, Levels([Level(BATTERY, 20.0)]))
        assert crossings(result.milestones) == [(3, 20.0, False)]
        assert result.track.values == {BATTERY: 19.0}

    def test_above_and_below(self) -> None:
        told = folded(readings(5.0, 7.0, 9.0, 12.0, 7.9, 2.0)).milestones
        assert crossings(told) == [(2, 8.0, True), (4, 8.0, False)]
        assert told[1].detail == {
            "key": [minute(2), 1, 3], "quantity": "temperature_c", "value": 9.0, "before": 7.0, "level": 8.0,
            "above": True,
        }  # fmt: skip
        assert (told[1].kind, told[1].area, told[1].at) == ("level_crossed", None, (minute(2), 1, 3))

    def test_the_first_reading_is_told(self) -> None:
        (first,) = folded(readings(41.0)).milestones
        assert (first.detail["before"], first.detail["level"]) == (None, None)

    def test_on_the_level_is_a_side_of_its_own(self) -> None:
        assert crossings(folded(readings(7.0, 8.0, 8.0, 7.0, 9.0, 8.0, 9.0)).milestones) == [
            (1, 8.0, False), (3, 8.0, False), (4, 8.0, True), (5, 8.0, False), (6, 8.0, True)
        ]  # fmt: skip

    def test_several_at_once_are_told_once_with_the_last(self) -> None:
        levels = Levels([Level("temperature_c", value) for value in (2.0, 4.0, 8.0)])
        assert crossings(folded(readings(1.0, 9.0, 3.0), levels).milestones) == [
            (1, 8.0, True), (2, 4.0, False)
        ]  # fmt: skip

    def test_each_quantity_has_its_own(self) -> None:
        levels = Levels([Level("door_open", 0.5), Level("temperature_c", 8.0)])
        told = folded(
            readings(
                {"door_open": False, "temperature_c": 5.0, "humidity_pct": 50.0},
                {"door_open": True, "temperature_c": 9.0},
                {"door_open": True},
                {"temperature_c": 9.0, "door_open": False},
            ),
            levels,
        ).milestones
        assert [(m.detail["quantity"], m.detail["value"]) for m in told] == [
            ("door_open", 0.0), ("temperature_c", 5.0), ("door_open", 1.0), ("temperature_c", 9.0),
            ("door_open", 0.0),
        ]  # fmt: skip

    def test_what_has_no_level_is_neither_told_nor_remembered(self) -> None:
        result = folded(readings({"shock_g": 3.0}, {"shock_g": 0.0}))
        assert (result.milestones, result.track.values) == ([], {})
        assert folded([Observation(1, 1, START_US, Position(120.7, 31.3), b"{}")]).track.values == {}

    def test_sums_of_decimals_are_the_decimals_they_mean(self) -> None:
        levels = Levels([Level("temperature_c", 0.1 + 0.2)])
        assert crossings(folded(readings(0.3, 0.3, 0.4), levels).milestones) == [(2, 0.3, True)]


class TestSince:
    """A level matters from a moment on."""

    LATER = Levels([Level("temperature_c", 8.0, minute(3))])

    def test_before_it_nothing_is_told(self) -> None:
        result = folded(readings(5.0, 9.0, 5.0), self.LATER)
        assert (result.milestones, result.track.values) == ([], {})
        assert crossings(folded(readings(5.0, 9.0, 5.0, 9.0, 5.0), self.LATER).milestones) == [
            (4, 8.0, False)
        ]

    def test_the_last_value_from_before_it_counts_where_another_level_remembered_it(self) -> None:
        levels = Levels([Level("temperature_c", 8.0, minute(3)), Level("temperature_c", -18.0)])
        assert crossings(folded(readings(5.0, 6.0, 7.0, 9.0), levels).milestones) == [(3, 8.0, True)]

    def test_of_one_value_the_older_counts(self) -> None:
        levels = [Level("temperature_c", 8.0, minute(3)), Level("temperature_c", 8.0, minute(1))]
        assert Levels(levels) == Levels(reversed(levels)) == Levels(levels[1:])
        assert Levels(levels) != Levels(levels[:1])


class TestFold:
    """Equal states have equal futures."""

    @given(
        st.lists(st.floats(-30, 30).map(lambda value: round(value * 2) / 2), min_size=1, max_size=30),
        st.integers(0, 30),
    )
    def test_batching_changes_nothing(self, values: list[float], at: int) -> None:
        levels = Levels(BUILT_IN)
        observations = readings(*values)
        whole = folded(observations, levels)
        half = folded(observations[:at], levels)
        rest = folded(observations[at:], levels, Track.decode(half.track.encode()))
        assert rest.track == whole.track
        assert rest.track.encode() == whole.track.encode()
        assert half.milestones + rest.milestones == whole.milestones

    @given(st.lists(st.sampled_from([5.0, 7.8, 8.0, 8.2, 9.0]), min_size=2, max_size=12), st.data())
    def test_a_late_reading_is_folded_in(self, values: list[float], data: st.DataObject) -> None:
        observations = readings(*values)
        late = data.draw(st.integers(0, len(values) - 1))
        known = folded([o for o in observations if o is not observations[late]])
        held = list(enumerate(known.milestones))
        done = refold(
            Track(),
            PROFILE,
            [Window(observations, held, known.track, is_head=True)],
            NOWHERE,
            through=observations[late].key,
            until_us=minute(20),
            snapshot_every=1000,
            levels=AT_8,
        )
        whole = folded(observations)
        kept = [milestone for identity, milestone in held if identity not in done.supersede]
        assert sorted(kept + done.add, key=lambda m: m.at) == whole.milestones
        assert (done.track or known.track) == whole.track

    def test_a_copy_has_its_own_values(self) -> None:
        track = folded(readings(5.0)).track
        folded(readings(9.0, first=1), AT_8, track)
        assert track.values == {"temperature_c": 5.0}


class TestOfTerms:
    """What custody asks for."""

    def terms(self, rules: dict[str, Any] | None = None, **limits: Any) -> set[tuple[str, float]]:
        leg = {"type": "stay", "zones": ["COLD01"], "limits": limits}
        return {
            (level.quantity, level.value)
            for level in of_terms(parse({"legs": [leg], "rules": rules or {}}), minute(0))
        }

    def test_a_profile_is_built_in(self) -> None:
        assert self.terms(temperature_c={"profile": "pharma_2_8"}) == set()
        assert self.terms(temperature_c={"high": -18}) == set()
        assert self.terms() == set()

    def test_a_limit_of_ones_own_with_its_tolerances(self) -> None:
        assert self.terms(temperature_c={"high": -20}) == {
            ("temperature_c", value) for value in (-19.5, -20.5, -15.0)
        }

    def test_overridden_parameters(self) -> None:
        changed = {"temp_excursion": {"parameters": {"sensor_err_c": 1, "major_c": 2}}}
        assert self.terms(changed, temperature_c={"high": -20}) == {
            ("temperature_c", value) for value in (-19.0, -20.5, -18.0)
        }
        assert self.terms({"humidity_excursion": {"parameters": {"high": 60}}}) == {
            ("humidity_pct", value) for value in (58.0, 60.0)
        }

    def test_other_quantities_at_their_limits(self) -> None:
        assert self.terms(shock_g={"high": 3}) == {("shock_g", 3.0)}

    def test_parameters_that_are_levels(self) -> None:
        assert self.terms({"unauthorised_stop": {"parameters": {"lux": 50}}}) == {("light_lux", 50.0)}
        for (code, parameter), quantity in SIMPLE.items():
            value = getattr(RULES[code].limits, parameter)
            assert Level(quantity, value) in BUILT_IN, code

    def test_a_charge_has_two_levels_where_it_is_low_and_where_it_is_so_no_longer(self) -> None:
        assert {level.value for level in BUILT_IN if level.quantity == BATTERY} == {20.0, 23.0}
        limits = {"pct": 30, "hysteresis_pct": 5}
        assert self.terms({"seal_battery_low": {"parameters": limits}}) == {(BATTERY, 30.0), (BATTERY, 35.0)}

    @given(
        st.floats(-25, 15).map(lambda value: round(value, 1)),
        st.lists(st.floats(-30, 30).map(lambda value: round(value, 1)), min_size=2, max_size=20),
    )
    def test_whenever_a_band_changes_its_mind_something_is_told(
        self, high: float, values: list[float]
    ) -> None:
        limit = Limit(high=high, low=high - 6)
        body = {
            "legs": [
                {"type": "stay", "zones": ["Z"], "limits": {"temperature_c": {"low": high - 6, "high": high}}}
            ]
        }
        levels = Levels([*BUILT_IN, *of_terms(parse(body), minute(0))])
        band = band_of(limit, ExcursionLimits())
        told = {(m.time_us - START_US) // (60 * SECOND) for m in folded(readings(*values), levels).milestones}
        for place in range(1, len(values)):
            if self.opinion(band, values[place - 1]) != self.opinion(band, values[place]):
                assert place in told

    def opinion(self, band: Band, value: float) -> tuple[bool, bool, bool]:
        return band.is_out(value), band.is_back(value), band.beyond(value) > 5 + 1e-9

    def test_the_temperature_is_the_quantity_of_all_profiles(self) -> None:
        assert {level.quantity for level in BUILT_IN} >= {TEMPERATURE, "door_open", "light_lux", "defrost"}


@pytest.mark.parametrize("quantity", ["door_open", "defrost", "power_on", "mains_on"])
def test_flags_are_built_in(quantity: str) -> None:
    told = folded(
        readings({quantity: False}, {quantity: True}, {quantity: True}, {quantity: False}), Levels(BUILT_IN)
    )
    assert [above for _, _, above in crossings(told.milestones)] == [True, False]
