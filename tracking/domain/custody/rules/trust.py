"""Rules about what devices' words are worth: numbers that never came (G5), or came twice (G8); another datum
(G7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from devices.coordinates import wgs84_to_gcj02
from devices.observation import Gate, Handover
from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import Carriage, Milestone, MissingNumbers, Position
from tracking.domain.custody.intervals import Interval, earlier, overlap, united
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.told import Report
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, Verdict, cite, cite_report
from tracking.domain.places import geodesy

CITED: Final = 20
"""Of many gaps, runs or copies so many are named; how many there were is said."""

NEAR_GATE_M: Final = 2000.0
"""A device further from the gate was on another vehicle."""

Seconds = Annotated[float, Meta(ge=0, le=86_400)]


class GapLimits(Struct, frozen=True):
    """Parameters of ``sequence_gap``.

    Attributes:
        grace_s: seconds after the number behind a gap until it counts: what is merely late has come by then.
    """

    grace_s: Seconds = 60.0


class DatumLimits(Struct, frozen=True):
    """Parameters of ``datum_suspect``.

    Attributes:
        quiet_h: hours after which another suspect fix is another finding.
        min_gates: at so many gates' reports a device that is always off must lie where the shift puts it.
        align_s: seconds between a gate's report and the fix that it is compared with.
        slack_m: metres beyond the fix's accuracy that it may lie off there.
    """

    quiet_h: Annotated[float, Meta(gt=0)] = 24.0
    min_gates: Annotated[int, Meta(ge=1)] = 2
    align_s: Seconds = 60.0
    slack_m: Annotated[float, Meta(ge=0)] = 100.0


class ReplayLimits(Struct, frozen=True):
    """``bad_signature_or_replay`` has no parameters."""


def gap_due(case: Case, limits: GapLimits) -> datetime | None:
    """When a fresh gap counts."""
    grace = timedelta(seconds=limits.grace_s)
    dues = (
        _span(gap)[1] + grace
        for carriage in case.facts.carriages
        for gap in carriage.missing
        if _within(carriage, _span(gap)) is not None
    )
    return min((due for due in dues if due > case.until), default=None)


@rule(number="G5", code="sequence_gap", severity=Severity.INFO, limits=GapLimits, due=gap_due)
def sequence_gap(case: Case, limits: GapLimits) -> Iterator[Verdict]:
    """Sequence numbers of a device on the goods never came (序号缺失).

    Opens at the last observation before the gap, once ``grace_s`` have passed since the first behind it, and
    closes at that one: between the two something happened that nobody knows. Gaps that touch are one finding.
    When the device sends what is missing, the finding is withdrawn. Rules that need every report
    (``unauthorised_stop``, ``seal_silent``, ``cold_sampling_gap``) are undetermined in that time.

    Must not fire for numbers that came and were rejected: they were heard; nor at the end of what a device
    has sent, where nothing shows that more was to come; nor for devices without a counter; nor for gaps
    outside the time in which the device was on the goods.

    Args:
        case: the shipment as of the watermark.
        limits: ``grace_s``, seconds, default 60.

    Evidence: the missing numbers, and the moments on both sides.
    Source: the wire contract: a device counts up by one and never reuses a number. The seconds are ours.
    """
    grace = timedelta(seconds=limits.grace_s)
    for carriage in case.facts.carriages:
        gaps = [
            (during, (gap,))
            for gap in sorted(carriage.missing, key=lambda gap: (_span(gap), gap.run, gap.first))
            if (during := _within(carriage, _span(gap))) is not None and _span(gap)[1] + grace <= case.until
        ]
        for during, missing in united(gaps):
            cited: list[Evidence] = [_cite_gap(carriage, gap) for gap in missing[:CITED]]
            count = sum(gap.last - gap.first + 1 for gap in missing)
            cited.append({"device": carriage.device, "missing_numbers": count})
            yield from _verdict(case, "sequence_gap", carriage.device, Severity.INFO, during, cited, limits)


def datum_due(case: Case, limits: DatumLimits) -> datetime | None:
    """When the road is emptied as far as a suspect fix that is known already."""
    begins = (since.time for carriage in case.facts.carriages for since, _ in _doubts(carriage))
    at_gates = (
        during[0] for carriage in case.facts.carriages for during, _ in _at_gates(case, carriage, limits)
    )
    return min((moment for moment in (*begins, *at_gates) if moment > case.until), default=None)


@rule(number="G7", code="datum_suspect", severity=Severity.INFO, limits=DatumLimits, due=datum_due)
def datum_suspect(case: Case, limits: DatumLimits) -> Iterator[Verdict]:
    """Fixes of a device may be in another datum than it says (坐标系可疑).

    Opens at the first fix of a standing device that lies where GCJ-02 or BD-09 would put it, and closes at
    the fix that shows the device where it stood; runs less than ``quiet_h`` apart are one finding. Also opens
    when a device lies where GCJ-02 would put the gate at ``min_gates`` gates' reports one after the other,
    and closes at the first report at which it doesn't.

    Must not fire where the fixes were believed in the end: the vehicle really was there; nor for other
    distances or directions: those are drift, or ``impossible_movement``. Suspect fixes judge no place: exits
    are undetermined where they are too many to be passed over.

    Args:
        case: the shipment as of the watermark.
        limits: ``quiet_h``, hours, default 24; ``min_gates``, default 2; ``align_s``, seconds, default 60;
            ``slack_m``, metres, default 100. How near a suspect fix must lie is the track's.

    Evidence: the first suspect fix, the datum, how far it is off, how many there were; the gates' reports.
    Source: Chinese maps use GCJ-02, which lies 350 to 700 m off (467 m at Suzhou); the thresholds are ours.
    """
    quiet = timedelta(hours=limits.quiet_h)
    for carriage in case.facts.carriages:
        spans: list[tuple[Interval, tuple[Evidence, ...]]] = [*_at_gates(case, carriage, limits)]
        for group in _close(_doubts(carriage), quiet):
            cited = tuple(cite(carriage.device, m) for run in group[:CITED] for m in run if m is not None)
            last = group[-1][1]
            ends = earlier(last.time if last is not None else None, carriage.ends)
            spans.append(((group[0][0].time, ends), cited))
        for during, told in united((span, told) for span, told in spans if span[0] <= case.until):
            yield from _verdict(
                case, "datum_suspect", carriage.device, Severity.INFO, during, [*told], limits
            )


@rule(number="G8", code="bad_signature_or_replay", severity=Severity.CRITICAL, limits=ReplayLimits)
def bad_signature_or_replay(case: Case, limits: ReplayLimits) -> Iterator[Verdict]:
    """Somebody else speaks as a device of the shipment: numbers used twice, signatures copied (重放或伪造).

    Opens when a sequence number comes again with another content, dated at what is recorded under it; and
    when the signature of one handover is found on another event, which it doesn't sign. Everything of one
    device is one finding. It never closes by itself: nobody can tell afterwards which word was true.

    Must not fire for a message that is sent again unchanged, as devices do that missed a receipt; nor for a
    signature that is merely wrong, which is ``handover_mismatch``.

    Args:
        case: the shipment as of the watermark.
        limits: none.

    Evidence: the numbers, the handovers with the copied signature.
    Source: the wire contract: a number is never reused; a signature covers device, run and number. Ours.
    """
    found: dict[str, list[tuple[datetime, Evidence]]] = {}
    for reused in case.facts.reused:
        number: Evidence = {"reused": reused.device, "run": reused.run, "seq": reused.seq}
        found.setdefault(reused.device, []).append((reused.time, {**number, "time": reused.time.isoformat()}))
    first: dict[str, Report] = {}
    for report in case.facts.reports:
        if isinstance(report.fact, Handover) and report.fact.signature is not None:
            signed = first.setdefault(report.fact.signature, report)
            if (signed.device, signed.run, signed.seq) != (report.device, report.run, report.seq):
                copied = [(report.time, cite_report(one)) for one in (signed, report)]
                found.setdefault(report.device, []).extend(copied)
    for device, told in sorted(found.items()):
        known = sorted((one for one in told if one[0] <= case.until), key=lambda one: (one[0], str(one[1])))
        if known:
            cited = [evidence for _, evidence in known[:CITED]]
            during = (known[0][0], None)
            severity = Severity.CRITICAL
            yield from _verdict(case, "bad_signature_or_replay", device, severity, during, cited, limits)


def _verdict(
    case: Case,
    code: str,
    device: str,
    severity: Severity,
    during: Interval,
    evidence: list[Evidence],
    limits: Struct,
) -> Iterator[Verdict]:
    terms = case.facts.terms_at(during[0])
    if terms is None:
        return
    yield Verdict(
        rule=code,
        cause=device,
        outcome=Outcome.FINDING,
        severity=severity,
        opened_at=during[0],
        closed_at=during[1],
        evidence=tuple(evidence),
        parameters=msgspec.to_builtins(limits),
        terms_revision=terms.revision,
    )


def _span(gap: MissingNumbers) -> tuple[datetime, datetime]:
    """The time in which what is missing happened; clocks may run back between the two."""
    return (min(gap.after, gap.before), max(gap.after, gap.before))


def _within(carriage: Carriage, during: Interval) -> Interval | None:
    return overlap(during, (carriage.begins, carriage.ends))


def _cite_gap(carriage: Carriage, gap: MissingNumbers) -> Evidence:
    return {
        "missing": "sequence",
        "device": carriage.device,
        "run": gap.run,
        "first": gap.first,
        "last": gap.last,
        "after": gap.after.isoformat(),
        "before": gap.before.isoformat(),
    }


def _doubts(carriage: Carriage) -> list[tuple[Milestone, Milestone | None]]:
    """Runs of suspect fixes within the carriage that weren't believed; the last one may not be over."""
    found: list[tuple[Milestone, Milestone | None]] = []
    since: Milestone | None = None
    for milestone in carriage.milestones:
        if milestone.kind == "datum_suspected" and milestone.time >= carriage.begins:
            since = milestone
        elif milestone.kind == "datum_cleared" and since is not None:
            if not milestone.detail.get("believed"):
                found.append((since, milestone))
            since = None
    return found if since is None else [*found, (since, None)]


def _close(
    runs: Sequence[tuple[Milestone, Milestone | None]], quiet: timedelta
) -> list[list[tuple[Milestone, Milestone | None]]]:
    """Runs that follow each other within the time, together."""
    found: list[list[tuple[Milestone, Milestone | None]]] = []
    for run in runs:
        last = found[-1][-1][1] if found else None
        if last is not None and run[0].time - last.time < quiet:
            found[-1].append(run)
        else:
            found.append([run])
    return found


def _at_gates(
    case: Case, carriage: Carriage, limits: DatumLimits
) -> Iterator[tuple[Interval, tuple[Evidence, ...]]]:
    """While a device lies off at every gate as the other datum would put it."""
    run: list[Report] = []
    for report in case.facts.reports:
        shifted = _is_shifted(case, carriage, report, limits)
        if shifted:
            run.append(report)
        elif shifted is False:
            if len(run) >= limits.min_gates:
                yield (run[0].time, report.time), tuple(cite_report(one) for one in run)
            run = []
    if len(run) >= limits.min_gates:
        yield (run[0].time, None), tuple(cite_report(one) for one in run)


def _is_shifted(case: Case, carriage: Carriage, report: Report, limits: DatumLimits) -> bool | None:
    """Whether the fix at a gate's report lies where GCJ-02 would put the gate; None: it can't be compared."""
    if not isinstance(report.fact, Gate):
        return None
    gate = case.facts.area_at(report.fact.gate, report.time)
    fix = _nearest(carriage.positions, report.time, timedelta(seconds=limits.align_s))
    if fix is None or gate is None or gate.lon is None or gate.lat is None:
        return None
    slack_m = limits.slack_m + (fix.accuracy_m or 0.0)
    if geodesy.distance_m(gate.lon, gate.lat, fix.lon, fix.lat) > NEAR_GATE_M:
        return None
    lon, lat = wgs84_to_gcj02(gate.lon, gate.lat)
    if geodesy.distance_m(gate.lon, gate.lat, lon, lat) <= 2 * slack_m:
        return None
    return geodesy.distance_m(lon, lat, fix.lon, fix.lat) <= slack_m


def _nearest(fixes: Sequence[Position], at: datetime, within: timedelta) -> Position | None:
    near = [fix for fix in fixes if abs(fix.time - at) <= within]
    return min(near, key=lambda fix: (abs(fix.time - at), fix.time, fix.run, fix.seq), default=None)
