"""Continuity, the headline of a shipment: was it in known hands from the origin's gate to the destination's?

``continuous``: every passage from place to place and hand to hand has its witness. ``gap``: some have none,
or nothing was heard for longer than the terms allow; each gap is listed. ``broken``: a rule found that the
goods may be others, or elsewhere. A report is of a moment; a shipment under way is continuous so far.

``continuity`` tells what is kept with a judging. What sensors measured may be told late without anybody being
judged again, so ``measured`` adds it when the report is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct

from devices.observation import Gate, Scan, Seal, SealState
from tracking.domain.custody.case import Case
from tracking.domain.custody.chain import Crossing, crossings, gaps
from tracking.domain.custody.custodians import Keeping, custodian_at, custodians
from tracking.domain.custody.documents import SealRecord
from tracking.domain.custody.facts import PRIMARY
from tracking.domain.custody.handovers import Handing, handover_of
from tracking.domain.custody.legs import LegState
from tracking.domain.custody.sensors import Series, is_of_store, series
from tracking.domain.custody.verdicts import (
    Evidence,
    Finding,
    Outcome,
    Severity,
    cite_document,
    cite_report,
)

BREAKS: Final = frozenset(
    {
        "zone_exit_without_release", "gate_bypass", "wrong_destination", "wrong_vehicle_at_gate",
        "wrong_container_at_gate", "pass_reused", "seal_broken_in_transit", "seal_id_changed",
        "door_or_light_while_sealed", "swap_suspected", "seal_position_diverges",
        "parcel_out_without_release", "handover_mismatch",
    }
)  # fmt: skip
"""Rules whose critical findings mean that the goods may be others, or elsewhere."""

INTERRUPTS: Final = frozenset({"device_silent", "handover_unconfirmed"})
"""Rules whose findings, above information, are gaps."""

MEASURED_WITHIN: Final = timedelta(minutes=30)
"""A temperature is a point's when it was measured no longer before."""


class Continuity(StrEnum):
    """The verdict."""

    CONTINUOUS = "continuous"
    GAP = "gap"
    BROKEN = "broken"


class Link(Struct, frozen=True):
    """A point of the chain: who, when, where, seal, count, weight, temperature. What nobody said is None.

    Attributes:
        time: when.
        kind: ``departure``, ``arrival``, ``handover`` or ``seal``.
        witness: ``gate``, ``handover``, ``record`` or ``track``: how it is known.
        place: the gate, else the zone.
        giver: in whose hands the goods were before.
        taker: and after.
        seals: numbers of the seals that were on then.
        count: how many were counted.
        uom: of what.
        weight_kg: what the weighbridge said.
        evidence: what tells of it.
        temperature_c: of the sensor nearest to the goods, where it is asked for.
    """

    time: datetime
    kind: str
    witness: str
    place: str | None
    giver: str | None
    taker: str | None
    seals: tuple[str, ...]
    count: float | None
    uom: str | None
    weight_kg: float | None
    evidence: tuple[Evidence, ...]
    temperature_c: float | None = None


class Interruption(Struct, frozen=True):
    """A gap or a break.

    Attributes:
        why: ``passage``, ``custodian``, or the code of the rule that found it.
        cause: of the finding: a zone, a device, a seal.
        begins: from this moment on.
        ends: until this one; None: still.
        is_certain: False: facts are missing that may yet come.
    """

    why: str
    cause: str
    begins: datetime
    ends: datetime | None
    is_certain: bool = True


class ContinuityReport(Struct, frozen=True):
    """Continuity of a shipment as of the watermark.

    Attributes:
        verdict: of what is known by then.
        is_complete: all legs are over: nothing is to come.
        links: the chain, in order of time.
        gaps: in order of time.
        breaks: in order of time.
        unobserved: from when on only others told of the goods: "not observed by this platform"; where it is
            asked for.
    """

    verdict: Continuity
    is_complete: bool
    links: tuple[Link, ...]
    gaps: tuple[Interruption, ...]
    breaks: tuple[Interruption, ...]
    unobserved: datetime | None = None


def continuity(case: Case, findings: Sequence[Finding]) -> ContinuityReport:
    """The chain and its verdict.

    Args:
        case: the shipment as of the watermark.
        findings: of the same judging.
    """
    points = [point for point in crossings(case) if _is_held(case, point.time)]
    found = sorted(
        {*_gaps(case, points), *_found(findings, INTERRUPTS)},
        key=lambda gap: (gap.begins, gap.why, gap.cause),
    )
    breaks = tuple(_found(findings, BREAKS, Severity.CRITICAL))
    verdict = Continuity.BROKEN if breaks else Continuity.GAP if found else Continuity.CONTINUOUS
    return ContinuityReport(
        verdict=verdict,
        is_complete=case.legs.state is LegState.OVER,
        links=tuple(sorted(_links(case, points), key=lambda link: (link.time, link.kind))),
        gaps=tuple(found),
        breaks=breaks,
    )


def measured(report: ContinuityReport, case: Case) -> ContinuityReport:
    """The report with what the devices' own values add: temperatures, and from when on none was there."""
    probes = series(case.facts, "temperature_c")
    links = tuple(
        msgspec.structs.replace(link, temperature_c=_temperature(case, probes, link.time))
        for link in report.links
    )
    return msgspec.structs.replace(report, links=links, unobserved=_unobserved(case))


def _is_held(case: Case, moment: datetime) -> bool:
    """Whether the shipment was under custody still."""
    return case.facts.closed_at is None or moment < case.facts.closed_at


def _gaps(case: Case, points: Sequence[Crossing]) -> Iterator[Interruption]:
    for gap in gaps(case, points):
        yield Interruption(gap.kind, gap.cause, gap.begins, gap.ends, gap.is_certain)


def _found(
    findings: Sequence[Finding], rules: frozenset[str], least: Severity | None = None
) -> Iterator[Interruption]:
    """What rules found: only critical findings where that is the least, else all but information."""
    for finding in findings:
        verdict = finding.verdict
        counts = verdict.severity is least if least is not None else verdict.severity is not Severity.INFO
        if verdict.rule in rules and verdict.outcome is Outcome.FINDING and counts:
            yield Interruption(verdict.rule, verdict.cause, verdict.opened_at, verdict.closed_at)


def _links(case: Case, points: Sequence[Crossing]) -> Iterator[Link]:
    held = custodians(case)
    for crossing in points:
        yield _crossed(case, crossing, held)
    for handing in case.handovers:
        if _is_held(case, handing.begins):
            yield _handed(case, handing)
    for document in case.facts.documents:
        if isinstance(document.body, SealRecord) and _is_held(case, document.time):
            party = custodian_at(held, document.time)
            yield Link(
                time=document.time,
                kind="seal",
                witness="record",
                place=None,
                giver=party,
                taker=party,
                seals=(document.body.seal,),
                count=None,
                uom=None,
                weight_kg=None,
                evidence=(cite_document(document),),
            )


def _crossed(case: Case, crossing: Crossing, held: tuple[Keeping, ...]) -> Link:
    gate = crossing.gate.fact if crossing.gate is not None else None
    assert gate is None or isinstance(gate, Gate)
    time = crossing.gate.time if crossing.gate is not None else crossing.time
    before = [keeping for keeping in held if keeping.begins < crossing.time]
    return Link(
        time=time,
        kind="departure" if crossing.direction == "out" else "arrival",
        witness=crossing.witness.value,
        place=gate.gate if gate is not None else crossing.zone,
        giver=before[-1].party if before else None,
        taker=custodian_at(held, crossing.time),
        seals=tuple(gate.seals) if gate is not None and gate.seals else _seals_on(case, time),
        count=len(gate.containers) if gate is not None and gate.containers else None,
        uom="containers" if gate is not None and gate.containers else None,
        weight_kg=gate.weight_kg or None if gate is not None else None,
        evidence=crossing.cited,
    )


def _handed(case: Case, handing: Handing) -> Link:
    word = handover_of(handing.words[-1])
    time = handing.words[-1].time
    counted = [report.fact for report in handing.met if isinstance(report.fact, Scan)]
    met = {r.fact.seal for r in handing.met if isinstance(r.fact, Seal) and r.fact.state is SealState.LOCKED}
    return Link(
        time=time,
        kind="handover",
        witness="handover",
        place=next((scan.location for scan in counted if scan.location is not None), None),
        giver=word.from_party,
        taker=word.to_party,
        seals=tuple(sorted(met)) or _seals_on(case, time),
        count=counted[-1].quantity if counted else None,
        uom=counted[-1].uom if counted else None,
        weight_kg=None,
        evidence=tuple(cite_report(report) for report in (*handing.words, *handing.met)),
    )


def _seals_on(case: Case, moment: datetime) -> tuple[str, ...]:
    return tuple(sorted(worn.seal for worn in case.seals.on(moment)))


def _temperature(case: Case, probes: Sequence[Series], moment: datetime) -> float | None:
    """What the nearest sensor measured last: one on the goods before one of the store."""
    values = [
        (is_of_store(probe.carriage, case.facts), moment - sample.time, sample.value)
        for probe in probes
        if (sample := probe.at(moment)) is not None and moment - sample.time <= MEASURED_WITHIN
    ]
    return min(values)[2] if values else None


def _unobserved(case: Case) -> datetime | None:
    """From when on only others told of the goods: after the last leg, or after our devices' last word."""
    heard = max(
        (c.last_heard for c in case.facts.carriages if c.role == PRIMARY and c.last_heard), default=None
    )
    told = [d.time for d in case.facts.documents if d.source == "reported"]
    if case.legs.state is LegState.OVER and case.legs.spans:
        ends = case.legs.spans[-1].ends
        closed = case.facts.closed_at
        return ends if ends is not None and (closed is None or ends < closed) else None
    return heard if heard is not None and any(time > heard for time in told) else None


def as_json(report: ContinuityReport) -> dict[str, Any]:
    """The report for a state, a certificate or a page; moments as texts, without what isn't told."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(report))
    for link in found["links"]:
        if link["temperature_c"] is None:
            del link["temperature_c"]
    if found["unobserved"] is None:
        del found["unobserved"]
    return found
