"""B4 and B9: what the weighbridge says."""

from __future__ import annotations

import pytest

from devices.observation import Direction
from tests.support.gate_yard import GateYard, PassType
from tests.support.yard import PVG_TO_SIP, clock, over


@pytest.fixture
def yard() -> GateYard:
    yard = GateYard()
    yard.holds("S-1", PVG_TO_SIP, since="06:00")
    return yard


def with_(yard: GateYard, code: str, **values: object) -> None:
    yard.holds("S-1", {**PVG_TO_SIP, "rules": {code: {"parameters": values}}}, since="06:00")


# ---- B4 gate_weight_mismatch


@pytest.mark.parametrize(
    ("declared", "measured", "said"),
    [
        (41_200, 41_060, None),
        (33_480, 32_050, "major"),
        (33_480, 34_910, "major"),
        (40_000, 38_800, None),  # just 3 %
        (40_000, 38_799, "major"),
        (3_000, 3_200, None),  # just 200 kg, more than 3 %
        (3_000, 3_201, "major"),
        (41_200, 0, "undetermined"),
        (41_200, None, "undetermined"),
        (None, 41_060, None),
        (None, None, None),
        (0, 41_060, None),
    ],
)
def test_the_weighbridge(yard: GateYard, declared: float | None, measured: float | None, said: str | None):
    yard.files_pass(total_kg=declared)
    yard.at_gate(at="11:16", weight_kg=measured)
    yard.expect_at_gates(**({} if said is None else {"gate_weight_mismatch": said}))


def test_without_a_total_the_parts_are_added(yard: GateYard):
    yard.files_pass(vehicle_kg=9_000, frame_kg=6_300, container_kg=4_700, gross_kg=21_200)
    yard.at_gate(at="11:16", weight_kg=39_000)
    yard.expect_at_gates(gate_weight_mismatch="major")
    numbers = yard.finding("gate_weight_mismatch").verdict.evidence
    assert {"measured_kg": 39_000, "declared_kg": 41_200} in numbers


def test_a_weight_with_the_next_reading_resolves_it(yard: GateYard):
    yard.files_pass(total_kg=41_200)
    yard.at_gate(at="11:16:00")
    yard.expect_at_gates(gate_weight_mismatch="undetermined")
    yard.at_gate(at="11:16:45", weight_kg=41_060)
    yard.expect_at_gates()


def test_it_closes_when_the_second_gate_finds_nothing_wrong(yard: GateYard):
    yard.files_pass(total_kg=41_200, two_gates=True)
    yard.at_gate("G-SIPE-N1", at="11:16", weight_kg=45_000)
    yard.at_gate("G-SIPE-S1", at="11:50", weight_kg=41_060, direction=Direction.IN)
    assert over(yard.finding("gate_weight_mismatch")) == (clock("11:16"), clock("11:50"))


def test_it_closes_when_an_officer_lets_it_through(yard: GateYard):
    yard.files_pass(total_kg=41_200)
    report = yard.at_gate(at="11:16", weight_kg=45_000)
    assert over(yard.finding("gate_weight_mismatch")) == (clock("11:16"), None)
    yard.overrides(report, "open", at="11:25")
    assert over(yard.finding("gate_weight_mismatch")) == (clock("11:16"), clock("11:25"))


def test_another_vehicle_s_weight_is_not_compared(yard: GateYard):
    yard.files_pass(total_kg=41_200)
    yard.at_gate(plate="沪BD818N", at="11:16", weight_kg=20_000, pass_number="Z-1")
    yard.expect_at_gates(wrong_vehicle_at_gate="critical")


def test_a_second_try_is_not_compared_either(yard: GateYard):
    yard.files_pass(total_kg=41_200)
    yard.at_gate(at="11:16", weight_kg=41_200, pass_number="Z-1")
    yard.at_gate(at="15:00", weight_kg=16_000, pass_number="Z-1")
    yard.expect_at_gates(pass_reused="critical")


def test_the_tolerances_are_parameters(yard: GateYard):
    yard.files_pass(total_kg=33_480)
    yard.at_gate(at="11:16", weight_kg=32_050)
    with_(yard, "gate_weight_mismatch", tol_pct=5)
    yard.expect_at_gates()
    with_(yard, "gate_weight_mismatch", tol_pct=1, tol_kg_min=1_500)
    yard.expect_at_gates()


# ---- B9 empty_truck_not_empty


@pytest.mark.parametrize(
    ("measured", "said"),
    [(15_300, None), (15_600, None), (15_601, "critical"), (9_000, None), (0, "undetermined")],
)
def test_an_empty_vehicle(yard: GateYard, measured: float, said: str | None):
    yard.files_pass(type=PassType.EMPTY_VEHICLE, vehicle_kg=9_000, frame_kg=6_300, total_kg=15_300)
    yard.at_gate(at="11:16", weight_kg=measured)
    yard.expect_at_gates(**({} if said is None else {"empty_truck_not_empty": said}))


def test_other_passes_are_for_loaded_vehicles(yard: GateYard):
    yard.files_pass(type=PassType.SECOND_LINE, vehicle_kg=9_000, frame_kg=6_300)
    yard.at_gate(at="11:16", weight_kg=30_000)
    yard.expect_at_gates()


def test_the_empty_tolerance_is_a_parameter(yard: GateYard):
    yard.files_pass(type=PassType.EMPTY_VEHICLE, vehicle_kg=9_000)
    yard.at_gate(at="11:16", weight_kg=9_400)
    yard.expect_at_gates(empty_truck_not_empty="critical")
    with_(yard, "empty_truck_not_empty", tol_kg=500)
    yard.expect_at_gates()


def test_it_closes_when_an_officer_has_looked_inside(yard: GateYard):
    yard.files_pass(type=PassType.EMPTY_VEHICLE, vehicle_kg=9_000)
    report = yard.at_gate(at="11:16", weight_kg=20_000)
    yard.overrides(report, "open", at="11:50")
    assert over(yard.finding("empty_truck_not_empty")) == (clock("11:16"), clock("11:50"))
