"""Rules about the scans themselves: steps left out, and one serial number in two places."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from devices.observation import Action, Gate, Scan
from tracking.domain.custody.case import Case
from tracking.domain.custody.documents import Steps
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.items import Papers
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.told import Document, Report
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict, cite_document, cite_report
from tracking.domain.things.subject import thing_uri

STEP_ACTIONS: Final[Mapping[str, frozenset[Action]]] = {
    "receive": frozenset({Action.RECEIVING, Action.ACCEPTING}),
    "shelve": frozenset({Action.STORING, Action.STOCKING}),
    "pick": frozenset({Action.PICKING}),
    "pack": frozenset({Action.PACKING, Action.REPACKAGING}),
    "load": frozenset({Action.LOADING, Action.STUFFING}),
    **{action.value: frozenset({action}) for action in Action},
}
"""What scans are a step: words of the warehouse, and every action by its own name."""

WEIGH: Final = "weigh"
GATE: Final = "gate"
MASS_UNITS: Final = frozenset({"kg", "g", "t", "kgm", "grm", "tne"})
"""A scan that gives a quantity in one of these is a weighing."""

Done: TypeAlias = Mapping[str, Report]
"""The first scan of each step that an item has gone through."""


class StepLimits(Struct, frozen=True):
    """Parameters of ``scan_gap``.

    Attributes:
        max_cited: items that one finding cites, where many left out a step at one moment.
    """

    max_cited: Annotated[int, Meta(ge=1, le=1000)] = 20


class _Gap(Struct, frozen=True):
    """A step that an item left out, or is late for.

    Attributes:
        step: its name.
        opened_at: when a later step was scanned, or the hours were over.
        is_told: a scan says so, and not the hours.
        closed_at: when the step was scanned after all.
        cited: the scans before and after.
        paper: what asks for the step.
    """

    step: str
    opened_at: datetime
    is_told: bool
    closed_at: datetime | None
    cited: tuple[Report, ...]
    paper: Document


def step_due(case: Case, _limits: StepLimits) -> datetime | None:
    """When the hours of a step will be over for the next item."""
    moments = [gap.opened_at for gap in _gaps(case) if not gap.is_told]
    moments += [time for _, time in _unknown_steps(case.facts)]
    return min((moment for moment in moments if moment > case.until), default=None)


@rule(number="E6", code="scan_gap", severity=Severity.MINOR, limits=StepLimits, due=step_due)
def scan_gap(case: Case, limits: StepLimits) -> Iterator[Verdict]:
    """Goods went past a step at which they must be scanned (漏扫).

    The steps and their hours are a document's. Opens when a later step is scanned first, or when a step's
    hours since the step before it are over; closes when the step is scanned after all. Items that leave out
    one step at one moment are one finding; all findings of a step are one alert.

    Undetermined for a step whose name means nothing to us.

    Must not fire without such a document; for items that the document doesn't name, where it names any; for
    steps that are still to come; nor for steps done again, or in another order when all were done.

    Args:
        case: the shipment as of the watermark.
        limits: ``max_cited``, default 20.

    Evidence: the scans of the steps before and after, and the document.
    Source: rule E6 of our catalogue; steps and hours are the warehouse's own.
    """
    together: dict[tuple[str, datetime], list[_Gap]] = {}
    for gap in _gaps(case):
        if not gap.is_told and gap.opened_at > case.until:
            continue
        together.setdefault((gap.step, gap.opened_at), []).append(gap)
    for (step, opened_at), gaps in sorted(together.items()):
        ends = [gap.closed_at for gap in gaps if gap.closed_at is not None]
        papers = {gap.paper.entry: gap.paper for gap in gaps}
        cited = sorted(
            {report.order: report for gap in gaps[: limits.max_cited] for report in gap.cited}.items()
        )
        yield from _verdict(
            case,
            limits,
            cause=step,
            opened_at=opened_at,
            closed_at=max(ends) if len(ends) == len(gaps) else None,
            evidence=(
                *(cite_report(report) for _, report in cited),
                *(cite_document(papers[entry]) for entry in sorted(papers)),
            ),
        )
    for (step, opened_at), unread in _unknown_steps(case.facts).items():
        if opened_at <= case.until:
            yield from _verdict(
                case,
                limits,
                cause=step,
                opened_at=opened_at,
                closed_at=None,
                evidence=tuple(cite_document(paper) for paper in unread),
                outcome=Outcome.UNDETERMINED,
            )


def _verdict(
    case: Case,
    limits: StepLimits,
    *,
    cause: str,
    opened_at: datetime,
    closed_at: datetime | None,
    evidence: tuple[Mapping[str, object], ...],
    outcome: Outcome = Outcome.FINDING,
) -> Iterator[Verdict]:
    terms = case.facts.terms_at(opened_at)
    if terms is not None:
        yield Verdict(
            rule="scan_gap",
            cause=cause,
            outcome=outcome,
            severity=Severity.MINOR if outcome is Outcome.FINDING else Severity.INFO,
            opened_at=opened_at,
            closed_at=closed_at,
            evidence=evidence,
            parameters=msgspec.structs.asdict(limits),
            terms_revision=terms.revision,
        )


def _gaps(case: Case) -> Iterator[_Gap]:
    """Every step left out by any item, whatever the watermark, in order of the items."""
    papers = Papers(d for d in case.facts.documents if isinstance(d.body, Steps))
    if not papers:
        return
    facts, scans = case.facts, case.scans
    goods = {aboard.thing for aboard in facts.aboard if aboard.is_goods} or scans.keys()
    gates = _gate_passages(facts)
    for item in sorted(scans):
        asked = papers.about(item) if item in goods else papers.single.get(item, [])
        if asked:
            yield from _left_out(asked[-1], _done(scans[item], gates))


def _left_out(paper: Document, done: Done) -> Iterator[_Gap]:
    assert isinstance(paper.body, Steps)
    steps = [step for step in paper.body.steps if _is_known(step)]
    for place, step in enumerate(steps):
        scan = done.get(step)
        before = done.get(steps[place - 1]) if place else None
        later = min((done[s] for s in steps[place + 1 :] if s in done), key=_order, default=None)
        hours = paper.body.max_step_h.get(step)
        opening = [(later.time, True)] if later is not None else []
        if hours is not None and before is not None:
            opening.append((before.time + timedelta(hours=hours), False))
        if opening and (scan is None or scan.time > min(opening)[0]):
            opened_at, is_told = min(opening)
            cited = tuple(report for report in (before, later, scan) if report is not None)
            yield _Gap(step, opened_at, is_told, scan.time if scan is not None else None, cited, paper)


def _done(scans: Sequence[tuple[Report, Scan]], gates: Mapping[str, Sequence[Report]]) -> Done:
    """The first scan of each step; a gate is passed with what the item was loaded onto."""
    found: dict[str, Report] = {}
    for report, scan in scans:
        for step in _STEPS_OF[scan.action]:
            found.setdefault(step, report)
        if scan.quantity is not None and (scan.uom or "").lower() in MASS_UNITS:
            found.setdefault(WEIGH, report)
        if scan.action is Action.LOADING and scan.parent is not None and GATE not in found:
            passages = gates.get(thing_uri(scan.parent) or "", ())
            first = bisect_left(passages, report.time, key=lambda passage: passage.time)
            if first < len(passages):
                found[GATE] = passages[first]
    return found


def _gate_passages(facts: Facts) -> Mapping[str, Sequence[Report]]:
    """Gate reports by everything that they name."""
    found: dict[str, list[Report]] = {}
    for report in facts.reports:
        if isinstance(report.fact, Gate):
            for thing in report.things:
                found.setdefault(thing, []).append(report)
    return found


def _unknown_steps(facts: Facts) -> dict[tuple[str, datetime], list[Document]]:
    """Steps that mean nothing to us, since when, and the papers that ask for them."""
    found: dict[tuple[str, datetime], list[Document]] = {}
    for paper in facts.documents:
        if isinstance(paper.body, Steps):
            for step in {step for step in paper.body.steps if not _is_known(step)}:
                found.setdefault((step, paper.time), []).append(paper)
    return found


def _is_known(step: str) -> bool:
    return step in STEP_ACTIONS or step in {WEIGH, GATE}


def _order(report: Report) -> tuple[datetime, str, int, int]:
    return report.order


_STEPS_OF: Final[Mapping[Action, tuple[str, ...]]] = {
    action: tuple(step for step, actions in STEP_ACTIONS.items() if action in actions) for action in Action
}
