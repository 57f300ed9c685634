"""Rules about the book of a warehouse: changes of status by paper, and counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.documents import Count, Declaration, Deduction, Status
from tracking.domain.custody.intervals import earlier
from tracking.domain.custody.items import Papers, named
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.terms import MoveLeg
from tracking.domain.custody.told import Document
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict, cite_document

SHIPMENT: Final = "shipment"
"""The cause of what concerns the shipment as a whole."""


class StatusPaperLimits(Struct, frozen=True):
    """``status_change_without_document`` has no parameters."""


def change_due(case: Case, _limits: StatusPaperLimits) -> datetime | None:
    """When a change of status that is recorded already takes effect."""
    return min((change.time for change, _ in _changes(case) if change.time > case.until), default=None)


@rule(
    number="E2",
    code="status_change_without_document",
    severity=Severity.CRITICAL,
    limits=StatusPaperLimits,
    due=change_due,
)
def status_change_without_document(case: Case, _limits: StatusPaperLimits) -> Iterator[Verdict]:
    """Bonded goods became non-bonded without a declaration or bonded list (无单转状态).

    Opens at the change when it names no paper, or one that was made out later; closes when that paper was
    made out, or when all that changed has been put right: bonded again, or said to be non-bonded by a paper
    that there is. What one record changes is one finding.

    Undetermined while the paper that the change names isn't among the shipment's.

    Must not fire for a change that names a declaration or list of that moment or before; for goods that
    become bonded; nor for the first word about goods.

    Args:
        case: the shipment as of the watermark.
        _limits: none.

    Evidence: the record of the change, and the paper.
    Source: State Council decree 256 and GACC notice 72 of 2016: the status of bonded goods changes by
    declaration. Which papers count is common knowledge (unverified here).
    """
    papers = {
        d.number: d for d in reversed(case.facts.documents) if isinstance(d.body, Declaration | Deduction)
    }
    statuses = Papers(d for d in case.facts.documents if isinstance(d.body, Status))
    for change, changed in _changes(case):
        reference = _said(change).reference
        paper = papers.get(reference) if reference is not None else None
        terms = case.facts.terms_at(change.time)
        if terms is None or change.time > case.until or (paper is not None and paper.time <= change.time):
            continue
        is_unknown = reference is not None and paper is None
        righted = _put_right(change, changed, statuses, papers)
        yield Verdict(
            rule="status_change_without_document",
            cause=_cause(change),
            outcome=Outcome.UNDETERMINED if is_unknown else Outcome.FINDING,
            severity=Severity.INFO if is_unknown else Severity.CRITICAL,
            opened_at=change.time,
            closed_at=earlier(paper.time if paper is not None else None, righted),
            evidence=tuple(cite_document(d) for d in (change, paper) if d is not None),
            parameters={},
            terms_revision=terms.revision,
        )


def _changes(case: Case) -> Iterator[tuple[Document, frozenset[str]]]:
    """Each record by which bonded goods became non-bonded, and what it changed; nothing: the shipment."""
    whole: str | None = None
    single: dict[str, str] = {}
    for document in case.facts.documents:
        if not isinstance(document.body, Status):
            continue
        status = document.body.status
        if document.things:
            changed = {t for t in document.things if single.get(t, whole) == "bonded"}
            single.update(dict.fromkeys(document.things, status))
        else:
            changed = {t for t, held in single.items() if held == "bonded"}
            changed |= {SHIPMENT} if whole == "bonded" else set()
            whole = status
            single.clear()
        if changed and status == "non_bonded":
            yield document, frozenset(changed)


def _put_right(
    change: Document, changed: frozenset[str], statuses: Papers, papers: dict[str, Document]
) -> datetime | None:
    """When the last of what changed was bonded again, or non-bonded by a paper."""
    moments = []
    for thing in changed:
        later = (d for d in statuses.about(thing) if (d.time, d.entry) > (change.time, change.entry))
        righted = next((d.time for d in later if _is_in_order(d, papers)), None)
        if righted is None:
            return None
        moments.append(righted)
    return max(moments)


def _is_in_order(document: Document, papers: dict[str, Document]) -> bool:
    said = _said(document)
    paper = papers.get(said.reference) if said.reference is not None else None
    return said.status == "bonded" or (paper is not None and paper.time <= document.time)


def _said(document: Document) -> Status:
    assert isinstance(document.body, Status)
    return document.body


def _cause(document: Document) -> str:
    """What a document is about, shortly; the same for the next one about the same."""
    if not document.things:
        return SHIPMENT
    labels = sorted(named(thing).label for thing in document.things)
    return labels[0] if len(labels) == 1 else f"{labels[0]} +{len(labels) - 1}"


class CountLimits(Struct, frozen=True):
    """Parameters of ``stock_mismatch``.

    Attributes:
        tol_qty: units by which a count of serialised goods may differ from the book.
        tol_pct: per cent of the book by which a count of other goods may differ.
        count_age_d: days for which a count speaks.
    """

    tol_qty: Annotated[float, Meta(ge=0)] = 0
    tol_pct: Annotated[float, Meta(ge=0, le=100)] = 0.5
    count_age_d: Annotated[int, Meta(ge=1, le=3650)] = 30


def count_due(case: Case, limits: CountLimits) -> datetime | None:
    """When a count grows too old, or one of a moment to come holds."""
    age = timedelta(days=limits.count_age_d)
    counts = [count for counts in _counts(case).values() for count in counts]
    moments = [count.time for count in counts]
    moments += [count.time + age for count in counts if not _differs(_counted(count), limits)]
    return min((moment for moment in moments if moment > case.until), default=None)


@rule(number="E3", code="stock_mismatch", severity=Severity.MAJOR, limits=CountLimits, due=count_due)
def stock_mismatch(case: Case, limits: CountLimits) -> Iterator[Verdict]:
    """A physical count differs from the book (账实不符).

    Opens at the count when the difference exceeds the tolerance: ``tol_qty`` units of serialised goods,
    ``tol_pct`` per cent of the book for others. Closes at the next count of the same goods in the same
    place that agrees.

    Undetermined from ``count_age_d`` days after a count that agreed until the next one, or until the goods
    set out: nobody knows any more.

    Must not fire for a difference within the tolerance; for places where nothing was counted; nor twice
    when a second count finds the same difference.

    Args:
        case: the shipment as of the watermark.
        limits: ``tol_qty``, units, default 0; ``tol_pct``, per cent, default 0.5; ``count_age_d``, days,
            default 30.

    Evidence: the counts, from the first that differs to the one that agrees.
    Source: rule E3 of our catalogue; all three numbers are ours.
    """
    for (location, goods), counts in _counts(case).items():
        cause = location if goods == SHIPMENT else f"{location} {goods}"
        differing: list[Document] = []
        for count, then in pairwise([*counts, None]):
            assert count is not None
            if _differs(_counted(count), limits):
                differing.append(count)
                if then is None:
                    yield from _counted_wrong(case, limits, cause, differing, None)
                continue
            if differing:
                yield from _counted_wrong(case, limits, cause, [*differing, count], count.time)
                differing = []
            yield from _stale(case, limits, cause, count, then)


def _counts(case: Case) -> dict[tuple[str, str], list[Document]]:
    """Counts by place and by what was counted; of one moment the last holds."""
    found: dict[tuple[str, str], dict[datetime, Document]] = {}
    for document in case.facts.documents:
        if isinstance(document.body, Count):
            found.setdefault((document.body.location, _cause(document)), {})[document.time] = document
    return {key: list(counts.values()) for key, counts in found.items()}


def _counted(document: Document) -> Count:
    assert isinstance(document.body, Count)
    return document.body


def _differs(count: Count, limits: CountLimits) -> bool:
    tolerance = limits.tol_qty if count.serialised else count.book * limits.tol_pct / 100
    return abs(count.counted - count.book) > tolerance


def _counted_wrong(
    case: Case, limits: CountLimits, cause: str, counts: list[Document], closed_at: datetime | None
) -> Iterator[Verdict]:
    opened_at = counts[0].time
    terms = case.facts.terms_at(opened_at)
    if terms is not None and opened_at <= case.until:
        yield Verdict(
            rule="stock_mismatch",
            cause=cause,
            outcome=Outcome.FINDING,
            severity=Severity.MAJOR,
            opened_at=opened_at,
            closed_at=closed_at,
            evidence=tuple(cite_document(count) for count in counts),
            parameters=msgspec.structs.asdict(limits),
            terms_revision=terms.revision,
        )


def _stale(
    case: Case, limits: CountLimits, cause: str, count: Document, then: Document | None
) -> Iterator[Verdict]:
    """Nobody knows any more, from the day on which a count has grown too old."""
    opened_at = count.time + timedelta(days=limits.count_age_d)
    moves = (s.begins for s in case.legs.spans if isinstance(s.leg, MoveLeg) and s.begins >= count.time)
    closed_at = earlier(then.time if then is not None else None, min(moves, default=None))
    terms = case.facts.terms_at(opened_at)
    is_kept = closed_at is None or opened_at < closed_at
    if terms is not None and opened_at <= case.until and is_kept:
        yield Verdict(
            rule="stock_mismatch",
            cause=cause,
            outcome=Outcome.UNDETERMINED,
            severity=Severity.INFO,
            opened_at=opened_at,
            closed_at=closed_at,
            evidence=(cite_document(count),),
            parameters=msgspec.structs.asdict(limits),
            terms_revision=terms.revision,
        )
