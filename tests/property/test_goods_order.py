"""What is said of goods judges the same in any order, and time alone changes nothing before its due."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.observation import Action, Direction, Gate, Handover, Role, Scan
from tests.support.yard import EPOCH, Yard, clock
from tracking.domain.custody.documents import (
    Conveyance,
    Count,
    Declaration,
    GatePass,
    PassMoved,
    PassState,
    PassType,
    Release,
    Status,
    Steps,
)
from tracking.domain.custody.facts import AreaRevision, Facts, GateWatch
from tracking.domain.custody.judge import Judgement, judge
from tracking.domain.custody.rules import RULES

TERMS: dict[str, Any] = {
    "legs": [
        {"type": "stay", "zones": ["WHMIX01"], "needs_release": True, "custodian": "A"},
        {"type": "move", "from_zones": ["WHMIX01"], "to_zones": ["PVGCARGO"], "custodian": "B"},
        {"type": "stay", "zones": ["PVGCARGO"]},
    ],
    "rules": {
        "nonbonded_spot_check_due": {"parameters": {"sample_pct": 100}},
        "stock_mismatch": {"parameters": {"count_age_d": 1}},
        "enter_first_declare_late": {"parameters": {"limit_days": 2, "warn_days": 1}},
    },
}
OURS = {code for code, rule in RULES.items() if rule.number[0] in "DEH"}
ITEMS = ["P-1", "P-2", "CASE-1"]
PLACES = ["WHMIX01-B", "WHMIX01-N", "WHMIX01-Q", "KSCBZ", None]
ACTIONS = [
    Action.STORING, Action.PICKING, Action.PACKING, Action.LOADING, Action.UNLOADING, Action.RECEIVING,
    Action.INSPECTING,
]  # fmt: skip
A_TICK = timedelta(microseconds=1)

thorough = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
moments = st.integers(0, 240).map(lambda step: clock("06:00") + timedelta(minutes=step * 6))
things = st.lists(st.sampled_from(ITEMS), max_size=2, unique=True)

told = st.one_of(
    st.builds(
        Scan,
        st.sampled_from(ITEMS),
        st.sampled_from(ACTIONS),
        st.sampled_from([None, "苏E33D71", "CASE-1"]),
        st.sampled_from(PLACES),
    ),
    st.builds(
        Handover,
        st.sampled_from("AB"),
        st.sampled_from("BC"),
        st.sampled_from(Role),
        code=st.sampled_from(ITEMS),
    ),
    st.builds(Gate, st.just("G-PVG-N1"), st.just("1"), st.sampled_from(Direction), st.just("苏E33D71")),
)
papers = st.one_of(
    st.builds(Status, st.sampled_from(["bonded", "non_bonded"]), st.none() | st.just("D-1")),
    st.builds(Release, st.sampled_from(["released", "hold"])),
    st.sampled_from([9.0, 10.0]).map(lambda count: Count("WHMIX01-B", 10.0, count, serialised=True)),
    st.builds(Steps, st.just(("pick", "pack", "load", "gate")), st.just({"load": 1.0})),
    st.just(Steps(("pick", "polish"))),
    st.just(Conveyance()),
    st.just(Declaration()),
    st.just(GatePass(PassType.ENTER_FIRST, Direction.IN, "SIPCBZ-E", "苏E33D71")),
    st.just(PassMoved(PassState.VOID)),
)  # fmt: skip


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    yard = Yard()
    yard.holds("S-1", TERMS, since="00:00")
    yard.areas["G-PVG-N1"] = (AreaRevision("G-PVG-N1", "gate", False, "PVGCARGO", 1, EPOCH),)
    heard = draw(st.none() | moments)
    yard.gates.append(GateWatch("G-PVG-N1", "PVGCARGO", "SIP/G-PVG-N1", 600, heard, ()))
    yard.holds_goods("P-1")
    yard.holds_goods("P-2")
    if draw(st.booleans()):
        truck = yard.truck(every_s=86_400).enters("WHMIX01", at="06:00").leaves("WHMIX01", at="12:00")
        truck.enters("PVGCARGO", at="14:00")
    for fact, at in draw(st.lists(st.tuples(told, moments), max_size=20)):
        named = [fact.parent] if isinstance(fact, Scan) and fact.parent is not None else []
        device = draw(st.sampled_from(["SIP/SC-1", "SIP/SC-2"]))
        report = yard.hears(fact, at="06:00", device=device, things=named)
        yard.reports["S-1"][-1] = msgspec.structs.replace(report, time=at)
    for body, at, named in draw(st.lists(st.tuples(papers, moments, things), max_size=10)):
        number = "Z-1" if isinstance(body, GatePass | PassMoved) else "D-1"
        document = yard.files(body, at="06:00", number=number, things=named)
        yard.documents["S-1"][-1] = msgspec.structs.replace(document, time=at)
    return yard.facts()


def ours(judgement: Judgement) -> list[Any]:
    return [f for f in judgement.findings if f.verdict.rule in OURS]


@thorough
@given(facts(), moments, st.randoms(use_true_random=False))
def test_the_order_of_what_is_said_does_not_matter(given_facts: Facts, until: datetime, dice: Any) -> None:
    def mixed(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dice.sample(list(items), len(items)))

    other = msgspec.structs.replace(
        given_facts, reports=mixed(given_facts.reports), documents=mixed(given_facts.documents)
    )
    assert judge(other, until) == judge(given_facts, until)


@thorough
@given(facts(), moments)
def test_time_alone_changes_nothing_before_the_due_moment(given_facts: Facts, until: datetime) -> None:
    judgement = judge(given_facts, until)
    later = until + timedelta(days=10) if judgement.next_due is None else judgement.next_due - A_TICK
    assert ours(judge(given_facts, later)) == ours(judgement)


@thorough
@given(facts(), moments)
def test_findings_never_end_before_they_begin_and_rest_on_something(
    given_facts: Facts, until: datetime
) -> None:
    for finding in ours(judge(given_facts, until)):
        opened_at, closed_at = finding.verdict.opened_at, finding.verdict.closed_at
        assert closed_at is None or opened_at <= closed_at
        assert finding.verdict.evidence
