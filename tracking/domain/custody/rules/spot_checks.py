"""Which goods of non-bonded status are due for a spot check."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from devices.observation import Action
from tracking.domain.custody.case import Case
from tracking.domain.custody.documents import Status
from tracking.domain.custody.items import Papers
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.told import Report
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict, cite_report

IN_OR_OUT: Final = frozenset({Action.RECEIVING, Action.ACCEPTING, Action.LOADING, Action.SHIPPING})
CHECKS: Final = frozenset({Action.INSPECTING, Action.SAMPLING})
_PARTS: Final = 10_000


class SpotCheckLimits(Struct, frozen=True):
    """Parameters of ``nonbonded_spot_check_due``.

    Attributes:
        sample_pct: per cent of the non-bonded items that come in or go out; 0: nobody checks.
    """

    sample_pct: Annotated[float, Meta(ge=0, le=100)] = 0


@rule(
    number="E4",
    code="nonbonded_spot_check_due",
    severity=Severity.INFO,
    limits=SpotCheckLimits,
)
def nonbonded_spot_check_due(case: Case, limits: SpotCheckLimits) -> Iterator[Verdict]:
    """Non-bonded items that came in or went out are due for a spot check (非保税货物抽查).

    A list, not an alarm: information always. Which items are drawn follows from the numbers of shipment and
    item alone, so nobody can choose, and every machine draws the same. Opens when the first drawn item is
    received or loaded; closes when all that were drawn by then have been inspected or sampled.

    Must not fire while ``sample_pct`` is 0, as it is until a park or the terms set it; for bonded items, or
    those of whose status nobody has said anything; nor for items that were inspected before they moved.

    Args:
        case: the shipment as of the watermark.
        limits: ``sample_pct``, per cent, default 0.

    Evidence: the scans with which the drawn items came in or went out, and those of the checks.
    Source: GACC notice 72 of 2016 asks that goods of non-bonded status can be checked; the share is for the
    park's customs to set.
    """
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    cited: list[Report] = []
    for moved, checked in sorted(_drawn(case, limits), key=lambda drawn: drawn[0].order):
        if opened_at is not None and closed_at is not None and closed_at < moved.time:
            yield from _list(case, limits, opened_at, closed_at, cited)
            opened_at, cited = None, []
        if opened_at is None:
            opened_at, closed_at = moved.time, moved.time
        cited.append(moved)
        if checked is None:
            closed_at = None
        else:
            cited.append(checked)
            closed_at = max(closed_at, checked.time) if closed_at is not None else None
    if opened_at is not None:
        yield from _list(case, limits, opened_at, closed_at, cited)


def _drawn(case: Case, limits: SpotCheckLimits) -> Iterator[tuple[Report, Report | None]]:
    """The first movement of each drawn item, and its check."""
    statuses = Papers(d for d in case.facts.documents if isinstance(d.body, Status))
    if not statuses or not limits.sample_pct:
        return
    for item, scans in case.scans.items():
        if not _is_drawn(case.facts.shipment, item, limits.sample_pct):
            continue
        checked = next((report for report, scan in scans if scan.action in CHECKS), None)
        for report, scan in scans:
            if scan.action in IN_OR_OUT and _is_non_bonded(statuses, item, report.time):
                if checked is None or checked.time > report.time:
                    yield report, checked
                break


def _is_drawn(shipment: str, item: str, sample_pct: float) -> bool:
    lot = hashlib.sha256(f"{shipment}\x1f{item}".encode()).digest()[:4]
    return int.from_bytes(lot) % _PARTS < sample_pct * _PARTS / 100


def _is_non_bonded(statuses: Papers, item: str, moment: datetime) -> bool:
    said = [d for d in statuses.about(item) if d.time <= moment]
    return bool(said) and isinstance(said[-1].body, Status) and said[-1].body.status == "non_bonded"


def _list(
    case: Case, limits: SpotCheckLimits, opened_at: datetime, closed_at: datetime | None, cited: list[Report]
) -> Iterator[Verdict]:
    terms = case.facts.terms_at(opened_at)
    if terms is not None:
        yield Verdict(
            rule="nonbonded_spot_check_due",
            cause="spot_check",
            outcome=Outcome.FINDING,
            severity=Severity.INFO,
            opened_at=opened_at,
            closed_at=closed_at,
            evidence=tuple(cite_report(report) for report in cited),
            parameters=msgspec.structs.asdict(limits),
            terms_revision=terms.revision,
        )
