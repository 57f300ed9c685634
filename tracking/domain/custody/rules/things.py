"""Rules about what is in what: do the scans agree?"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict


class ConflictLimits(Struct, frozen=True):
    """Parameters of ``aggregation_conflict``.

    Attributes:
        tolerated_s: a conflict that the next event settles within so many seconds raises nothing.
    """

    tolerated_s: int = 0


@rule(number="E9", code="aggregation_conflict", severity=Severity.MINOR, limits=ConflictLimits)
def aggregation_conflict(case: Case, limits: ConflictLimits) -> Iterator[Verdict]:
    """What was scanned of the goods, or of what they are in, can't all be true (装载关系矛盾).

    A thing was put into a second parent without having left the first (``double_parent``), taken out of one
    that it wasn't in (``not_in_parent``), more of it was taken out than was in (``more_out_than_in``), some
    of it was taken out of one of several (``unknown_parent``), or it would have been in itself (``cycle``).
    Opens at the event that contradicts what came before; closes at the thing's next event, or when the ring
    is over. Meanwhile what depends on the newest word is followed, and where the goods are is undetermined.

    Must not fire for an event that is said again, nor for a thing whose first event takes it out of
    something (what went in before our record), nor when a late event shows that the thing had left in time:
    then the finding is withdrawn.

    Args:
        case: the shipment as of the watermark.
        limits: ``tolerated_s``, default 0.

    Evidence: the events that contradict each other, each observed or reported.
    Source: EPCIS 2.0 AggregationEvent (a child is in one parent at a time); the rule is ours.
    """
    for conflict in case.facts.conflicts:
        terms = case.facts.terms_at(conflict.begins)
        if terms is None or conflict.begins > case.until:
            continue
        if (
            conflict.ends is not None
            and (conflict.ends - conflict.begins).total_seconds() < limits.tolerated_s
        ):
            continue
        evidence = tuple(event.cite() for event in conflict.evidence)
        for outcome, cause in (
            (Outcome.FINDING, f"{conflict.child} {conflict.kind.value}"),
            (Outcome.UNDETERMINED, conflict.child),
        ):
            yield Verdict(
                rule="aggregation_conflict",
                cause=cause,
                outcome=outcome,
                severity=Severity.MINOR,
                opened_at=conflict.begins,
                closed_at=conflict.ends,
                evidence=evidence,
                parameters={"tolerated_s": limits.tolerated_s},
                terms_revision=terms.revision,
            )
