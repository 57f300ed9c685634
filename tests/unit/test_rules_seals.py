"""The seal on the goods: whole, the same everywhere, there at departure (C1 to C3)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from devices.observation import Direction, Gate, Seal, SealState
from tests.support.seals import BOX, of_seals, says
from tests.support.yard import PVG_TO_SIP, Truck, Yard, clock, on_its_way, over
from tracking.domain.custody.documents import Order, SealRecord
from tracking.domain.custody.facts import GateWatch
from tracking.domain.custody.verdicts import Finding, Outcome

LOCKED, UNLOCKED, CUT, TAMPERED = (
    SealState.LOCKED,
    SealState.UNLOCKED,
    SealState.CUT,
    SealState.TAMPERED,
)


@pytest.fixture
def yard() -> Yard:
    yard = Yard()
    yard.holds_goods(BOX)
    return yard


def gate(yard: Yard, *seals: str, at: str, containers: tuple[str, ...] = ()) -> None:
    passage = Gate(
        "G-SIPE-N1", "1", Direction.IN, plate="沪BD9031", seals=list(seals), containers=list(containers)
    )
    yard.hears(passage, at=at, device="SIP/G-SIPE-N1", kind="gate", things=["沪BD9031", *containers])


def broken(yard: Yard, until: str = "23:00") -> list[Finding]:
    return yard.findings(rule="seal_broken_in_transit", until=until)


# ---- C1 seal_broken_in_transit


def test_a_cut_seal_is_one_critical_finding_however_often_it_is_said(yard):
    on_its_way(yard)
    says(yard, LOCKED, "08:30")
    says(yard, CUT, "09:09", times=3)
    says(yard, CUT, "09:10")
    (finding,) = broken(yard)
    assert over(finding) == (clock("09:09"), None)
    assert finding.verdict.cause == "ES-1"
    assert of_seals(yard) == {"seal_broken_in_transit": "critical"}
    (word, place) = finding.verdict.evidence
    assert word["fact"]["state"] == "cut"
    assert place == {"place": []}


@pytest.mark.parametrize("state", [UNLOCKED, CUT, TAMPERED])
def test_every_way_of_opening_counts(yard, state):
    on_its_way(yard)
    says(yard, LOCKED, "08:30")
    says(yard, state, "09:09")
    assert of_seals(yard) == {"seal_broken_in_transit": "critical"}


def test_it_closes_when_the_seal_is_locked_again(yard):
    on_its_way(yard)
    for state, at in ((LOCKED, "08:30"), (UNLOCKED, "09:00"), (TAMPERED, "09:02"), (LOCKED, "09:05")):
        says(yard, state, at)
    (finding,) = broken(yard)
    assert over(finding) == (clock("09:00"), clock("09:05"))
    says(yard, UNLOCKED, "09:30")
    assert [over(f) for f in broken(yard)] == [
        (clock("09:00"), clock("09:05")),
        (clock("09:30"), None),
    ]


def test_it_closes_with_the_re_seal_that_is_recorded(yard):
    on_its_way(yard)
    says(yard, LOCKED, "08:30")
    says(yard, CUT, "09:00")
    yard.files(SealRecord("ES-2", replaces="ES-1"), at="09:40")
    assert [over(f) for f in broken(yard)] == [(clock("09:00"), clock("09:40"))]


def test_it_closes_when_the_legs_are_over(yard):
    truck = on_its_way(yard).enters("SIPCBZ-E", at="11:00")
    says(yard, LOCKED, "08:30")
    says(yard, CUT, "09:00")
    assert [over(f) for f in broken(yard)] == [(clock("09:00"), None)]
    truck.leaves("SIPCBZ-E", at="20:00")
    assert [over(f) for f in broken(yard)] == [(clock("09:00"), clock("20:00"))]


def arrived(yard: Yard) -> Truck:
    """In the inspection yard of the destination, sealed."""
    truck = on_its_way(yard)
    says(yard, LOCKED, "08:30")
    return truck.enters("SIPCBZ-E", at="11:15").enters("INSP01", at="11:25")


def test_opened_by_order_in_the_inspection_yard_is_nothing(yard):
    arrived(yard)
    yard.files(Order("INSP01"), at="11:19", source="decided")
    says(yard, UNLOCKED, "11:31")
    says(yard, TAMPERED, "11:32")  # it is taken off
    assert of_seals(yard) == {}


def test_the_whole_zone_may_be_ordered_and_exactly_the_window_is_in_time(yard):
    arrived(yard)
    yard.files(Order("SIPCBZ-E", seal="ES-1"), at="11:01", source="decided")
    says(yard, UNLOCKED, "11:31")
    assert of_seals(yard) == {}


@pytest.mark.parametrize(
    ("order", "at"),
    [
        (None, ""),
        (Order("INSP01"), "11:00:59"),  # too long ago
        (Order("INSP01"), "11:32"),  # after
        (Order("INSP01", seal="ES-2"), "11:19"),  # for another seal
        (Order("COLD01"), "11:19"),  # for another place
        (Order("PVGCARGO"), "11:19"),
    ],
)
def test_opened_there_without_such_an_order_is_a_break(yard, order, at):
    arrived(yard)
    if order is not None:
        yard.files(order, at=at, source="decided")
    says(yard, UNLOCKED, "11:31")
    assert [over(f) for f in broken(yard)] == [(clock("11:31"), None)]


def test_an_order_for_a_place_on_the_road_allows_nothing(yard):
    on_its_way(yard).enters("SA-YCH", at="10:34")
    says(yard, LOCKED, "08:30")
    yard.files(Order("SA-YCH"), at="10:35", source="decided")
    says(yard, UNLOCKED, "10:40")
    (finding,) = broken(yard)
    assert [sorted(piece) for piece in finding.verdict.evidence][1] == ["place"]
    assert finding.verdict.evidence[2]["document"] == "unlock_order"


def test_the_terms_may_allow_other_places(yard):
    terms = {
        **PVG_TO_SIP,
        "rules": {
            "seal_broken_in_transit": {"parameters": {"allowed_zones": ["SA-YCH"], "order_window_min": 5}}
        },
    }
    on_its_way(yard, terms).enters("SA-YCH", at="10:34")
    says(yard, LOCKED, "08:30")
    yard.files(Order("SA-YCH"), at="10:35", source="decided")
    says(yard, UNLOCKED, "10:40")
    assert of_seals(yard) == {}


def test_an_order_while_nobody_knows_the_place_leaves_it_undetermined(yard):
    arrived(yard).detached(at="11:20")
    mute = yard.truck("TRK-2", begins="11:20")
    yard.files(Order("INSP01"), at="11:19", source="decided")
    says(yard, UNLOCKED, "11:31")
    assert of_seals(yard) == {"seal_broken_in_transit": "undetermined"}
    mute.enters("SIPCBZ-E", at="11:21").enters("INSP01", at="11:25")  # it comes late
    assert of_seals(yard) == {}


@pytest.mark.parametrize("until", [None, "11:40", "11:31"], ids=["lasts", "ends later", "ends with it"])
def test_an_order_while_the_tracker_is_silent_leaves_it_undetermined(yard, until):
    """Where it was last, in the inspection yard, isn't where the goods are."""
    arrived(yard).was_silent(since="11:25", until=until)
    yard.files(Order("INSP01"), at="11:19", source="decided")
    says(yard, UNLOCKED, "11:31")
    assert of_seals(yard) == {"seal_broken_in_transit": "undetermined"}
    (finding,) = broken(yard)
    assert {"missing": "place"} in finding.verdict.evidence


@pytest.mark.parametrize(
    ("since", "until"), [("11:26:01", "11:40"), ("11:25", "11:30:59")], ids=["not yet", "no longer"]
)
def test_a_tracker_that_is_not_silent_then_tells_the_place(yard, since, until):
    arrived(yard).was_silent(since=since, until=until)
    yard.files(Order("INSP01"), at="11:19", source="decided")
    says(yard, UNLOCKED, "11:31")
    assert of_seals(yard) == {}


def test_another_device_that_speaks_tells_the_place_of_a_silent_one(yard):
    arrived(yard).was_silent(since="11:25")
    beside = yard.truck("TRK-2", role="secondary").enters("SIPCBZ-E", at="11:15")
    yard.files(Order("INSP01"), at="11:19", source="decided")
    says(yard, UNLOCKED, "11:31")
    assert [over(f) for f in broken(yard)] == [(clock("11:31"), None)]  # not known to be in the yard
    beside.enters("INSP01", at="11:26")
    assert of_seals(yard) == {}


def test_without_an_order_it_is_a_break_wherever_it_was(yard):
    arrived(yard).was_silent(since="11:25")
    says(yard, UNLOCKED, "11:31")
    assert of_seals(yard) == {"seal_broken_in_transit": "critical"}


def test_two_boxes_and_an_order_for_one_of_them(yard):
    other = "BNDU1000010"
    yard.holds_goods(other)
    arrived(yard)
    says(yard, LOCKED, "08:31", "ES-2", other)
    yard.files(Order("INSP01"), at="11:19", things=[other], source="decided")
    says(yard, UNLOCKED, "11:30", "ES-2", other)
    assert of_seals(yard) == {}
    says(yard, UNLOCKED, "11:31")
    assert [f.verdict.cause for f in broken(yard)] == ["ES-1"]


def test_one_order_opens_both_boxes(yard):
    yard.holds_goods("BNDU1000010")
    arrived(yard)
    says(yard, LOCKED, "08:31", "ES-2", "BNDU1000010")
    yard.files(Order("INSP01"), at="11:19", source="decided")
    says(yard, UNLOCKED, "11:30", "ES-2", "BNDU1000010")
    says(yard, UNLOCKED, "11:31")
    assert of_seals(yard) == {}


def test_never_locked_before_any_leg_and_where_no_seal_may_be_is_nothing(yard):
    on_its_way(yard)
    says(yard, UNLOCKED, "09:00")
    assert of_seals(yard) == {}
    other = Yard()
    on_its_way(other)
    says(other, LOCKED, "07:00")
    says(other, UNLOCKED, "07:30")
    assert of_seals(other) == {}
    stay, move, rest = PVG_TO_SIP["legs"]
    third = Yard()
    on_its_way(third, {"legs": [{**stay, "seal": "none"}, move, rest]})
    says(third, LOCKED, "08:05")
    says(third, UNLOCKED, "08:10")
    assert of_seals(third) == {}


def test_a_reader_s_word_counts_as_the_seal_s_own(yard):
    on_its_way(yard)
    says(yard, LOCKED, "08:30")
    yard.hears(Seal("ES-1", CUT), at="09:30", device="SIP/RD-1", things=[BOX])
    assert [over(f) for f in broken(yard)] == [(clock("09:30"), None)]


# ---- C2 seal_id_changed


def test_another_number_at_the_gate_is_critical_once(yard):
    on_its_way(yard)
    says(yard, LOCKED, "08:30")
    gate(yard, "ES-1", at="08:41")
    gate(yard, "ES-9", at="09:14")
    gate(yard, "ES-9", at="09:20")
    finding = yard.finding("seal_id_changed")
    assert over(finding) == (clock("09:14"), None)
    assert finding.verdict.cause == "ES-1"
    assert finding.verdict.evidence[0] == {"expected": "ES-1", "read": ["ES-9"]}
    assert of_seals(yard) == {"seal_id_changed": "critical"}


def test_two_gates_alone_tell_of_a_change_and_of_its_end(yard):
    on_its_way(yard)
    gate(yard, "BOLT-7", at="08:41:30")
    gate(yard, "BOLT-8", at="09:14")
    gate(yard, "BOLT-7", at="09:20")
    assert over(yard.finding("seal_id_changed")) == (clock("09:14"), clock("09:20"))


def test_the_number_follows_the_recorded_re_seal(yard):
    """S6, the second truck: opened by order, sealed anew, read at the gate."""
    truck = yard.truck().enters("PVGCARGO", at="08:00").enters("INSP01", at="08:05")
    says(yard, LOCKED, "08:02")
    yard.files(Order("INSP01"), at="08:10", source="decided")
    says(yard, UNLOCKED, "08:12")
    yard.files(SealRecord("ES-33"), at="08:40")
    truck.returns("C-PVG-SIPE", at="08:30").leaves("INSP01", at="08:42").leaves("PVGCARGO", at="08:45")
    gate(yard, "ES-33", at="09:14")
    assert of_seals(yard) == {}


def test_the_record_ends_the_finding_that_came_before_it(yard):
    on_its_way(yard)
    says(yard, LOCKED, "08:30")
    gate(yard, "ES-9", at="09:14")
    yard.files(SealRecord("ES-9"), at="09:30")
    assert over(yard.finding("seal_id_changed")) == (clock("09:14"), clock("09:30"))


def test_the_number_in_the_terms_is_the_first_word(yard):
    stay, move, rest = PVG_TO_SIP["legs"]
    on_its_way(yard, {"legs": [stay, {**move, "seal": "BOLT-7"}, rest]})
    gate(yard, "BOLT-8", at="09:14")
    finding = yard.finding("seal_id_changed")
    assert finding.verdict.evidence[1] == {"terms": "BOLT-7", "since": clock("08:41").isoformat()}


def test_what_no_gate_can_tell_is_no_change(yard):
    on_its_way(yard)
    says(yard, LOCKED, "08:30")
    gate(yard, at="08:50")  # it has no reader
    gate(yard, "ES-1", "ES-OTHER", at="09:00")  # ours, and that of another's box
    assert of_seals(yard) == {}


def test_beside_another_s_box_it_is_undetermined_until_a_gate_is_sure(yard):
    on_its_way(yard)
    says(yard, LOCKED, "08:30")
    gate(yard, "ES-9", at="09:00", containers=(BOX, "BNDU1000010"))
    assert of_seals(yard) == {"seal_id_changed": "undetermined"}
    gate(yard, "ES-9", at="10:00", containers=(BOX,))
    found = yard.findings(rule="seal_id_changed")
    assert [(f.verdict.outcome, *over(f)) for f in found] == [
        (Outcome.UNDETERMINED, clock("09:00"), clock("10:00")),
        (Outcome.FINDING, clock("10:00"), None),
    ]


def test_the_gate_may_tell_of_the_arrival_a_little_later_than_the_place(yard):
    _stay, move, _rest = PVG_TO_SIP["legs"]
    terms = {"legs": [move]}
    truck = yard.truck(terms=terms).enters("PVGCARGO", at="08:00").returns("C-PVG-SIPE", at="08:00")
    truck.leaves("PVGCARGO", at="08:41").enters("SIPCBZ-E", at="11:00")
    says(yard, LOCKED, "08:30")
    gate(yard, "ES-9", at="11:09:59")
    assert over(yard.finding("seal_id_changed")) == (clock("11:09:59"), clock("11:10"))
    late = Yard()
    truck = late.truck(terms=terms).enters("PVGCARGO", at="08:00").returns("C-PVG-SIPE", at="08:00")
    truck.leaves("PVGCARGO", at="08:41").enters("SIPCBZ-E", at="11:00")
    says(late, LOCKED, "08:30")
    gate(late, "ES-9", at="11:10")
    assert of_seals(late) == {}


def test_the_terms_may_give_the_gate_longer(yard):
    _stay, move, _rest = PVG_TO_SIP["legs"]
    terms = {"legs": [move], "rules": {"seal_id_changed": {"parameters": {"arrival_min": 30}}}}
    on_its_way(yard, terms).enters("SIPCBZ-E", at="11:00")
    says(yard, LOCKED, "08:30")
    gate(yard, "ES-9", at="11:10")
    assert over(yard.finding("seal_id_changed")) == (clock("11:10"), clock("11:30"))


def test_after_its_opening_at_the_end_of_the_way_another_number_is_none(yard):
    arrived(yard)
    yard.files(Order("INSP01"), at="11:19", source="decided")
    says(yard, UNLOCKED, "11:31")
    gate(yard, "ES-9", at="15:00")
    assert of_seals(yard) == {}


def test_opened_on_the_road_another_number_still_is_one(yard):
    on_its_way(yard).enters("SIPCBZ-E", at="11:00")
    says(yard, LOCKED, "08:30")
    says(yard, UNLOCKED, "09:00")
    gate(yard, "ES-9", at="11:01")
    assert of_seals(yard) == {"seal_broken_in_transit": "critical", "seal_id_changed": "critical"}


# ---- C3 seal_missing_at_departure


def sealed_terms(seal: str | None = "any", **rules: dict[str, Any]) -> dict[str, Any]:
    stay, move, rest = PVG_TO_SIP["legs"]
    return {"legs": [stay, {**move, **({"seal": seal} if seal else {})}, rest], "rules": rules}


def needs_eseal(yard: Yard) -> None:
    (corridor,) = yard.areas["C-PVG-SIPE"]
    yard.areas["C-PVG-SIPE"] = (msgspec.structs.replace(corridor, properties={"requires_eseal": True}),)


def test_a_move_under_seal_without_any_is_major_from_the_departure_on(yard):
    truck = on_its_way(yard, sealed_terms())
    finding = yard.finding("seal_missing_at_departure", until="08:41")
    assert over(finding) == (clock("08:41"), None)
    assert of_seals(yard) == {"seal_missing_at_departure": "major"}
    truck.enters("SIPCBZ-E", at="11:00")
    assert over(yard.finding("seal_missing_at_departure")) == (clock("08:41"), clock("11:00"))


def test_before_the_departure_nothing_is_asked(yard):
    yard.truck(terms=sealed_terms()).enters("PVGCARGO", at="08:00").reports(at="08:40")
    assert of_seals(yard, until="08:41") == {}


@pytest.mark.parametrize("seal", ["any", "ES-1"])
def test_a_locked_seal_will_do(yard, seal):
    on_its_way(yard, sealed_terms(seal))
    says(yard, LOCKED, "08:30")
    assert of_seals(yard) == {}


def test_a_seal_that_a_gate_met_or_a_record_tells_of_will_do(yard):
    on_its_way(yard, sealed_terms())
    gate(yard, "BOLT-7", at="08:40")
    assert of_seals(yard) == {}
    other = Yard()
    on_its_way(other, sealed_terms())
    other.files(SealRecord("BOLT-7", iso_class="H"), at="08:40")
    assert of_seals(other) == {}


def test_an_open_seal_another_one_and_a_weak_one_will_not_do(yard):
    on_its_way(yard, sealed_terms())
    says(yard, UNLOCKED, "08:30")
    assert of_seals(yard) == {"seal_missing_at_departure": "major"}
    other = Yard()
    on_its_way(other, sealed_terms("ES-1"))
    says(other, LOCKED, "08:30", "ES-2")
    assert of_seals(other) == {"seal_missing_at_departure": "major"}
    weak = Yard()
    on_its_way(weak, sealed_terms())
    weak.files(SealRecord("TAPE-1", iso_class="I"), at="08:40")
    finding = weak.finding("seal_missing_at_departure")
    assert {"seal": "TAPE-1", "iso_class": "I"} in finding.verdict.evidence


def test_sealed_after_all_it_closes(yard):
    on_its_way(yard, sealed_terms())
    says(yard, LOCKED, "08:55")
    assert over(yard.finding("seal_missing_at_departure")) == (clock("08:41"), clock("08:55"))


def test_minutes_after_the_gate_may_be_allowed(yard):
    terms = sealed_terms(seal_missing_at_departure={"parameters": {"max_after_gate_min": 15}})
    on_its_way(yard, terms)
    assert yard.judged(until="08:50").next_due == clock("08:56")
    assert of_seals(yard, until="08:55:59") == {}
    assert over(yard.finding("seal_missing_at_departure", until="08:56")) == (clock("08:56"), None)
    says(yard, LOCKED, "08:56")
    assert of_seals(yard) == {}


def test_the_terms_may_be_content_with_a_weaker_class(yard):
    terms = sealed_terms(seal_missing_at_departure={"parameters": {"required_classes": ["H", "S"]}})
    on_its_way(yard, terms)
    yard.files(SealRecord("CABLE-1", iso_class="S"), at="08:40")
    assert of_seals(yard) == {}


def test_terms_that_want_none_ask_for_none_unless_the_corridor_does(yard):
    for seal in (None, "none"):
        other = Yard()
        on_its_way(other, sealed_terms(seal))
        assert of_seals(other) == {}
    needs_eseal(yard)
    on_its_way(yard, sealed_terms(None))
    gate(yard, "BOLT-7", at="08:40")  # it doesn't speak
    assert of_seals(yard) == {"seal_missing_at_departure": "major"}
    says(yard, LOCKED, "08:41")
    assert of_seals(yard) == {}


def test_a_seal_that_has_not_spoken_leaves_it_undetermined(yard):
    on_its_way(yard, sealed_terms())
    yard.truck("ES-1", role="seal", kind="seal")
    assert of_seals(yard) == {"seal_missing_at_departure": "undetermined"}
    says(yard, LOCKED, "08:30")  # late
    assert of_seals(yard) == {}


def test_numbers_missing_since_its_last_word_leave_it_undetermined(yard):
    on_its_way(yard, sealed_terms())
    seal = yard.truck("ES-1", role="seal", kind="seal").lost_numbers(after="08:10", before="08:20")
    says(yard, UNLOCKED, "08:05")
    assert of_seals(yard) == {"seal_missing_at_departure": "undetermined"}
    says(yard, UNLOCKED, "08:30")
    assert of_seals(yard) == {"seal_missing_at_departure": "major"}
    assert seal.missing


def test_a_gate_that_was_offline_leaves_it_undetermined(yard):
    on_its_way(yard, sealed_terms())
    yard.gates.append(GateWatch("G-PVG-N1", "PVGCARGO", "SIP/G-PVG-N1", 60, clock("08:20"), ()))
    finding = yard.finding("seal_missing_at_departure")
    assert finding.verdict.outcome is Outcome.UNDETERMINED
    assert finding.verdict.evidence[-1]["gate_offline"] == "G-PVG-N1"
    yard.gates[0] = msgspec.structs.replace(yard.gates[0], last_heard=clock("09:00"))
    assert of_seals(yard) == {"seal_missing_at_departure": "major"}


def test_new_terms_on_the_way_are_no_departure(yard):
    on_its_way(yard, sealed_terms(None)).reports(at="10:00")
    yard.holds("S-1", sealed_terms(), since="09:30")
    assert of_seals(yard) == {}
