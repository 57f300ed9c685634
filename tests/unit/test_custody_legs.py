"""Legs begin and end by what the goods did."""

from __future__ import annotations

from itertools import product

import pytest

from tests.support.yard import PVG_TO_SIP, Yard, clock
from tracking.domain.custody.case import open_case
from tracking.domain.custody.legs import LEG_MOVES, Legs, LegState, Word
from tracking.domain.custody.terms import MoveLeg, StayLeg


@pytest.fixture
def yard() -> Yard:
    return Yard()


def legs_of(yard: Yard) -> Legs:
    return open_case(yard.facts(), clock("23:00")).legs


def spans_of(yard: Yard) -> list[tuple[int, str, str | None]]:
    return [
        (span.index, f"{span.begins:%H:%M}", f"{span.ends:%H:%M}" if span.ends else None)
        for span in legs_of(yard).spans
    ]


def test_a_journey_runs_through_its_legs(yard):
    truck = yard.truck().enters("PVGCARGO", at="08:00").returns("C-PVG-SIPE", at="08:00")
    assert spans_of(yard) == [(0, "08:00", None)]
    truck.leaves("PVGCARGO", at="08:41")
    assert spans_of(yard) == [(0, "08:00", "08:41"), (1, "08:41", None)]
    truck.enters("SIPCBZ-E", at="11:16")
    assert spans_of(yard) == [(0, "08:00", "08:41"), (1, "08:41", "11:16"), (2, "11:16", None)]
    truck.leaves("SIPCBZ-E", at="15:00")
    legs = legs_of(yard)
    assert (legs.index, legs.state) == (3, LegState.OVER)


def test_a_device_attached_inside_its_zone_begins_the_stay(yard):
    yard.truck(begins="09:00").enters("PVGCARGO", at="07:00")
    assert spans_of(yard) == [(0, "09:00", None)]


def test_a_device_that_has_said_nothing_begins_nothing(yard):
    yard.truck()
    assert spans_of(yard) == []
    assert legs_of(yard).state is LegState.AWAITED


def test_a_silent_journey_is_departure_and_arrival_at_once(yard):
    yard.truck().enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="11:16").enters("SIPCBZ-E", at="11:16")
    assert spans_of(yard) == [(0, "08:00", "11:16"), (2, "11:16", None)]


def test_goods_first_seen_on_the_corridor_are_under_way(yard):
    terms = {"legs": PVG_TO_SIP["legs"][1:2]}
    yard.truck(terms=terms).returns("C-PVG-SIPE", at="09:00").enters("SIPCBZ-E", at="10:00")
    assert spans_of(yard) == [(0, "09:00", "10:00")]


def test_goods_that_never_left_have_not_arrived(yard):
    terms = {"legs": PVG_TO_SIP["legs"][1:2]}
    yard.truck(terms=terms).enters("SIPCBZ-E", at="09:00").leaves("SIPCBZ-E", at="10:00")
    assert spans_of(yard) == []


def test_turning_back_into_the_origin_stays_on_the_way(yard):
    truck = yard.truck().enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:41")
    truck.enters("PVGCARGO", at="08:50").leaves("PVGCARGO", at="09:20")
    assert spans_of(yard) == [(0, "08:00", "08:41"), (1, "08:41", None)]


def test_the_last_zone_left_is_the_departure(yard):
    terms = {"legs": [{"type": "move", "from_zones": ["COLD01", "SIPCBZ-E"], "to_zones": ["KSCBZ"]}]}
    truck = yard.truck(terms=terms).enters("SIPCBZ-E", at="07:00").enters("COLD01", at="07:10")
    truck.leaves("COLD01", at="08:00")
    assert spans_of(yard) == []
    truck.leaves("SIPCBZ-E", at="08:20")
    assert spans_of(yard) == [(0, "08:20", None)]


def test_nothing_before_the_first_terms_counts(yard):
    yard.holds("S-1", PVG_TO_SIP, since="10:00")
    yard.truck().enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:41")
    assert spans_of(yard) == []


def test_new_terms_take_over_the_running_leg(yard):
    truck = yard.truck().enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:41")
    longer = {"legs": [*PVG_TO_SIP["legs"], {"type": "stay", "zones": ["COLD01"]}]}
    yard.holds("S-1", longer, since="09:30")
    truck.enters("SIPCBZ-E", at="11:16").leaves("SIPCBZ-E", at="12:00")
    spans = legs_of(yard).spans
    assert [(span.index, span.revision) for span in spans] == [(0, 1), (1, 1), (1, 2), (2, 2)]
    assert (legs_of(yard).index, legs_of(yard).state) == (3, LegState.AWAITED)


def test_terms_with_fewer_legs_end_the_running_one(yard):
    yard.truck().enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:41")
    yard.holds("S-1", {"legs": PVG_TO_SIP["legs"][:1]}, since="09:30")
    assert spans_of(yard)[-1] == (1, "08:41", "09:30")
    assert legs_of(yard).state is LegState.OVER


def test_the_device_that_was_attached_last_speaks(yard):
    yard.truck("OLD").enters("PVGCARGO", at="08:00")
    yard.truck("NEW", begins="09:00").enters("PVGCARGO", at="08:30").leaves("PVGCARGO", at="09:41")
    assert spans_of(yard) == [(0, "08:00", "09:41"), (1, "09:41", None)]


def test_a_change_to_a_device_that_knows_nothing_yet_ends_nothing(yard):
    yard.truck("OLD").enters("PVGCARGO", at="08:00").detached(at="09:00")
    new = yard.truck("NEW", begins="09:00")
    assert spans_of(yard) == [(0, "08:00", None)]
    new.enters("PVGCARGO", at="09:10").leaves("PVGCARGO", at="09:40")
    assert spans_of(yard)[-1] == (1, "09:40", None)


def test_a_closed_shipment_moves_no_more(yard):
    truck = yard.truck().enters("PVGCARGO", at="08:00")
    yard.closes("S-1", at="08:30")
    truck.leaves("PVGCARGO", at="08:41")
    assert spans_of(yard) == [(0, "08:00", None)]


def test_the_table_never_leads_back():
    order = list(LegState)
    for (_, before, _), after in LEG_MOVES.items():
        assert order.index(after) == order.index(before) + 1


def test_what_the_table_does_not_list_changes_nothing():
    listed = {(leg, word) for leg, _, word in LEG_MOVES}
    assert {word for _, word in listed} == set(Word)
    assert not any((leg, LegState.OVER, word) in LEG_MOVES for leg, word in product((StayLeg, MoveLeg), Word))
