"""How terms and parks change rules: at any moment the parameters and severities then in force hold, those of
the terms over those of the park, and these over the rules' own.

Where revisions differ in a rule's parameters, the rule judges the whole case once under each, and of each
judging only that time is kept in which those parameters held; what then touches is one verdict. So a stricter
limit opens a finding no earlier than the terms that bring it, and a milder one closes it when it takes
effect. Rules know nothing of this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, zip_longest
from typing import Final

import msgspec
from msgspec import Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.intervals import Interval, overlap
from tracking.domain.custody.rules import RULES, Rule
from tracking.domain.custody.terms import Override
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict

_GRAVITY: Final = {severity: at for at, severity in enumerate(Severity)}
"""The smaller, the graver."""


class Reign(Struct, frozen=True):
    """What holds while one revision of the terms and one of the park's rules are in force.

    Attributes:
        during: from the moment of the later one to the next revision's.
        parameters: every rule's limits.
        severities: of the rules whose severity they set.
    """

    during: Interval
    parameters: Mapping[str, Struct]
    severities: Mapping[str, Severity]


def reigns(facts: Facts, base: Mapping[str, Struct]) -> tuple[Reign, ...]:
    """The revisions in force, in order of time, each with what it makes of the rules."""
    terms = {revision.valid_from for revision in facts.terms}
    parks = {
        revision.valid_from for revision in facts.park_rules if terms and revision.valid_from > min(terms)
    }
    changes = sorted(terms | parks)
    found = []
    for begins, ends in zip_longest(changes, changes[1:]):
        changed = facts.overrides_at(begins)
        found.append(Reign((begins, ends), _parameters(changed, base), _severities(changed)))
    return tuple(found)


def verdicts(rule: Rule, case: Case, held: Sequence[Reign]) -> Iterator[Verdict]:
    """What a rule says of a case, each moment under the terms that held then."""
    if len(held) == 1:
        (reign,) = held
        severity = reign.severities.get(rule.code)
        for verdict in rule.evaluate(case, reign.parameters[rule.code]):
            yield _graded(verdict, rule, severity)
        return
    pieces = [
        (group[0].parameters[rule.code], group[0].severities.get(rule.code), _joined(group))
        for _, reigning in groupby(held, lambda r: (r.parameters[rule.code], r.severities.get(rule.code)))
        for group in (list(reigning),)
    ]
    if len(pieces) == 1:
        limits, severity, _ = pieces[0]
        yield from (_graded(verdict, rule, severity) for verdict in rule.evaluate(case, limits))
        return
    found = [
        _clipped(_graded(verdict, rule, severity), kept, case.facts)
        for limits, severity, during in pieces
        for verdict in rule.evaluate(case, limits)
        if (kept := overlap(during, (verdict.opened_at, verdict.closed_at))) is not None
    ]
    yield from _united(found)


def _parameters(overrides: Mapping[str, Override], base: Mapping[str, Struct]) -> Mapping[str, Struct]:
    """The base with what is set; a rule that there is no more is passed over."""
    changed = {
        code: msgspec.convert(
            msgspec.structs.asdict(base[code]) | override.parameters, type(base[code]), strict=True
        )
        for code, override in overrides.items()
        if override.parameters and code in base
    }
    return {**base, **changed}


def _severities(overrides: Mapping[str, Override]) -> Mapping[str, Severity]:
    return {
        code: Severity(override.severity)
        for code, override in overrides.items()
        if override.severity is not None and code in RULES
    }


def _joined(group: Sequence[Reign]) -> Interval:
    return (group[0].during[0], group[-1].during[1])


def _graded(verdict: Verdict, rule: Rule, severity: Severity | None) -> Verdict:
    """With the severity that terms set. What the rule itself thinks less of stays below its gravest."""
    if severity is None or verdict.outcome is not Outcome.FINDING:
        return verdict
    if verdict.severity is not rule.severity:
        severity = max(severity, verdict.severity, key=_GRAVITY.__getitem__)
    return msgspec.structs.replace(verdict, severity=severity)


def _clipped(verdict: Verdict, kept: Interval, facts: Facts) -> Verdict:
    """A verdict as far as its parameters held."""
    revision = verdict.terms_revision
    if kept[0] != verdict.opened_at and (terms := facts.terms_at(kept[0])) is not None:
        revision = terms.revision
    return msgspec.structs.replace(verdict, opened_at=kept[0], closed_at=kept[1], terms_revision=revision)


def _united(found: Sequence[Verdict]) -> Iterator[Verdict]:
    """Verdicts of one cause that touch become one, dated by the first, as grave as the gravest."""
    ordered = sorted(found, key=lambda v: (v.cause, v.outcome, v.opened_at))
    for _, same in groupby(ordered, lambda v: (v.cause, v.outcome)):
        whole: Verdict | None = None
        for verdict in same:
            if whole is None:
                whole = verdict
            elif whole.closed_at is None or verdict.opened_at <= whole.closed_at:
                more = tuple(piece for piece in verdict.evidence if piece not in whole.evidence)
                whole = msgspec.structs.replace(
                    whole,
                    closed_at=_later(whole.closed_at, verdict.closed_at),
                    severity=min(whole.severity, verdict.severity, key=_GRAVITY.__getitem__),
                    evidence=whole.evidence + more,
                )
            else:
                yield whole
                whole = verdict
        if whole is not None:
            yield whole


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else max(one, other)
