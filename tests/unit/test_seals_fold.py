"""Which seal is on the goods: every way that one comes on and off, and the same whatever was heard first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.observation import Direction, Gate, Seal, SealState
from tests.support.yard import PVG_TO_SIP, Yard, clock
from tracking.domain.custody.case import open_case
from tracking.domain.custody.documents import SealRecord
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.seals import Seals
from tracking.domain.custody.told import Document, Report

LOCKED, UNLOCKED, CUT, TAMPERED = (
    SealState.LOCKED,
    SealState.UNLOCKED,
    SealState.CUT,
    SealState.TAMPERED,
)
BOX, OTHER_BOX = "BNDU1000052", "BNDU1000010"


@pytest.fixture
def yard() -> Yard:
    yard = Yard()
    yard.truck().enters("PVGCARGO", at="08:00")
    yard.holds_goods(BOX)
    return yard


def says(yard: Yard, seal: str, state: SealState, at: str, thing: str = BOX, device: str = "") -> None:
    yard.hears(Seal(seal, state), at=at, device=device or f"SIP/{seal}", kind="seal", things=[thing])


def meets(yard: Yard, seal: str, at: str, state: SealState = LOCKED, thing: str = BOX) -> None:
    yard.hears(Seal(seal, state), at=at, device="SIP/RD-1", kind="scanner", things=[thing])


def gate(yard: Yard, *seals: str, at: str, things: tuple[str, ...] = ("沪BD9031",)) -> None:
    passage = Gate("G-SIPE-N1", "1", Direction.IN, plate="沪BD9031", seals=list(seals))
    yard.hears(passage, at=at, device="SIP/G-SIPE-N1", kind="gate", things=things)


def folded(yard: Yard) -> Seals:
    return open_case(yard.facts(), clock("23:00")).seals


def on(yard: Yard, at: str) -> set[str]:
    return {worn.seal for worn in folded(yard).on(clock(at))}


def test_a_seal_s_own_word_puts_it_on_and_repetition_says_nothing(yard):
    for at in ("08:30", "08:40", "08:50"):
        says(yard, "ES-1", LOCKED, at)
    (worn,) = folded(yard).worn
    assert (worn.seal, worn.begins, worn.ends) == ("ES-1", clock("08:30"), None)
    assert [(mark.time, mark.state) for mark in worn.marks] == [(clock("08:30"), LOCKED)]
    assert worn.devices == {"SIP/ES-1"}


def test_an_open_seal_is_not_on(yard):
    says(yard, "ES-1", UNLOCKED, "08:30")
    assert folded(yard).worn == ()
    assert folded(yard).spoken == {"SIP/ES-1": clock("08:30")}


def test_a_low_battery_is_no_state(yard):
    says(yard, "ES-1", SealState.LOW_BATTERY, "08:30")
    assert (folded(yard).worn, folded(yard).spoken) == ((), {})


def test_states_follow_each_other_and_openings_are_told_apart(yard):
    for state, at in (
        (LOCKED, "08:30"),
        (UNLOCKED, "09:00"),
        (CUT, "09:01"),
        (LOCKED, "09:05"),
        (CUT, "10:00"),
    ):
        says(yard, "ES-1", state, at)
    (worn,) = folded(yard).worn
    assert worn.during(LOCKED) == [(clock("08:30"), clock("09:00")), (clock("09:05"), clock("10:00"))]
    first, second = worn.openings()
    assert [mark.state for mark in first[0]] == [UNLOCKED, CUT]
    assert first[1] == clock("09:05")
    assert ([mark.state for mark in second[0]], second[1]) == ([CUT], None)
    assert worn.state_at(clock("08:00")) is None


def test_a_record_takes_the_open_seal_off(yard):
    says(yard, "ES-1", LOCKED, "08:30")
    says(yard, "ES-1", UNLOCKED, "09:00")
    yard.files(SealRecord("ES-2", iso_class="H"), at="09:10")
    assert (on(yard, "09:09"), on(yard, "09:10")) == ({"ES-1"}, {"ES-2"})
    assert [worn.iso_class for worn in folded(yard).worn] == [None, "H"]


def test_of_two_seals_a_record_takes_the_named_one_or_that_of_the_thing(yard):
    yard.holds_goods(OTHER_BOX)
    says(yard, "ES-1", LOCKED, "08:30")
    says(yard, "ES-2", LOCKED, "08:31", OTHER_BOX)
    yard.files(SealRecord("ES-3"), at="09:00")  # nothing tells which of the two
    assert on(yard, "09:00") == {"ES-1", "ES-2", "ES-3"}
    yard.files(SealRecord("ES-4", replaces="ES-1"), at="09:10")
    yard.files(SealRecord("ES-5"), at="09:20", things=[OTHER_BOX])
    assert on(yard, "09:20") == {"ES-3", "ES-4", "ES-5"}


def test_what_a_replaced_seal_says_counts_no_more(yard):
    says(yard, "ES-1", LOCKED, "08:30")
    yard.files(SealRecord("ES-2", replaces="ES-1"), at="09:00")
    says(yard, "ES-1", CUT, "09:30")
    says(yard, "ES-1", LOCKED, "09:40")
    assert on(yard, "10:00") == {"ES-2"}
    assert [mark.state for worn in folded(yard).worn for mark in worn.marks] == [LOCKED, LOCKED]


def test_a_seal_that_is_put_on_again_is_worn_twice(yard):
    for seal, at in (("ES-1", "08:30"), ("ES-2", "09:00"), ("ES-1", "10:00")):
        yard.files(SealRecord(seal), at=at)
    assert [(worn.seal, worn.begins, worn.ends) for worn in folded(yard).worn] == [
        ("ES-1", clock("08:30"), clock("09:00")),
        ("ES-2", clock("09:00"), clock("10:00")),
        ("ES-1", clock("10:00"), None),
    ]


def test_the_first_gate_is_believed_and_the_next_compares(yard):
    gate(yard, "BOLT-7", at="08:41")
    gate(yard, "BOLT-8", at="11:00")
    first, second = folded(yard).readings
    assert (first.missing, first.foreign) == (frozenset(), frozenset())
    assert (second.missing, second.foreign) == ({"BOLT-7"}, {"BOLT-8"})


def test_a_gate_that_reads_no_seals_is_no_reading(yard):
    says(yard, "ES-1", LOCKED, "08:30")
    gate(yard, at="08:41")
    assert folded(yard).readings == ()


def test_a_reader_s_word_is_a_reading_and_a_reader_can_tell_of_a_cut(yard):
    says(yard, "ES-1", LOCKED, "08:30")
    meets(yard, "ES-2", "09:00")
    meets(yard, "ES-1", "09:10", CUT)
    seals = folded(yard)
    assert [(reading.read, reading.missing) for reading in seals.readings] == [({"ES-2"}, {"ES-1"})]
    assert [mark.state for mark in seals.worn[0].marks] == [LOCKED, CUT]


def test_a_seal_that_changes_its_own_number_is_a_reading(yard):
    says(yard, "ES-1", LOCKED, "08:30")
    says(yard, "ES-9", LOCKED, "09:00", device="SIP/ES-1")
    (reading,) = folded(yard).readings
    assert (reading.missing, reading.foreign) == ({"ES-1"}, {"ES-9"})
    assert on(yard, "10:00") == {"ES-1"}


def test_a_gate_compares_the_seals_of_what_it_saw(yard):
    yard.holds_goods(OTHER_BOX)
    says(yard, "ES-1", LOCKED, "08:30")
    says(yard, "ES-2", LOCKED, "08:31", OTHER_BOX)
    gate(yard, "ES-2", at="09:00", things=(OTHER_BOX,))
    gate(yard, "ES-1", "ES-2", at="10:00")
    one, both = folded(yard).readings
    assert (one.expected, both.expected) == ({"ES-2"}, {"ES-1", "ES-2"})


def test_another_truck_s_gate_puts_its_own_seal_on(yard):
    yard.holds_goods(OTHER_BOX)
    says(yard, "ES-1", LOCKED, "08:30")
    gate(yard, "BOLT-2", at="09:00", things=(OTHER_BOX,))
    assert on(yard, "09:00") == {"ES-1", "BOLT-2"}
    assert [reading.missing for reading in folded(yard).readings] == [frozenset()]


def test_the_terms_name_a_seal_until_somebody_tells_of_one(yard):
    stay, move, rest = PVG_TO_SIP["legs"]
    named: dict[str, Any] = {"legs": [{**stay, "seal": "BOLT-7"}, {**move, "seal": "BOLT-7"}, rest]}
    yard.holds("S-1", named, since="06:00")
    (worn,) = folded(yard).worn
    assert (worn.seal, worn.begins, worn.marks) == ("BOLT-7", clock("08:00"), ())
    gate(yard, "BOLT-7", at="08:41")
    assert [mark.state for mark in folded(yard).worn[0].marks] == [LOCKED]


# ---- whatever came first

BEGIN = clock("08:00")
moments = st.integers(0, 40).map(lambda minutes: BEGIN + timedelta(minutes=minutes))
numbers = st.sampled_from(["ES-1", "ES-2", "ES-3"])
things = st.frozensets(st.sampled_from(["urn:epc:id:bic:A", "urn:epc:id:bic:B"]), max_size=2)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    number = draw(numbers)
    device, kind = draw(st.sampled_from([(f"SIP/{number}", "seal"), ("SIP/RD-1", "scanner")]))
    fact: Seal | Gate = Seal(number, draw(st.sampled_from(list(SealState))))
    if draw(st.integers(0, 3)) == 0:
        device, kind = "SIP/G-1", "gate"
        read = draw(st.lists(numbers, max_size=2, unique=True))
        fact = Gate("G-1", "1", Direction.IN, seals=read)
    return Report(draw(moments), device, kind, 1, draw(st.integers(0, 10_000)), fact, draw(things))


@st.composite
def records(draw: st.DrawFn) -> Document:
    body = SealRecord(draw(numbers), draw(st.none() | numbers))
    return Document(draw(st.integers(1, 10_000)), "", draw(moments), body, "declared", "desk", draw(things))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(reports(), max_size=15, unique_by=lambda report: report.order),
    st.lists(records(), max_size=4, unique_by=lambda document: document.entry),
    st.randoms(use_true_random=False),
)
def test_order_and_repetition_change_nothing(told, filed, dice):
    yard = Yard()
    yard.truck().enters("PVGCARGO", at="07:00")
    facts = msgspec.structs.replace(yard.facts(), reports=tuple(told), documents=tuple(filed))
    seals = _fold(facts)
    assert _fold(_repeated(facts, dice)) == seals
    for worn in seals.worn:
        assert worn.ends is None or worn.begins <= worn.ends
        assert [mark.time for mark in worn.marks] == sorted(mark.time for mark in worn.marks)
        assert all(
            one.state is not other.state for one, other in zip(worn.marks, worn.marks[1:], strict=False)
        )
    for reading in seals.readings:
        assert reading.read
        assert reading.expected <= reading.known


def _fold(facts: Facts) -> Seals:
    return open_case(facts, clock("23:00")).seals


def _repeated(facts: Facts, dice: Any) -> Facts:
    def mixed(items: tuple[Any, ...]) -> tuple[Any, ...]:
        more = [item for item in items for _ in range(dice.randint(1, 3))]
        dice.shuffle(more)
        return tuple(more)

    return msgspec.structs.replace(facts, reports=mixed(facts.reports), documents=mixed(facts.documents))
