"""Facts to findings: the second fold. Pure, whole, from the beginning, each time.

A shipment has hundreds of milestones, not millions: folding them all costs less than keeping a state right
(``docs/decisions/custody-is-derived-whole.md`` has the measurement).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from tracking.domain.custody.ahead import next_fact
from tracking.domain.custody.case import Case, open_case
from tracking.domain.custody.continuity import as_json, continuity
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.intervals import earlier
from tracking.domain.custody.legs import Legs
from tracking.domain.custody.overrides import Reign, reigns
from tracking.domain.custody.overrides import verdicts as verdicts_of
from tracking.domain.custody.rules import RULES, RULES_VERSION, Rule
from tracking.domain.custody.rules.device import GapWindow, SilenceLimits, gap_windows
from tracking.domain.custody.rules.seal_devices import SealSilenceLimits, seal_gap_windows
from tracking.domain.custody.rules.swap import SwapLimits
from tracking.domain.custody.verdicts import Finding, Outcome, Verdict, finding_id

DEFAULTS: Final[Mapping[str, Struct]] = {code: rule.limits for code, rule in RULES.items()}
"""The rules' parameters, by the rule's code."""


PLACE: Final = "A"
"""The family of rules that say where the goods were."""


class Judgement(Struct, frozen=True):
    """What one judging says of a shipment.

    Attributes:
        findings: in order of opening, rule and cause.
        state: legs, places, continuity and doubts, ready for JSON.
        next_due: when the passing of time alone may change the findings; None if it can't.
        rules_version: of the rules that judged.
    """

    findings: tuple[Finding, ...]
    state: Mapping[str, Any]
    next_due: datetime | None
    rules_version: int


def judge(facts: Facts, until: datetime, parameters: Mapping[str, Struct] = DEFAULTS) -> Judgement:
    """Judge a shipment by all its facts.

    Args:
        facts: everything that is recorded of it.
        until: the watermark, UTC: time has passed as far as that.
        parameters: limits by rule code, where the terms set none of their own.
    """
    endings = _endings(facts, until)
    facts = _ongoing(facts, until)
    case = open_case(facts, until)
    held = reigns(case.facts, parameters)
    verdicts = [
        _doubted(ended, rule, case)
        for rule in RULES.values()
        for verdict in verdicts_of(rule, case, held)
        if (ended := _within(verdict, facts.closed_at)) is not None
    ]
    findings: dict[str, Finding] = {}
    for verdict in sorted(verdicts, key=lambda v: (v.opened_at, v.rule, v.cause)):
        name = finding_id(facts.shipment, verdict.rule, verdict.cause, verdict.opened_at)
        known = findings.get(name)
        findings[name] = Finding(name, verdict if known is None else known.verdict.with_also(verdict))
    looks = [_next_due(facts, case, held), next_fact(facts, until), *endings]
    due = min((look for look in looks if look is not None), default=None)
    if due is not None and facts.closed_at is not None and due > facts.closed_at:
        due = None
    found = tuple(findings.values())
    state = _state(case.legs, verdicts) | {"continuity": as_json(continuity(case, found))}
    return Judgement(found, state, due, RULES_VERSION)


def _endings(facts: Facts, until: datetime) -> list[datetime]:
    """When carriages end that haven't yet."""
    return [one.ends for one in facts.carriages if one.ends is not None and one.ends > until]


def _ongoing(facts: Facts, until: datetime) -> Facts:
    """The facts as they stand: a device that is to leave the goods later is on them now."""
    carriages = tuple(
        msgspec.structs.replace(one, ends=None) if one.ends is not None and one.ends > until else one
        for one in facts.carriages
    )
    return msgspec.structs.replace(facts, carriages=carriages)


def windows(facts: Facts, until: datetime, parameters: Mapping[str, Struct] = DEFAULTS) -> list[GapWindow]:
    """What must still be measured in the observations before these facts can be judged."""
    in_park = {code for revision in facts.park_rules for code in revision.rules}
    asked = any(carriage.is_seal for carriage in facts.carriages) or any(
        {"device_silent"} & {*revision.terms.rules, *in_park}
        or any(leg.max_silence_s is not None for leg in revision.terms.legs)
        for revision in facts.terms
    )
    if not asked:
        return []
    case = open_case(facts, until)
    return [window for reign in reigns(case.facts, parameters) for window in _windows(case, reign)]


def _windows(case: Case, reign: Reign) -> Iterator[GapWindow]:
    """What a reign asks to be measured; a silence that reaches into it may have begun before."""
    for window in [*gap_windows(case, _silence(reign.parameters)), *_of_seals(case, reign.parameters)]:
        ends = earlier(window.ends, reign.during[1])
        if ends is None or window.begins < ends:
            yield msgspec.structs.replace(window, ends=ends)


def _next_due(facts: Facts, case: Case, held: Sequence[Reign]) -> datetime | None:
    """When to look again: a rule's own moment, while its parameters hold, or new terms or park's rules."""
    revised = {one.valid_from for one in facts.terms} | {one.valid_from for one in facts.park_rules}
    moments = [begins for begins in revised if begins > case.until]
    for reign in held:
        begins, ends = reign.during
        due = _rules_due(case, reign.parameters)
        if due is not None and (ends is None or due < ends):
            moments.append(max(due, begins))
    return min(moments, default=None)


def _rules_due(case: Case, parameters: Mapping[str, Struct]) -> datetime | None:
    moments = (rule.due(case, parameters[rule.code]) for rule in RULES.values() if rule.due is not None)
    return min((moment for moment in moments if moment is not None), default=None)


def _silence(parameters: Mapping[str, Struct]) -> SilenceLimits:
    limits = parameters["device_silent"]
    assert isinstance(limits, SilenceLimits)
    return limits


def _doubted(verdict: Verdict, rule: Rule, case: Case) -> Verdict:
    """A verdict about a place is undetermined where it isn't certain that the goods were with what spoke."""
    opened_at = verdict.opened_at
    doubted = rule.number.startswith(PLACE) and any(
        conflict.begins <= opened_at and (conflict.ends is None or opened_at < conflict.ends)
        for conflict in case.facts.conflicts
    )
    aboard = doubted and any(
        stretch.carriage.is_aboard
        for stretch in case.stretches
        if stretch.begins <= opened_at and (stretch.ends is None or opened_at < stretch.ends)
    )
    return msgspec.structs.replace(verdict, outcome=Outcome.UNDETERMINED) if aboard else verdict


def _of_seals(case: Case, parameters: Mapping[str, Struct]) -> list[GapWindow]:
    limits, swap = parameters["seal_silent"], parameters["swap_suspected"]
    assert isinstance(limits, SealSilenceLimits)
    assert isinstance(swap, SwapLimits)
    return seal_gap_windows(case, limits, swap.silence_min * 60)


def _within(verdict: Verdict, closed_at: datetime | None) -> Verdict | None:
    """A verdict as far as it lies before the shipment's closing."""
    if closed_at is None:
        return verdict
    if verdict.opened_at >= closed_at:
        return None
    return msgspec.structs.replace(verdict, closed_at=earlier(verdict.closed_at, closed_at))


def _state(legs: Legs, verdicts: list[Verdict]) -> dict[str, Any]:
    return {
        "leg": legs.index,
        "state": legs.state.value,
        "areas": sorted(legs.areas),
        "legs": [
            {
                "index": span.index,
                "terms_revision": span.revision,
                "begins": span.begins.isoformat(),
                "ends": span.ends.isoformat() if span.ends is not None else None,
            }
            for span in legs.spans
        ],
        "undetermined": [
            {
                "rule": verdict.rule,
                "cause": verdict.cause,
                "opened_at": verdict.opened_at.isoformat(),
                "closed_at": verdict.closed_at.isoformat() if verdict.closed_at is not None else None,
            }
            for verdict in sorted(verdicts, key=lambda v: (v.opened_at, v.rule, v.cause))
            if verdict.outcome is Outcome.UNDETERMINED
        ],
    }
