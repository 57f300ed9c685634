"""Findings are a function of the facts: whatever came first, in whatever batches, they end the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.observation import micros
from tests.support.yard import AREAS, PVG_TO_SIP, Yard, clock, stepped
from tracking.domain.custody.facts import AreaBook, Carriage, Facts, Milestone, TermsRevision
from tracking.domain.custody.judge import judge
from tracking.domain.custody.rules.place import ForbiddenLimits
from tracking.domain.custody.terms import parse
from tracking.domain.custody.verdicts import Finding, Outcome
from tracking.judge.outcome import changes
from tracking.store.findings import FindingRow

BEGIN = clock("06:00")
ZONES = [code for code, kind, _, _ in AREAS if kind != "corridor"]
LAYBY = "LAYBY-LD"
LAYBY_STAY = timedelta(seconds=ForbiddenLimits().layby_min_stay_s)
CORRIDORS = [code for code, kind, _, _ in AREAS if kind == "corridor"]

thorough = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
moments = st.integers(0, 600).map(lambda minutes: BEGIN + timedelta(minutes=minutes))


@st.composite
def histories(draw: st.DrawFn) -> tuple[Milestone, ...]:
    """What a track could tell: entered before left, strayed after returned, heard after silent."""
    told: list[Milestone] = []
    inside: dict[str, bool] = {}
    silent_since: datetime | None = None
    times = sorted(draw(st.lists(moments, max_size=25)))
    for seq, time in enumerate(times):
        if silent_since is not None:
            detail = {"last_heard": [micros(silent_since), 1, 0]}
            told.append(Milestone(time, "heard", None, detail, (time, 1, seq)))
            silent_since = None
        code = draw(st.sampled_from(ZONES + CORRIDORS))
        is_inside = inside[code] = not inside.get(code, False)
        kinds = ("entered", "left") if code in ZONES else ("returned", "strayed")
        told.append(Milestone(time, kinds[not is_inside], code, {}, (time, 1, seq)))
        if draw(st.integers(0, 9)) == 0:
            after = time + timedelta(minutes=draw(st.integers(0, 3)))
            crossed = {
                "certain": draw(st.booleans()),
                "before": [micros(time), 1, 0],
                "after": [micros(after), 1, 1],
            }
            zone = draw(st.sampled_from(ZONES))
            told.append(Milestone(after, "crossed", zone, crossed, (after, 1, seq)))
        quiet = (times[seq + 1] if seq + 1 < len(times) else time + timedelta(hours=1)) - time
        if quiet > timedelta(minutes=5):
            due = time + timedelta(minutes=5)
            told.append(Milestone(due, "silent", None, {"last_heard": [micros(time), 1, 0]}, (due, -1, -1)))
            silent_since = time
    return tuple(sorted(told, key=lambda m: (m.time, m.at, m.kind, m.area or "")))


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    carriages = []
    for number in range(draw(st.integers(1, 3))):
        told = draw(histories())
        begins = draw(moments)
        ends = draw(st.none() | moments.map(lambda end: end + timedelta(minutes=1)))
        if ends is not None and ends <= begins:
            ends = None
        spoken = [m.time for m in told if m.kind != "silent"]
        carriages.append(
            Carriage(
                device=f"SIP/D-{number}",
                role=draw(st.sampled_from(["primary", "primary", "secondary", "seal"])),
                expected_every_s=60,
                begins=begins,
                ends=ends,
                last_heard=max(spoken, default=None),
                last_fix=max(spoken, default=None),
                milestones=told,
            )
        )
    revisions = [TermsRevision(1, BEGIN, parse(PVG_TO_SIP))]
    if draw(st.booleans()):
        strict: list[dict[str, Any]] = [
            {**leg, "max_silence_s": draw(st.sampled_from([60, 600, 7200]))} for leg in PVG_TO_SIP["legs"]
        ]
        revisions.append(TermsRevision(2, draw(moments), parse({"legs": strict[: draw(st.integers(1, 3))]})))
    return Facts("S-1", tuple(revisions), tuple(carriages), AreaBook(Yard().areas), draw(st.none() | moments))


@thorough
@given(facts(), moments, st.randoms(use_true_random=False))
def test_the_order_of_facts_does_not_matter(given_facts: Facts, until: datetime, dice: Any) -> None:
    def mixed(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dice.sample(list(items), len(items)))

    other = msgspec.structs.replace(
        given_facts, terms=mixed(given_facts.terms), carriages=mixed(given_facts.carriages)
    )
    assert judge(other, until) == judge(given_facts, until)


@thorough
@given(facts(), st.lists(moments, max_size=4), moments)
def test_looking_in_between_changes_nothing(
    given_facts: Facts, looks: list[datetime], until: datetime
) -> None:
    """Judging has no memory: what was judged on the way, at other watermarks, leaves no trace."""
    once = judge(given_facts, until)
    for look in looks:
        judge(given_facts, look)
    assert judge(given_facts, until) == once


@thorough
@given(facts(), moments, st.randoms(use_true_random=False), st.integers(1, 5))
def test_however_facts_arrive_what_holds_in_the_end_is_the_same(
    given_facts: Facts, until: datetime, dice: Any, batches: int
) -> None:
    """Milestones come in any order and in batches, each judged; what holds is as if judged once."""
    arrival = {m: dice.randint(1, batches) for c in given_facts.carriages for m in _keys(c)}
    held: dict[str, FindingRow] = {}
    for batch in range(1, batches + 1):
        known = msgspec.structs.replace(
            given_facts,
            carriages=tuple(_as_far_as(c, arrival, batch) for c in given_facts.carriages),
        )
        for change in changes(judge(known, until), held):
            assert change.before == held.get(change.after.finding_id)
            held[change.after.finding_id] = change.after
    once = {change.after.finding_id: change.after for change in changes(judge(given_facts, until), {})}
    assert {name: row for name, row in held.items() if row.state != "withdrawn"} == once


def _keys(carriage: Carriage) -> list[tuple[str, int]]:
    return [(carriage.device, place) for place in range(len(carriage.milestones))]


def _as_far_as(carriage: Carriage, arrival: dict[tuple[str, int], int], batch: int) -> Carriage:
    """The carriage with the milestones that have arrived by then, and what follows from those alone."""
    told = tuple(
        milestone
        for place, milestone in enumerate(carriage.milestones)
        if arrival[carriage.device, place] <= batch
    )
    spoken = max((m.time for m in told if m.kind != "silent"), default=None)
    return msgspec.structs.replace(carriage, milestones=told, last_heard=spoken, last_fix=spoken)


@thorough
@given(facts(), moments)
def test_nothing_changes_between_two_looks(given_facts: Facts, until: datetime) -> None:
    """Looking only when somebody asked for it finds what looking all the time would."""
    assert stepped(given_facts, until).findings == judge(given_facts, until).findings


@thorough
@given(facts(), moments)
def test_findings_are_well_formed(given_facts: Facts, until: datetime) -> None:
    judgement = judge(given_facts, until)
    ids = [finding.finding_id for finding in judgement.findings]
    assert len(set(ids)) == len(ids)
    for finding in judgement.findings:
        verdict = finding.verdict
        assert verdict.closed_at is None or verdict.opened_at <= verdict.closed_at
        assert verdict.evidence
        assert verdict.terms_revision in {revision.revision for revision in given_facts.terms}
        if given_facts.closed_at is not None:
            assert verdict.opened_at < given_facts.closed_at
            assert verdict.closed_at is not None
    assert judgement.next_due is None or judgement.next_due > until
    assert not _overlapping(judgement.findings)


def _overlapping(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    """Findings of one rule and cause never overlap: a moment is one finding."""
    by_cause: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.verdict.outcome is Outcome.FINDING:
            by_cause.setdefault((finding.verdict.rule, finding.verdict.cause), []).append(finding)
    return [
        key
        for key, group in by_cause.items()
        for one, following in pairwise(group)
        if one.verdict.closed_at is None or one.verdict.closed_at > following.verdict.opened_at
    ]
