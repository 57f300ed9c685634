"""Custody coverage: three numbers, each with what is missing and why; held and missing add up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.observation import Direction, Gate, Handover, Role
from tests.support.yard import DAY, EPOCH, Truck, Yard, clock
from tracking.domain.custody.case import open_case
from tracking.domain.custody.coverage import coverage
from tracking.domain.custody.facts import AreaRevision, MissingNumbers, Silence
from tracking.domain.custody.judge import judge
from tracking.domain.custody.shares import Coverage, ShipmentCoverage, Total, as_json, total, within

ROAD = "91320594MA1WDEM02P"
ALWAYS = [(EPOCH, None)]


def terms(**more: Any) -> dict[str, Any]:
    more = {"custodian": ROAD, **more}
    return {
        "legs": [
            {"type": "stay", "zones": ["PVGCARGO"], **more},
            {"type": "move", "from_zones": ["PVGCARGO"], "to_zones": ["SIPCBZ-E"], **more},
            {"type": "stay", "zones": ["SIPCBZ-E"], **more},
        ]
    }


@pytest.fixture
def yard() -> Yard:
    return Yard()


def journey(yard: Yard, held: dict[str, Any] | None = None) -> Truck:
    """08:00 in PVG, 09:00 on the way, 11:00 in SIP, 12:00 gone: four hours, a word every minute."""
    truck = yard.truck(terms=held or terms()).enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="09:00")
    return truck.enters("SIPCBZ-E", at="11:00").leaves("SIPCBZ-E", at="12:00").reports(at="12:01")


def covered(yard: Yard, until: str = "14:00", signed: Any = None, **replaced: Any) -> ShipmentCoverage:
    facts = yard.facts()
    if replaced:
        carriage = msgspec.structs.replace(facts.carriages[0], **replaced)
        facts = msgspec.structs.replace(facts, carriages=(carriage, *facts.carriages[1:]))
    case = open_case(facts, clock(until))
    found = coverage(case, judge(facts, clock(until)).findings, ALWAYS if signed is None else signed)
    assert found is not None
    return found


def missing(part: Any) -> list[tuple[datetime, datetime, tuple[str, ...]]]:
    return [(m.begins, m.ends, m.why) for m in part.missing]


def gates(yard: Yard) -> None:
    """Every passage has its gate; of places that ask for no pass."""
    yard.areas["SIPCBZ-E"] = (AreaRevision("SIPCBZ-E", "port", False, None, 1, EPOCH),)
    for gate, zone in (("G-PVG-N1", "PVGCARGO"), ("G-SIPE-N1", "SIPCBZ-E")):
        yard.areas[gate] = (AreaRevision(gate, "gate", False, zone, 1, EPOCH),)
    for gate, direction, at in (
        ("G-PVG-N1", Direction.IN, "07:59"),
        ("G-PVG-N1", Direction.OUT, "08:59"),
        ("G-SIPE-N1", Direction.IN, "11:01"),
        ("G-SIPE-N1", Direction.OUT, "12:01"),
    ):
        yard.hears(Gate(gate, "1", direction, plate="沪AD5127"), at=at, kind="gate")


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


# ---- custody time


def test_a_clean_run_through_gates_is_covered_whole(yard):
    journey(yard)
    gates(yard)
    whole = covered(yard).whole
    assert (whole.begins, whole.ends, whole.custody) == (clock("08:00"), clock("12:00"), hours(4))
    assert [p.held for p in (whole.measured, whole.controlled, whole.verifiable)] == [hours(4)] * 3
    assert total([whole]).shares() == {"measured": 1.0, "controlled": 1.0, "verifiable": 1.0}


def test_custody_under_way_runs_to_the_watermark(yard):
    truck = yard.truck(terms=terms()).enters("PVGCARGO", at="08:00").reports(at="08:59")
    whole = covered(yard, until="09:00").whole
    assert (whole.custody, whole.measured.held) == (hours(1), timedelta(minutes=59))
    assert missing(whole.measured) == [(clock("08:59"), clock("09:00"), ("not_heard_since",))]
    truck.reports(at="09:00")
    assert covered(yard, until="09:00").whole.measured.missing == ()


def test_custody_ends_when_the_shipment_is_closed(yard):
    journey(yard)
    yard.closes("S-1", at="10:00")
    assert covered(yard).whole.ends == clock("10:00")


def test_before_the_first_leg_there_is_none(yard):
    yard.truck(terms=terms()).reports(at="08:00")
    assert coverage(open_case(yard.facts(), clock("09:00")), (), ALWAYS) is None


# ---- measured


def test_a_silence_longer_than_the_leg_allows_is_not_measured(yard):
    journey(yard, terms(max_silence_s=600)).paused(since="09:30", until="09:41").paused(
        since="10:00", until="10:10"
    )
    whole = covered(yard).whole
    assert missing(whole.measured) == [(clock("09:30"), clock("09:41"), ("silent",))]
    assert whole.measured.held == hours(4) - timedelta(minutes=11)


def test_without_a_limit_of_the_leg_five_intervals_count(yard):
    journey(yard).was_silent(since="09:30", until="09:36").paused(since="10:00", until="10:05")
    assert missing(covered(yard).whole.measured) == [(clock("09:30"), clock("09:36"), ("silent",))]


def test_back_fill_raises_it(yard):
    """S4: 54 hours of silence within 72 allowed; measured only when the stored fixes have come."""
    held = terms(max_silence_s=72 * 3600)
    truck = yard.truck(terms=held, every_s=21_600).enters("PVGCARGO", at="08:00").reports(at="+2 05:00")
    before = covered(yard, until="+4 10:00").whole
    truck.reports(at="+4 10:00")
    after = covered(yard, until="+4 10:00").whole
    assert missing(before.measured) == [(clock("+2 05:00"), clock("+4 10:00"), ("not_heard_since",))]
    assert after.measured.missing == ()


def test_missing_numbers_and_times_without_a_device_are_not_measured(yard):
    journey(yard).detached(at="11:30")
    gap = MissingNumbers(1, 7, 9, clock("09:50"), clock("09:40"))
    assert missing(covered(yard, missing=(gap,)).whole.measured) == [
        (clock("09:40"), clock("09:50"), ("sequence_gap",)),
        (clock("11:30"), clock("14:00"), ("no_device",)),
    ]


def test_a_device_that_never_spoke_measures_nothing(yard):
    yard.truck("OLD", terms=terms()).enters("PVGCARGO", at="08:00").reports(at="08:59").detached(at="09:00")
    yard.truck("NEW", begins="09:00")
    assert missing(covered(yard, until="10:00").whole.measured) == [
        (clock("08:59"), clock("09:00"), ("not_heard_since",)),
        (clock("09:00"), clock("10:00"), ("never_heard",)),
    ]


# ---- controlled


def test_time_without_a_custodian_or_with_a_grave_finding_is_not_controlled(yard):
    journey(yard, terms(custodian=None))
    yard.trucks[0].enters("LAYBY-LD", at="09:30").leaves("LAYBY-LD", at="09:45", last_within="09:44")
    found = covered(yard).whole.controlled
    assert found.held == timedelta(0)
    assert {why for m in found.missing for why in m.why} == {"no_custodian", "forbidden_zone_entry"}
    yard.hears(Handover("A", ROAD, Role.TAKER, code="BNDU1000010"), at="08:00", device="SIP/HH-2")
    found = covered(yard).whole.controlled
    assert (clock("09:30"), clock("09:45"), ("forbidden_zone_entry",)) in missing(found)
    assert "no_custodian" not in {why for m in found.missing for why in m.why}


def test_what_is_undetermined_is_not_controlled(yard):
    held = terms()
    held["legs"][1]["corridor"] = "C-NOWHERE"
    journey(yard, held)
    why = {reason for m in covered(yard).whole.controlled.missing for reason in m.why}
    assert why == {"undetermined route_deviation"}


def test_time_between_legs_is_not_controlled_nor_verifiable(yard):
    held = terms()
    held["legs"].pop(1)
    journey(yard, held)
    found = covered(yard)
    between = (clock("09:00"), clock("11:00"), ("between_legs",))
    assert missing(found.whole.controlled) == [between]
    assert "between_legs" in {why for m in found.whole.verifiable.missing for why in m.why}
    assert sum((leg.coverage.custody for leg in found.legs), timedelta(0)) == hours(2)


# ---- verifiable


def test_only_what_stands_under_a_signed_checkpoint_is_verifiable(yard):
    journey(yard)
    gates(yard)
    found = covered(yard, signed=[(clock("08:00"), clock("10:00")), (clock("10:30"), clock("11:30"))]).whole
    assert missing(found.verifiable) == [
        (clock("10:00"), clock("10:30"), ("unsigned",)),
        (clock("11:30"), clock("12:00"), ("unsigned",)),
    ]


def test_a_leg_without_witnesses_is_not_verifiable(yard):
    journey(yard)
    gates(yard)
    yard.reports["S-1"] = [r for r in yard.reports["S-1"] if r.time != clock("08:59")]
    legs = covered(yard).legs
    assert [leg.coverage.verifiable.held for leg in legs] == [timedelta(0), timedelta(0), hours(1)]
    assert [missing(leg.coverage.verifiable)[0][2] for leg in legs[:2]] == [
        ("ended_without_witness",),
        ("begun_without_witness",),
    ]
    for role in (Role.GIVER, Role.TAKER):
        yard.hears(Handover("A", ROAD, role, code="BNDU1000010"), at="08:50", device=f"SIP/{role.value}")
    assert [leg.coverage.verifiable.held for leg in covered(yard).legs] == [hours(1), hours(2), hours(1)]


def test_what_is_not_measured_is_not_verifiable(yard):
    journey(yard, terms(max_silence_s=600)).paused(since="09:30", until="10:00")
    gates(yard)
    assert missing(covered(yard).whole.verifiable) == [(clock("09:30"), clock("10:00"), ("silent",))]


# ---- sums


def test_legs_say_what_sums_are_made_by(yard):
    held = terms()
    held["legs"][1]["corridor"] = "C-PVG-SIPE"
    journey(yard, held)
    assert [(leg.index, leg.custodian, leg.corridor, leg.zones) for leg in covered(yard).legs] == [
        (0, ROAD, None, ("PVGCARGO",)),
        (1, ROAD, "C-PVG-SIPE", ("PVGCARGO", "SIPCBZ-E")),
        (2, ROAD, None, ("SIPCBZ-E",)),
    ]


def test_the_answer_has_seconds_shares_and_reasons(yard):
    journey(yard, terms(max_silence_s=600)).paused(since="09:00", until="10:00")
    told = as_json(covered(yard).whole)
    assert told["custody_s"] == 4 * 3600
    assert told["measured"] == {
        "seconds": 3 * 3600,
        "share": 0.75,
        "missing": [
            {"begins": clock("09:00").isoformat(), "ends": clock("10:00").isoformat(), "why": ["silent"]}
        ],
    }
    assert Total().shares() is None


moments = st.integers(7 * 60, 14 * 60).map(lambda minute: DAY + timedelta(minutes=minute))
spans = st.tuples(moments, moments).map(lambda pair: (min(pair), max(pair)))


@given(
    silent=st.lists(spans, max_size=6),
    numbers=st.lists(spans, max_size=4),
    signed=st.lists(spans, max_size=6),
    until=moments,
)
def test_held_and_missing_add_up_and_no_moment_is_missing_twice(
    silent: list[Any], numbers: list[Any], signed: list[Any], until: datetime
) -> None:
    yard = Yard()
    journey(yard, terms(max_silence_s=600))
    facts = yard.facts()
    carriage = msgspec.structs.replace(
        facts.carriages[0],
        gaps=tuple(Silence(*span) for span in sorted(silent)),
        missing=tuple(MissingNumbers(1, n, n, *span) for n, span in enumerate(numbers)),
    )
    facts = msgspec.structs.replace(facts, carriages=(carriage,))
    found = coverage(open_case(facts, until), judge(facts, until).findings, signed)
    if found is None:
        assert until < clock("08:00")
        return
    for each in (found.whole, *(leg.coverage for leg in found.legs)):
        _adds_up(each)
    assert found.whole.verifiable.held <= found.whole.measured.held
    legs = total(leg.coverage for leg in found.legs)
    assert legs == total([found.whole]), "legs that follow each other without a break are the whole"
    assert legs == sum((total([leg.coverage]) for leg in reversed(found.legs)), Total())
    other = coverage(open_case(facts, until), judge(facts, until).findings, list(reversed(signed)))
    assert other == found


def _adds_up(found: Coverage) -> None:
    for part in (found.measured, found.controlled, found.verifiable):
        assert part.held + sum((m.ends - m.begins for m in part.missing), timedelta(0)) == found.custody
        assert timedelta(0) <= part.held <= found.custody
        edges = [edge for m in part.missing for edge in (m.begins, m.ends)]
        assert edges == sorted(edges)
        assert all(m.why and m.begins < m.ends for m in part.missing)


@given(st.lists(st.integers(0, 24 * 60), min_size=2, max_size=2, unique=True))
def test_what_falls_into_parts_of_the_time_adds_up(cuts: list[int]) -> None:
    yard = Yard()
    journey(yard).paused(since="09:30", until="10:30")
    whole = covered(yard, signed=[(clock("08:20"), clock("11:10"))]).whole
    since, until = (clock("00:00") + timedelta(minutes=cut) for cut in sorted(cuts))
    beginning, end = clock("00:00") - timedelta(days=1), clock("00:00") + timedelta(days=2)
    parts = [within(whole, beginning, since), within(whole, since, until), within(whole, until, end)]
    assert sum(parts, Total()) == within(whole, beginning, end) == total([whole])
