"""Every parameter of family F makes the difference that it says it makes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from devices.observation import Action, Scan
from tests.support.yard import Truck, Yard, clock

BOX = "BNDU1000073"
TEMPERATURE = "temperature_c"


def yard_of(
    rule: str, parameters: dict[str, Any], limits: dict[str, Any] | None = None
) -> tuple[Yard, Truck]:
    """A box and its probe in the cold store since 12:00, under terms that set a rule's parameters."""
    yard = Yard()
    leg = {"type": "stay", "zones": ["COLD01"], "limits": limits or {TEMPERATURE: {"low": 0, "high": 10}}}
    terms = {"legs": [leg], "rules": {rule: {"parameters": parameters}}}
    yard.truck("CT-1", terms=terms, thing=BOX, every_s=86_400).enters("COLD01", at="12:00")
    return yard, yard.truck("T-41", role="sensor", kind="sensor", thing=BOX, begins="12:00")


def opened(yard: Yard, rule: str, until: str) -> list[datetime]:
    return [finding.verdict.opened_at for finding in yard.findings(until=until, rule=rule)]


def severities(yard: Yard, rule: str, until: str) -> list[str]:
    return [finding.verdict.severity.value for finding in yard.findings(until=until, rule=rule)]


class TestExcursion:
    """temp_excursion."""

    @pytest.mark.parametrize(("given", "ends"), [({}, "12:31"), ({"hysteresis_c": 3}, "12:33")])
    def test_hysteresis_c(self, given: dict[str, Any], ends: str) -> None:
        yard, probe = yard_of("temp_excursion", given)
        probe.measures_along(TEMPERATURE, ("12:01", 12.0), ("12:30", 12.0), ("12:31", 9.0), ("12:33", 7.0))
        (finding,) = yard.findings(until="12:40", rule="temp_excursion")
        assert finding.verdict.closed_at == clock(ends)

    @pytest.mark.parametrize(
        ("given", "opens"), [({}, ["12:31"]), ({"return_air_defrost_min": 5}, ["12:11"])]
    )
    def test_return_air_defrost_min(self, given: dict[str, Any], opens: list[str]) -> None:
        yard, probe = yard_of("temp_excursion", given)
        probe.measures("defrost", 1, at="12:00").measures_along(TEMPERATURE, ("12:01", 12.0), ("12:50", 12.0))
        assert opened(yard, "temp_excursion", "12:50") == [clock(at) for at in opens]

    @pytest.mark.parametrize(
        ("given", "severity"), [({}, "minor"), ({"major_min": 30}, "major"), ({"major_c": 1}, "major")]
    )
    def test_major_min_and_major_c(self, given: dict[str, Any], severity: str) -> None:
        yard, probe = yard_of("temp_excursion", given)
        probe.measures_along(TEMPERATURE, ("12:01", 12.0), ("12:40", 12.0))
        assert severities(yard, "temp_excursion", "12:40") == [severity]

    @pytest.mark.parametrize(("given", "closings"), [({}, 0), ({"spike_c": 20}, 1), ({"spike_s": 30}, 1)])
    def test_spike_c_and_spike_s(self, given: dict[str, Any], closings: int) -> None:
        yard, probe = yard_of("temp_excursion", given)
        probe.measures_along(TEMPERATURE, ("12:01", 14.9), ("12:30", 14.9)).measures(
            TEMPERATURE, 2.0, at="12:31"
        )
        probe.measures_along(TEMPERATURE, ("12:32", 14.9), ("12:35", 14.9))
        found = yard.findings(until="12:35", rule="temp_excursion")
        assert sum(finding.verdict.closed_at is not None for finding in found) == closings

    @pytest.mark.parametrize(("given", "opens"), [({}, "13:00"), ({"unmeasured_min": 20}, "12:20")])
    def test_unmeasured_min(self, given: dict[str, Any], opens: str) -> None:
        yard, _ = yard_of("temp_excursion", given)
        assert opened(yard, "temp_excursion", "14:00") == [clock(opens)]

    @pytest.mark.parametrize(
        ("given", "found"), [({}, 0), ({"low": 5}, 1), ({"high": 3}, 1), ({"low": 5, "delay_min": 50}, 0)]
    )
    def test_low_high_and_delay_min(self, given: dict[str, Any], found: int) -> None:
        limits = {TEMPERATURE: {"profile": "other", "mean_kinetic_c": 30}}
        yard, probe = yard_of("temp_excursion", given, limits)
        probe.measures_along(TEMPERATURE, ("12:01", 4.0), ("12:40", 4.0))
        assert len(opened(yard, "temp_excursion", "12:40")) == found


class TestHandling:
    """temp_rise_on_handover."""

    @pytest.mark.parametrize(
        ("given", "found"), [({}, 1), ({"max_rise_c": 5}, 0), ({"within_min": 5}, 0), ({"known_min": 5}, 0)]
    )
    def test_each(self, given: dict[str, Any], found: int) -> None:
        yard, probe = yard_of("temp_rise_on_handover", given)
        yard.hears(Scan(code=BOX, action=Action.UNLOADING), at="12:20")
        probe.measures(TEMPERATURE, 2.0, at="12:10").measures(TEMPERATURE, 6.0, at="12:30")
        assert len(opened(yard, "temp_rise_on_handover", "12:40")) == found


class TestSampling:
    """cold_sampling_gap."""

    @pytest.mark.parametrize(
        ("given", "severity"), [({}, "info"), ({"storage_min": 10}, "major"), ({"major_factor": 1}, "major")]
    )
    def test_storage_min_and_major_factor(self, given: dict[str, Any], severity: str) -> None:
        yard, probe = yard_of("cold_sampling_gap", given)
        probe.measures(TEMPERATURE, 2.0, at="12:10")
        assert severities(yard, "cold_sampling_gap", "12:45") == [severity]


class TestDoors:
    """door_open_warming."""

    @pytest.mark.parametrize(
        ("given", "opens"),
        [
            ({}, ["12:17"]),
            ({"door_open_min": 10}, ["12:22"]),
            ({"slope_c_per_min": 0.5}, ["12:22"]),
            ({"slope_c_per_min": 0.5, "watch_min": 5}, []),
        ],
    )
    def test_each(self, given: dict[str, Any], opens: list[str]) -> None:
        yard, probe = yard_of("door_open_warming", given)
        probe.measures("door_open", 1, at="12:12")
        probe.measures_along(TEMPERATURE, ("12:10", 1.0), ("12:12", 1.0), ("12:17", 2.5), ("12:30", 9.0))
        assert opened(yard, "door_open_warming", "12:30") == [clock(at) for at in opens]

    def test_what_explains_an_excursion_is_judged_by_the_same_parameters(self) -> None:
        for parameters, is_explained in (({}, True), ({"slope_c_per_min": 9}, False)):
            yard, probe = yard_of("door_open_warming", parameters)
            probe.measures("door_open", 1, at="12:12")
            probe.measures_along(TEMPERATURE, ("12:10", 5.0), ("12:20", 12.0), ("12:40", 14.0))
            (finding,) = yard.findings(until="12:40", rule="temp_excursion")
            assert any("caused_by" in piece for piece in finding.verdict.evidence) == is_explained


class TestRest:
    """power_loss, mkt_report, calibration_due, humidity_excursion."""

    @pytest.mark.parametrize(("given", "opens"), [({}, "12:20"), ({"delay_min": 3}, "12:13")])
    def test_power(self, given: dict[str, Any], opens: str) -> None:
        yard, probe = yard_of("power_loss", given)
        probe.measures("power_on", 0, at="12:10").measures(TEMPERATURE, 4.0, at="12:10")
        assert opened(yard, "power_loss", "12:30") == [clock(opens)]

    @pytest.mark.parametrize(
        ("given", "opens"),
        [({}, []), ({"limit_c": 3}, ["+1 12:00"]), ({"limit_c": 3, "window_h": 2}, ["14:00"])],
    )
    def test_mean_kinetic(self, given: dict[str, Any], opens: list[str]) -> None:
        yard, probe = yard_of("mkt_report", given)
        probe.measures_along(TEMPERATURE, ("12:01", 4.0), ("+1 12:00", 4.0))
        assert opened(yard, "mkt_report", "+1 12:00") == [clock(at) for at in opens]

    @pytest.mark.parametrize(("given", "found"), [({}, 1), ({"days": 400}, 0)])
    def test_calibration(self, given: dict[str, Any], found: int) -> None:
        yard, probe = yard_of("calibration_due", given)
        probe.was_calibrated(days_ago=370)
        assert len(opened(yard, "calibration_due", "12:30")) == found

    @pytest.mark.parametrize(
        ("given", "times"),
        [
            ({}, [("12:11", "12:31")]),
            ({"high": 90}, []),
            ({"delay_min": 20}, [("12:21", "12:31")]),
            ({"hysteresis_pct": 10}, [("12:11", None)]),
            ({"low": 72, "high": 100, "delay_min": 5}, [("12:36", None)]),
        ],
    )
    def test_humidity(self, given: dict[str, Any], times: list[tuple[str, str | None]]) -> None:
        yard, probe = yard_of("humidity_excursion", given, {TEMPERATURE: {"profile": "pharma_crt"}})
        probe.measures_along(TEMPERATURE, ("12:01", 20.0), ("12:40", 20.0))
        probe.measures_along(
            "humidity_pct", ("12:01", 80.0), ("12:30", 80.0), ("12:31", 70.0), ("12:40", 70.0)
        )
        found = yard.findings(until="12:40", rule="humidity_excursion")
        assert [(f.verdict.opened_at, f.verdict.closed_at) for f in found] == [
            (clock(begins), clock(ends) if ends else None) for begins, ends in times
        ]

    @pytest.mark.parametrize(
        ("given", "is_split"), [({}, False), ({"spike_pct": 60}, True), ({"spike_s": 30}, True)]
    )
    def test_a_spike_of_humidity(self, given: dict[str, Any], is_split: bool) -> None:
        yard, probe = yard_of("humidity_excursion", given, {TEMPERATURE: {"profile": "pharma_crt"}})
        probe.measures_along(TEMPERATURE, ("12:01", 20.0), ("12:40", 20.0))
        probe.measures_along("humidity_pct", ("12:01", 90.0), ("12:20", 90.0)).measures(
            "humidity_pct", 50.0, at="12:21"
        )
        probe.measures_along("humidity_pct", ("12:22", 90.0), ("12:30", 90.0))
        (finding,) = yard.findings(until="12:30", rule="humidity_excursion")
        assert (finding.verdict.closed_at is not None) == is_split
