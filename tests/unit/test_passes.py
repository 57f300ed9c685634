"""Gate passes: their states, and which vehicle at which gate used which, in whatever order that came."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.observation import Direction
from tests.support.gate_yard import GateYard, PassType
from tests.support.yard import clock
from tracking.domain.custody.documents import GatePass, PassMoved, PassState
from tracking.domain.custody.gatehouse import place_of
from tracking.domain.custody.passages import PassBook, PassLimits, Refusal
from tracking.domain.custody.passes import PASS_MOVES, PassEvent, Use
from tracking.domain.custody.passing import fold
from tracking.domain.custody.standing import standing


@pytest.fixture
def yard() -> GateYard:
    return GateYard()


def state(yard: GateYard, number: str = "Z-1") -> PassState:
    return yard.book().passes[number].state


def refused(book: PassBook) -> list[set[Refusal]]:
    return [set(passage.refusals) for passage in book.passages]


# ---- the table


def test_the_table_knows_nothing_that_brings_a_dead_or_used_pass_back():
    final = {PassState.PASSED, PassState.SECOND_GATE, PassState.DELETED, PassState.VOID}
    assert not [move for move in PASS_MOVES if move[0] in final]


def test_only_an_approved_pass_is_used():
    uses = {PassEvent.GATE, PassEvent.FIRST_GATE}
    assert {state for state, event in PASS_MOVES if event in uses} == {PassState.APPROVED}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], PassState.APPLIED),
        (["approved"], PassState.APPROVED),
        (["approved", "approved"], PassState.APPROVED),
        (["approved", "void"], PassState.VOID),
        (["deleted"], PassState.DELETED),
        (["void", "approved"], PassState.VOID),
        (["passed"], PassState.APPLIED),
        (["approved", "passed", "void"], PassState.PASSED),
        (["approved", "first_gate", "second_gate"], PassState.SECOND_GATE),
        (["approved", "second_gate"], PassState.APPROVED),
        (["approved", "applied"], PassState.APPLIED),
    ],
)
def test_words_move_a_pass_as_the_table_allows(yard: GateYard, words: list[str], expected: PassState):
    yard.files_pass(approved=None)
    for minute, word in enumerate(words, start=10):
        yard.moves_pass("Z-1", PassState(word), at=f"08:{minute}")
    assert state(yard) is expected


def test_what_is_refused_is_remembered(yard: GateYard):
    yard.files_pass(approved=None)
    word = yard.moves_pass("Z-1", PassState.PASSED, at="08:10")
    assert yard.book().passes["Z-1"].refused == (word,)


def test_of_one_moment_the_application_counts_before_the_approval(yard: GateYard):
    yard.moves_pass("Z-1", PassState.APPROVED, at="08:00")
    yard.files_pass(at="08:00", approved=None)
    assert state(yard) is PassState.APPROVED


def test_another_vehicle_on_an_approved_pass_needs_another_approval(yard: GateYard):
    yard.files_pass()
    yard.files_pass(vehicle="沪BD818N", at="09:00", approved=None)
    assert state(yard) is PassState.APPLIED
    yard.at_gate("G-SIPE-N1", "沪BD818N", at="09:30")
    assert refused(yard.book()) == [{Refusal.NOT_APPROVED}]


def test_applied_for_twice_with_the_same_contents_stays_approved(yard: GateYard):
    yard.files_pass()
    yard.files_pass(at="09:00", approved=None)
    assert state(yard) is PassState.APPROVED


def test_the_state_at_any_moment(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="11:16")
    paper = yard.book().passes["Z-1"]
    asked = [paper.state_at(clock(time)) for time in ("07:59", "08:00", "08:10", "11:15:59", "11:16")]
    applied, approved, passed = PassState.APPLIED, PassState.APPROVED, PassState.PASSED
    assert asked == [None, applied, approved, approved, passed]


# ---- use at a gate


def test_a_report_that_names_the_pass_uses_it(yard: GateYard):
    yard.files_pass()
    report = yard.at_gate(at="11:16", pass_number="Z-1")
    (use,) = yard.book().uses("Z-1")
    assert (use.report, use.used_at) == (report, clock("11:16"))
    assert state(yard) is PassState.PASSED


def test_a_plate_finds_the_pass_for_its_zone_and_direction(yard: GateYard):
    yard.files_pass("Z-OUT", direction=Direction.OUT)
    yard.files_pass("Z-KS", zone="KSCBZ")
    yard.files_pass("Z-IN")
    yard.at_gate(at="11:16")
    book = yard.book()
    assert [len(book.uses(number)) for number in ("Z-IN", "Z-OUT", "Z-KS")] == [1, 0, 0]


def test_of_two_passes_for_one_vehicle_the_earlier_is_used_first(yard: GateYard):
    yard.files_pass("Z-2", approved="09:00")
    yard.files_pass("Z-1", approved="08:30")
    yard.at_gate(at="11:16")
    yard.at_gate(at="14:00")
    book = yard.book()
    assert [book.uses(number)[0].time for number in ("Z-1", "Z-2")] == [clock("11:16"), clock("14:00")]


def test_at_the_moment_of_its_approval_it_is_approved(yard: GateYard):
    yard.files_pass(approved="11:16")
    yard.at_gate(at="11:16")
    assert state(yard) is PassState.PASSED


def test_a_wrong_vehicle_does_not_use_it(yard: GateYard):
    yard.files_pass()
    yard.at_gate(plate="沪BD818N", at="11:16", confidence=0.99, pass_number="Z-1")
    assert refused(yard.book()) == [{Refusal.OTHER_VEHICLE}]
    assert state(yard) is PassState.APPROVED


def test_a_wrong_container_does_not_use_it(yard: GateYard):
    yard.files_pass(containers=["BNDU1000010"])
    yard.at_gate(at="11:16", containers=["BNDU1000026"])
    assert refused(yard.book()) == [{Refusal.OTHER_CONTAINER}]
    assert state(yard) is PassState.APPROVED


def test_a_look_alike_waits_for_an_officer_and_uses_it_from_that_word_on(yard: GateYard):
    yard.files_pass()
    report = yard.at_gate(plate="苏E33071", at="11:16", confidence=0.93, pass_number="Z-1")
    assert refused(yard.book()) == [{Refusal.DOUBTFUL_VEHICLE}]
    yard.confirms_plate(report, "苏E33D71", at="11:20")
    (use,) = yard.book().uses("Z-1")
    assert (use.time, use.used_at) == (clock("11:16"), clock("11:20"))


def test_an_officer_who_reads_another_plate_refuses_it(yard: GateYard):
    yard.files_pass()
    report = yard.at_gate(at="11:16", pass_number="Z-1")
    yard.confirms_plate(report, "苏E33071", at="11:20")
    assert refused(yard.book()) == [{Refusal.OTHER_VEHICLE}]


def test_while_one_vehicle_waits_for_a_word_the_pass_is_free_for_its_own(yard: GateYard):
    yard.files_pass()
    doubtful = yard.at_gate(plate="苏E33071", at="11:16", confidence=0.93, pass_number="Z-1")
    yard.at_gate(at="11:18", lane="2", pass_number="Z-1")
    yard.confirms_plate(doubtful, "苏E33D71", at="11:20")
    assert refused(yard.book()) == [{Refusal.USED}, set()]


def test_an_override_opens_for_what_the_vehicle_looks_like_not_for_a_dead_pass(yard: GateYard):
    yard.files_pass()
    report = yard.at_gate(plate="沪BD818N", at="11:16", confidence=0.99, pass_number="Z-1")
    yard.overrides(report, "open", at="11:25")
    assert [use.used_at for use in yard.book().uses("Z-1")] == [clock("11:25")]
    yard.moves_pass("Z-1", PassState.VOID, at="11:24")
    assert refused(yard.book()) == [{Refusal.DEAD}]


def test_what_an_officer_holds_is_not_used(yard: GateYard):
    yard.files_pass()
    report = yard.at_gate(at="11:16")
    yard.overrides(report, "hold", at="11:17")
    assert refused(yard.book()) == [{Refusal.HELD}]
    yard.overrides(report, "open", at="11:30")
    assert [use.used_at for use in yard.book().uses("Z-1")] == [clock("11:16")]


def test_a_second_use_is_refused(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="11:16", pass_number="Z-1")
    yard.at_gate(at="13:00", pass_number="Z-1")
    assert refused(yard.book()) == [set(), {Refusal.USED}]


def test_a_vehicle_read_again_in_its_lane_is_one_passage(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="11:16:00", weight_kg=0)
    yard.at_gate(at="11:16:40", weight_kg=41_060)
    yard.at_gate(at="11:17:30")
    (passage,) = yard.book().passages
    assert (len(passage.reads), passage.weight_kg) == (3, 41_060)


def test_a_doubtful_reading_is_put_right_by_a_sure_one(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="11:16:00", confidence=0.6)
    yard.at_gate(at="11:16:20", confidence=0.97)
    assert refused(yard.book()) == [{Refusal.DOUBTFUL_VEHICLE}, set()]


def test_two_gates_are_passed_one_after_the_other(yard: GateYard):
    yard.files_pass(two_gates=True)
    yard.at_gate("G-SIPE-N1", at="11:16")
    assert state(yard) is PassState.FIRST_GATE
    yard.at_gate("G-SIPE-N1", at="11:30", pass_number="Z-1")
    assert state(yard) is PassState.FIRST_GATE
    yard.at_gate("G-SIPE-S1", at="11:40", direction=Direction.IN)
    assert state(yard) is PassState.SECOND_GATE
    assert refused(yard.book()) == [set(), {Refusal.USED}, set()]


def test_others_word_of_a_passage_and_the_gate_s_report_of_it_are_one_use(yard: GateYard):
    yard.files_pass()
    yard.moves_pass("Z-1", PassState.PASSED, at="11:15:30")
    yard.at_gate(at="11:16", pass_number="Z-1")
    yard.moves_pass("Z-1", PassState.PASSED, at="11:17")
    book = yard.book()
    assert refused(book) == [set()]
    assert book.passes["Z-1"].used_at() == (clock("11:15:30"),)
    yard.at_gate(at="11:40", pass_number="Z-1")
    assert refused(yard.book()) == [set(), {Refusal.USED}]


def test_a_named_pass_for_another_zone_gives_way_to_the_one_that_fits(yard: GateYard):
    yard.files_pass("Z-KS", zone="KSCBZ")
    yard.at_gate(at="11:16", pass_number="Z-KS")
    assert refused(yard.book()) == [{Refusal.OTHER_ZONE}]
    yard.files_pass("Z-SIP")
    assert len(yard.book().uses("Z-SIP")) == 1


def test_another_vehicle_without_a_word_of_a_pass_has_none(yard: GateYard):
    yard.files_pass()
    yard.at_gate(plate="沪BD818N", at="11:16")
    assert refused(yard.book()) == [{Refusal.NO_PAPER}]


def test_another_vehicle_with_the_containers_of_a_pass_tried_that(yard: GateYard):
    yard.files_pass(containers=["BNDU1000010"])
    yard.at_gate(plate="沪BD818N", at="11:16", containers=["BNDU1000010"])
    assert refused(yard.book()) == [{Refusal.OTHER_VEHICLE}]


def test_a_vehicle_that_comes_early_uses_its_pass_from_the_approval_on(yard: GateYard):
    yard.files_pass(approved="11:20")
    yard.at_gate(at="11:16")
    assert refused(yard.book()) == [{Refusal.NOT_APPROVED}]
    (use,) = yard.book(limits=PassLimits(early_tolerance_min=5)).uses("Z-1")
    assert use.used_at == clock("11:20")
    assert refused(yard.book(limits=PassLimits(early_tolerance_min=3))) == [{Refusal.NOT_APPROVED}]


def test_a_vehicle_that_had_unloaded_the_goods_does_not_speak_for_them(yard: GateYard):
    yard.holds_goods("苏E33D71", is_goods=False, ends="12:05")
    yard.at_gate("G-SIPE-N2", at="12:00")
    yard.at_gate("G-SIPE-N2", at="12:40")
    assert len(yard.book().passages) == 1


# ---- what is shown of a pass: its papers and the gates' decisions


@pytest.mark.parametrize(
    ("words", "uses", "expected", "since"),
    [
        ([], ["G-1 11:16"], "first_gate", "11:16"),
        ([("first_gate", "11:15")], ["G-1 11:16"], "first_gate", "11:15"),
        ([("first_gate", "11:17")], ["G-1 11:16"], "first_gate", "11:16"),
        ([("first_gate", "11:40")], ["G-1 11:16"], "first_gate", "11:16"),
        ([("first_gate", "11:15")], ["G-1 11:16", "G-2 11:20"], "second_gate", "11:20"),
        ([("first_gate", "11:00")], ["G-2 11:40"], "second_gate", "11:40"),
        ([("first_gate", "11:15"), ("second_gate", "11:22")], ["G-2 11:20", "G-1 11:16"], "second_gate",
         "11:20"),
        ([], ["G-1 11:16", "G-1 11:17"], "first_gate", "11:16"),
        ([], ["G-1 11:16", "G-1 11:17", "G-1 11:18", "G-2 11:18:30"], "second_gate", "11:18:30"),
        ([], ["G-1 08:05"], "first_gate", "08:10"),
        ([("void", "11:30")], ["G-1 11:16"], "void", "11:30"),
        ([("void", "11:10")], ["G-1 11:16"], "void", "11:10"),
    ],
)  # fmt: skip
def test_a_passage_that_a_paper_tells_of_too_counts_once(
    yard: GateYard, words: list[tuple[str, str]], uses: list[str], expected: str, since: str
):
    yard.files_pass(two_gates=True)
    for word, time in words:
        yard.moves_pass("Z-1", PassState(word), at=time)
    used = [Use(clock(time), gate) for gate, time in (use.split(" ") for use in uses)]
    shown = standing(yard.documents["S-1"], used)
    assert shown is not None
    assert (shown.state, shown.since) == (PassState(expected), clock(since))


def test_a_pass_that_nobody_applied_for_stands_nowhere():
    assert standing([], [Use(clock("11:16"), "G-1")]) is None


@given(st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_what_is_shown_of_a_pass_is_what_the_court_finds(dice: random.Random):
    yard = _story(dice)
    book = yard.book()
    for number, paper in book.passes.items():
        uses = [Use(use.used_at, use.gate.gate) for use in book.uses(number) if use.used_at is not None]
        papers = [d for d in yard.documents["S-1"] if d.number == number]
        shown = standing(dice.sample(papers, len(papers)), dice.sample(uses, len(uses)))
        assert shown is not None
        assert (shown.state, shown.since, shown.body) == (paper.state, paper.since, paper.body)


# ---- order and repetition


def test_a_late_report_changes_who_used_the_pass(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="13:00", pass_number="Z-1")
    assert [use.time for use in yard.book().uses("Z-1")] == [clock("13:00")]
    yard.at_gate(at="11:16", pass_number="Z-1")
    assert [use.time for use in yard.book().uses("Z-1")] == [clock("11:16")]
    assert refused(yard.book()) == [set(), {Refusal.USED}]


def _story(dice: random.Random) -> GateYard:
    yard = GateYard()
    plates = ("苏E33D71", "苏E33071", "沪BD818N")

    def moment() -> str:
        return f"{dice.randint(8, 12):02}:{dice.randint(0, 59):02}"

    for number in ("Z-1", "Z-2"):
        more = {"two_gates": dice.random() < 0.4, "type": PassType.FIRST_LINE}
        yard.files_pass(number, dice.choice(plates), at="07:00", approved=moment(), **more)
    for _ in range(dice.randint(0, 3)):
        yard.moves_pass(dice.choice(("Z-1", "Z-2")), dice.choice(list(PassState)), at=moment())
    for _ in range(dice.randint(1, 6)):
        report = yard.at_gate(
            dice.choice(("G-SIPE-N1", "G-SIPE-S1")),
            dice.choice(plates),
            at=moment(),
            direction=Direction.IN,
            confidence=dice.choice((0.5, 0.95)),
            pass_number=dice.choice((None, "Z-1", "Z-2", "Z-9")),
        )
        word = dice.random()
        if word < 0.3:
            yard.confirms_plate(report, dice.choice(plates), at=moment())
        elif word < 0.5:
            yard.overrides(report, dice.choice(("open", "hold", "inspect")), at=moment())
    return yard


@given(st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_order_and_repetition_change_no_use(dice: random.Random):
    yard = _story(dice)
    yard.truck()
    facts = yard.facts()
    placed = [(report, place_of(facts, report)) for report in facts.reports]
    limits = PassLimits(early_tolerance_min=dice.choice((0, 20)))
    whole = fold(facts.documents, placed, limits)
    repeated = [msgspec.structs.replace(d, entry=d.entry + 1000) for d in facts.documents]
    papers = dice.sample([*facts.documents, *repeated], 2 * len(repeated))
    again = fold(papers, dice.sample(placed * 2, 2 * len(placed)), limits)
    assert _uses(again) == _uses(whole)


def _uses(book: PassBook) -> list[tuple[object, ...]]:
    passages = [
        (p.report.order, p.paper and p.paper.number, p.refusals, p.used_at, p.likeness) for p in book.passages
    ]
    states = [
        (number, [(c.time, c.state) for c in book.passes[number].changes]) for number in sorted(book.passes)
    ]
    return [*passages, *states]


@given(st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_no_pass_is_used_more_often_than_it_has_gates(dice: random.Random):
    yard = _story(dice)
    book = yard.book()
    for number, paper in book.passes.items():
        told = [d for d in yard.documents["S-1"] if d.number == number and isinstance(d.body, PassMoved)]
        says_two = any(d.body.state is PassState.FIRST_GATE for d in told if isinstance(d.body, PassMoved))
        assert isinstance(paper.body, GatePass)
        assert len(book.uses(number)) <= (2 if paper.body.two_gates or says_two else 1)
