"""Light behind a locked seal, and what makes a swap suspected (C6, C7): S5 and what lies around it."""

from __future__ import annotations

from typing import Any

import pytest

from devices.observation import Direction, Gate, SealState
from tests.support.seals import BOX, of_seals, says
from tests.support.yard import PVG_TO_SIP, Truck, Yard, clock, on_its_way, over
from tracking.domain.custody.documents import Binding, GatePass, PassType
from tracking.domain.custody.verdicts import Finding

LOCKED, UNLOCKED = SealState.LOCKED, SealState.UNLOCKED
OTHER_BOX, PLATE = "BNDU1000010", "沪BD9031"
END = "22:59"
"""The seal is heard until then."""


@pytest.fixture
def yard() -> Yard:
    yard = Yard()
    yard.holds_goods(BOX)
    return yard


def sealed(yard: Yard) -> Truck:
    """The e-seal, which speaks every minute until the night is over."""
    says(yard, LOCKED, "08:30")
    return yard.truck("ES-1", role="seal", kind="seal", thing=BOX).reports(at=END)


def sensor(yard: Yard, thing: str = BOX, name: str = "L-1") -> Truck:
    return yard.truck(name, role="sensor", kind="sensor", thing=thing)


def gate(yard: Yard, kg: float | None, at: str, *, box: str = BOX, plate: str = PLATE) -> None:
    passage = Gate("G-SIPE-N1", "1", Direction.IN, plate=plate, containers=[box], weight_kg=kg)
    yard.hears(passage, at=at, device="SIP/G-SIPE-N1", kind="gate", things=[PLATE, box])


def suspicion(yard: Yard, until: str = END) -> Finding:
    return yard.finding("swap_suspected", until=until)


def components(finding: Finding) -> set[str]:
    return {piece["component"] for piece in finding.verdict.evidence[0]["components"]}


# ---- C6 door_or_light_while_sealed


def test_light_behind_a_locked_seal_is_critical_from_its_first_value_on(yard):
    on_its_way(yard)
    sealed(yard)
    light = sensor(yard).measures("light_lux", 0, at="09:00").measures("light_lux", 240, at="09:09")
    assert of_seals(yard, "09:09:19") == {}
    assert yard.judged(until="09:09:05").next_due == clock("09:09:20")
    finding = yard.finding("door_or_light_while_sealed", until="09:09:20")
    assert over(finding) == (clock("09:09"), None)
    light.measures("light_lux", 310, at="09:12").measures("light_lux", 0, at="09:15")
    finding = yard.finding("door_or_light_while_sealed")
    assert over(finding) == (clock("09:09"), clock("09:15"))
    assert finding.verdict.cause == "ES-1"
    assert [piece.get("value") for piece in finding.verdict.evidence] == [240, 310, 0, None]
    assert "cut" not in str(finding.verdict)
    assert of_seals(yard, END) == {"door_or_light_while_sealed": "critical"}


def test_a_door_counts_as_light_does_and_both_are_one_finding(yard):
    on_its_way(yard)
    sealed(yard)
    sensor(yard).measures("door_open", 1, at="09:09").measures("door_open", 0, at="09:12")
    sensor(yard, name="L-2").measures("light_lux", 50, at="09:11").measures("light_lux", 1, at="09:14")
    assert over(yard.finding("door_or_light_while_sealed")) == (clock("09:09"), clock("09:14"))


def test_twenty_seconds_exactly_count_and_less_does_not(yard):
    on_its_way(yard)
    sealed(yard)
    light = sensor(yard).measures("light_lux", 240, at="09:09").measures("light_lux", 10, at="09:09:19")
    assert of_seals(yard, END) == {}
    light.measures("light_lux", 240, at="09:20").measures("light_lux", 10, at="09:20:20")
    assert over(yard.finding("door_or_light_while_sealed")) == (clock("09:20"), clock("09:20:20"))


def test_no_seal_an_open_one_or_no_leg_is_no_breach(yard):
    truck = on_its_way(yard).enters("SIPCBZ-E", at="11:00").leaves("SIPCBZ-E", at="12:00")
    sensor(yard).measures("light_lux", 240, at="09:09").measures("light_lux", 0, at="09:15")
    assert of_seals(yard, END) == {}
    says(yard, LOCKED, "12:10")
    sensor(yard, name="L-2").measures("light_lux", 240, at="12:11").measures("light_lux", 0, at="12:12")
    assert of_seals(yard, END) == {}
    assert truck.ends is None


def test_a_door_that_was_open_before_the_locking_counts_from_its_next_word(yard):
    on_its_way(yard)
    door = sensor(yard).measures("door_open", 1, at="08:29")
    sealed(yard)
    door.measures("door_open", 0, at="08:31")
    assert of_seals(yard, END) == {}
    other = Yard()
    on_its_way(other)
    door = sensor(other).measures("door_open", 1, at="08:29").measures("door_open", 1, at="08:31")
    sealed(other)
    assert over(other.finding("door_or_light_while_sealed")) == (clock("08:31"), None)


def test_only_what_is_behind_the_seal_counts(yard):
    yard.holds_goods("COLD-ROOM", is_goods=False)
    on_its_way(yard)
    sealed(yard)
    for number, thing in enumerate((OTHER_BOX, PLATE, "urn:bondwatch:asset:COLD01")):
        light = sensor(yard, thing, f"L-{number}").measures("light_lux", 240, at="09:09")
        light.measures("light_lux", 0, at="09:20")
    assert of_seals(yard, END) == {}
    sensor(yard, "P-001734", "L-9").measures("light_lux", 240, at="09:09")  # within the box
    assert of_seals(yard, END) == {"door_or_light_while_sealed": "critical"}


def test_opening_the_seal_ends_it(yard):
    on_its_way(yard)
    sealed(yard)
    sensor(yard).measures("light_lux", 240, at="09:09")
    says(yard, UNLOCKED, "09:30")
    assert over(yard.finding("door_or_light_while_sealed")) == (clock("09:09"), clock("09:30"))
    assert of_seals(yard, END) == {
        "door_or_light_while_sealed": "critical",
        "seal_broken_in_transit": "critical",
    }


def test_the_terms_may_set_how_bright_and_how_long(yard):
    limits = {"lux": 100, "min_s": 60}
    terms = {**PVG_TO_SIP, "rules": {"door_or_light_while_sealed": {"parameters": limits}}}
    on_its_way(yard, terms)
    sealed(yard)
    light = sensor(yard).measures("light_lux", 100, at="09:00").measures("light_lux", 101, at="09:09")
    light.measures("light_lux", 0, at="09:09:59").measures("light_lux", 101, at="09:20")
    light.measures("light_lux", 0, at="09:21")
    assert over(yard.finding("door_or_light_while_sealed")) == (clock("09:20"), clock("09:21"))


# ---- C7 swap_suspected


def halt(yard: Yard, terms: dict[str, Any] | None = None) -> Truck:
    """S5's way: half an hour in the lay-by."""
    truck = on_its_way(yard, terms).enters("LAYBY-LD", at="09:02").stops(at="09:02", until="09:31")
    return truck.leaves("LAYBY-LD", at="09:31").enters("SIPCBZ-E", at="10:38").reports(at="22:59")


def test_s5_is_one_suspicion_with_all_its_components(yard):
    gate(yard, 33_480, "08:41")
    halt(yard)
    sealed(yard).was_silent(since="09:06", until="09:13")
    sensor(yard).measures("light_lux", 240, at="09:09").measures("light_lux", 0, at="09:15")
    gate(yard, 32_050, "10:40")
    finding = suspicion(yard)
    assert over(finding) == (clock("09:09:20"), None)
    assert finding.verdict.cause == "LAYBY-LD"
    assert components(finding) == {"stop", "light", "silence", "weight"}
    assert finding.verdict.evidence[0]["score"] == 8
    assert of_seals(yard, END) == {"door_or_light_while_sealed": "critical", "swap_suspected": "critical"}
    assert "cut" not in str(finding.verdict)


def test_it_opens_at_the_same_moment_before_and_after_the_weighing(yard):
    gate(yard, 33_480, "08:41")
    halt(yard)
    sealed(yard)
    sensor(yard).measures("light_lux", 240, at="09:09").measures("light_lux", 0, at="09:15")
    before = suspicion(yard, until="09:20")
    gate(yard, 32_050, "10:40")
    after = suspicion(yard)
    assert (before.finding_id, over(before)) == (after.finding_id, over(after))
    assert components(after) - components(before) == {"weight"}


@pytest.mark.parametrize("silent", [True, False])
def test_s5b_the_same_stop_alone_is_none(yard, silent):
    """Also with seven silent minutes: parked seals do that."""
    gate(yard, 33_480, "08:41")
    halt(yard)
    seal = sealed(yard)
    if silent:
        seal.was_silent(since="09:06", until="09:13")
    sensor(yard).measures("light_lux", 0, at="09:09")
    gate(yard, 33_480, "10:40")
    assert of_seals(yard, END) == {}
    assert {f.verdict.rule for f in yard.findings()} >= {"forbidden_zone_entry", "unauthorised_stop"}


def test_the_weights_are_parameters(yard):
    terms = {**PVG_TO_SIP, "rules": {"swap_suspected": {"parameters": {"weight_silence": 2}}}}
    halt(yard, terms)
    sealed(yard).was_silent(since="09:06", until="09:13")
    assert over(suspicion(yard)) == (clock("09:11"), None)


@pytest.mark.parametrize(
    "limits",
    [
        {"weight_stop": 1, "weight_light": 2},
        {"weight_light": 1},
        {"min_score": 5},
        {"lux": 240},
        {"light_min_s": 361},
    ],
)
def test_a_light_that_counts_less_is_no_suspicion(yard, limits):
    terms = {**PVG_TO_SIP, "rules": {"swap_suspected": {"parameters": limits}}}
    halt(yard, terms)
    sensor(yard).measures("light_lux", 240, at="09:09").measures("light_lux", 0, at="09:15")
    assert yard.findings(rule="swap_suspected", until="22:59") == []


@pytest.mark.parametrize(
    "limits", [{"shock_g": 9.1}, {"window_min": 10}, {"weight_shock": 1, "silence_min": 8}]
)
def test_so_is_a_blow_that_counts_less_or_came_too_late(yard, limits):
    terms = {**PVG_TO_SIP, "rules": {"swap_suspected": {"parameters": limits}}}
    halt(yard, terms)
    sealed(yard).measures("shock_g", 9, at="09:50").was_silent(since="09:52", until="09:59:30")
    assert yard.findings(rule="swap_suspected", until="22:59") == []


@pytest.mark.parametrize(
    ("limits", "kg", "box"),
    [
        ({"weight_pct": 5}, 32_050, BOX),
        ({"weight_weight": 1}, 32_050, BOX),
        ({"weight_container": 1}, 33_480, OTHER_BOX),
    ],
)
def test_and_so_are_another_weight_and_another_box(yard, limits, kg, box):
    terms = {**PVG_TO_SIP, "rules": {"swap_suspected": {"parameters": limits}}}
    gate(yard, 33_480, "08:41")
    halt(yard, terms)
    gate(yard, kg, "10:40", box=box)
    assert yard.findings(rule="swap_suspected", until="22:59") == []


def test_a_silence_that_lasts_is_a_sign_when_it_has_lasted(yard):
    terms = {**PVG_TO_SIP, "rules": {"swap_suspected": {"parameters": {"weight_silence": 2}}}}
    on_its_way(yard, terms).enters("LAYBY-LD", at="09:02").reports(at="09:12")
    says(yard, LOCKED, "08:30")
    yard.truck("ES-1", role="seal", kind="seal", thing=BOX).reports(at="09:06")
    assert yard.findings(rule="swap_suspected", until="09:10:59") == []
    assert yard.judged(until="09:10:58").next_due == clock("09:11")
    assert over(suspicion(yard, until="09:11")) == (clock("09:11"), None)


def test_a_stop_on_the_open_road_is_one_when_a2_says_so(yard):
    on_its_way(yard).stops(at="09:02", until="09:40").reports(at="10:00")
    sealed(yard)
    sensor(yard).measures("light_lux", 240, at="09:09").measures("light_lux", 0, at="09:15")
    finding = suspicion(yard, until="10:00")
    assert over(finding) == (clock("09:17"), None)
    assert finding.verdict.cause == "SIP/TRK-1"


def test_a_blow_is_a_sign_from_five_g_on(yard):
    halt(yard)
    seal = sealed(yard).measures("shock_g", 4.9, at="09:10")
    assert of_seals(yard, END) == {}
    seal.measures("shock_g", 5, at="09:20")
    assert components(suspicion(yard)) == {"stop", "shock"}


def test_light_within_an_hour_of_the_stop_belongs_to_it_and_later_does_not(yard):
    halt(yard)
    sensor(yard).measures("light_lux", 240, at="10:30").measures("light_lux", 0, at="10:31")
    assert components(suspicion(yard)) == {"stop", "light"}
    other = Yard()
    on_its_way(other).enters("LAYBY-LD", at="09:02").leaves("LAYBY-LD", at="09:31").reports(at="11:00")
    sensor(other).measures("light_lux", 240, at="10:31:01").measures("light_lux", 0, at="10:33")
    assert of_seals(other, "11:00") == {}


def test_light_at_the_dock_is_none(yard):
    halt(yard)
    sensor(yard).measures("light_lux", 240, at="10:40")
    assert of_seals(yard, END) == {}


def test_signs_without_a_stop_are_none(yard):
    gate(yard, 33_480, "08:41")
    on_its_way(yard).enters("SIPCBZ-E", at="10:38").reports(at="22:59")
    sensor(yard).measures("light_lux", 240, at="09:09").measures("light_lux", 0, at="09:15")
    gate(yard, 30_000, "10:40", box=OTHER_BOX)
    assert of_seals(yard, END) == {}


@pytest.mark.parametrize(("kg", "is_sign"), [(32_476, False), (32_475, True), (34_500, True), (0, False)])
def test_three_per_cent_either_way(yard, kg, is_sign):
    gate(yard, 33_480, "08:41")
    halt(yard)
    gate(yard, kg, "10:40")
    assert of_seals(yard, END) == ({"swap_suspected": "critical"} if is_sign else {})


def test_without_a_weighing_before_the_pass_tells_the_weight(yard):
    halt(yard)
    paper = GatePass(
        PassType.FIRST_LINE,
        Direction.IN,
        "SIPCBZ-E",
        PLATE,
        total_kg=33_480,
        binding=Binding.ONE_BILL_ONE_VEHICLE,
    )
    yard.files(paper, at="08:00", number="Z1")
    gate(yard, 32_050, "10:40")
    assert over(suspicion(yard)) == (clock("10:40"), None)


def test_only_the_next_weighing_of_the_way_counts(yard):
    gate(yard, 33_480, "08:41")
    halt(yard)
    gate(yard, 33_480, "10:40")
    gate(yard, 12_000, "10:50")  # it leaves empty
    assert of_seals(yard, END) == {}
    other = Yard()
    gate(other, 33_480, "08:41")
    halt(other)
    gate(other, 12_000, "11:38:01")  # more than an hour after the move
    assert of_seals(other) == {}


def test_another_box_at_the_next_gate_is_a_sign_and_a_misread_one_is_not(yard):
    gate(yard, None, "08:41")
    halt(yard)
    gate(yard, None, "10:40", box="BNDU1000051")  # the check digit is wrong
    assert of_seals(yard, END) == {}
    other = Yard()
    other.holds_goods(BOX)
    halt(other)
    gate(other, None, "10:40", box=OTHER_BOX)
    assert components(suspicion(other)) == {"stop", "container"}


def test_where_goods_may_stand_nothing_is_suspected(yard):
    on_its_way(yard).enters("SA-YCH", at="09:02").stops(at="09:02", until="09:26").leaves(
        "SA-YCH", at="09:26"
    )
    yard.trucks[0].reports(at="22:59")
    sensor(yard).measures("light_lux", 240, at="09:09").measures("light_lux", 0, at="09:15")
    assert of_seals(yard, "09:30") == {}


def test_stops_that_lie_close_are_one_suspicion(yard):
    truck = on_its_way(yard).enters("LAYBY-LD", at="09:02").leaves("LAYBY-LD", at="09:12")
    truck.enters("VAULT01", at="09:50").leaves("VAULT01", at="09:55").reports(at="12:00")
    sensor(yard).measures("light_lux", 240, at="09:20").measures("light_lux", 0, at="09:21")
    finding = suspicion(yard, until="12:00")
    assert [piece.get("cause") for piece in finding.verdict.evidence[1:3]] == ["LAYBY-LD", "VAULT01"]


def test_it_closes_with_the_legs(yard):
    halt(yard).leaves("SIPCBZ-E", at="12:00")
    sealed(yard).measures("shock_g", 9, at="09:10")
    assert over(suspicion(yard)) == (clock("09:10"), clock("12:00"))
