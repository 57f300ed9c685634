"""Rules about the devices themselves: do they still speak?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Final

from msgspec import Meta, Struct

from devices.observation import moment
from tracking.domain.custody.case import Case
from tracking.domain.custody.chain import crossings
from tracking.domain.custody.facts import PRIMARY, Carriage, Silence
from tracking.domain.custody.gatehouse import Sight, Watching, next_word
from tracking.domain.custody.intervals import Interval, overlap
from tracking.domain.custody.legs import Legs
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict, cite_silence


class SilenceLimits(Struct, frozen=True):
    """Parameters of ``device_silent``.

    Attributes:
        factor: how many times the expected interval may pass without word, where the leg sets no limit.
    """

    factor: Annotated[int, Meta(ge=1, le=1000)] = 5


TRACK_FACTOR: Final = SilenceLimits().factor
"""The track tells of silences longer than this many intervals; shorter ones must be measured."""


class GapWindow(Struct, frozen=True):
    """A stretch of a device's observations in which silences must be measured: milestones don't tell so
    short ones.

    Attributes:
        device: its name.
        begins: silences that begin from here on.
        ends: and before this moment; None: up to the newest.
        longer_than_s: seconds between two observations that count as a silence.
    """

    device: str
    begins: datetime
    ends: datetime | None
    longer_than_s: int


def silence_due(case: Case, limits: SilenceLimits) -> datetime | None:
    """When a silence that lasts would become a finding although nothing comes.

    The track watches for its own limit and leaves work when that has passed. What is left to us are limits
    other than the track's, devices that are silent already when they begin to carry, and silences that are
    recorded ahead of the watermark with both their ends.
    """
    moments = []
    for carriage in case.facts.carriages:
        if not _is_judged(carriage) or carriage.last_heard is None:
            continue
        limit_s = _limit_s(carriage, case.legs, carriage.last_heard, limits)
        due = carriage.last_heard + timedelta(seconds=limit_s)
        opening = overlap((due, None), (carriage.begins, carriage.ends))
        has_own_limit = limit_s != TRACK_FACTOR * carriage.expected_every_s
        if opening is not None and opening[0] > case.until and (has_own_limit or opening[0] > due):
            moments.append(opening[0])
        moments += [
            begins
            for _, (begins, _), limit_s in _too_long(case, carriage, limits)
            if begins > case.until and limit_s != TRACK_FACTOR * carriage.expected_every_s
        ]
    moments += [look for _, gate in _unseen(case) if (look := next_word(gate, case.until)) is not None]
    return min(moments, default=None)


@rule(number="G1", code="device_silent", severity=Severity.MAJOR, limits=SilenceLimits, due=silence_due)
def device_silent(case: Case, limits: SilenceLimits) -> Iterator[Verdict]:
    """The primary device, or a gate that should have told, is silent for longer than it may be (设备失联).

    Opens, of the primary device, exactly at the last observation plus the limit: the leg's ``max_silence_s``
    where one is set, else ``factor`` times the interval that the device's registration expects. Closes at the
    time of the next observation. Major when a leg runs at its opening, because custody then depends on the
    device; else info.

    Opens, of a gate, as major, when the goods departed or arrived where it should have told of them and it
    had been offline for its five intervals, or when these are over. Closes when it is heard.

    Must not fire for a backlog after downtime: time passes only as far as the watermark; nor for
    observations that come late, because they fill the gap and the finding is withdrawn; nor for a device
    that never spoke; nor for devices in other roles, nor seals, whose rule is C4; nor for a silence outside
    the carriage; nor for a gate where another gate or a handover told of the goods, or that none of them
    passed. It says nothing about contact now: that is the arrival note ``unreachable``.

    Args:
        case: the shipment as of the watermark; a silence that lasts has lasted until then.
        limits: ``factor``, times the expected interval, default 5; a gate's is always 5.

    Evidence: the observations on both sides of the silence; of a gate also where the goods passed.
    Source: rule G1 of our catalogue; factor and interval are ours. Long limits for rail are set by the leg.
    """
    for carriage in case.facts.carriages:
        if not _is_judged(carriage):
            continue
        for silence, during, limit_s in _too_long(case, carriage, limits):
            if during[0] > case.until:
                continue
            span = case.legs.at(during[0])
            terms = case.facts.terms_at(during[0])
            if terms is None:
                continue
            yield Verdict(
                rule="device_silent",
                cause=carriage.device,
                outcome=Outcome.FINDING,
                severity=Severity.MAJOR if span is not None else Severity.INFO,
                opened_at=during[0],
                closed_at=during[1],
                evidence=(cite_silence(carriage.device, silence),),
                parameters={"limit_s": limit_s},
                terms_revision=terms.revision,
            )
    yield from _gates(case)


def _gates(case: Case) -> Iterator[Verdict]:
    """Gates that were offline when the goods passed where they stand; each silence once."""
    told: set[tuple[str, datetime]] = set()
    for time, gate in _unseen(case):
        watch = gate.watch
        if (
            gate.sight is not Sight.OFFLINE
            or gate.last_heard is None
            or (watch.device, gate.last_heard) in told
        ):
            continue
        told.add((watch.device, gate.last_heard))
        limit_s = TRACK_FACTOR * watch.expected_every_s
        opened_at = max(gate.last_heard + timedelta(seconds=limit_s), time)
        terms = case.facts.terms_at(opened_at)
        if terms is None or opened_at > case.until or (gate.heard is not None and gate.heard <= opened_at):
            continue
        yield Verdict(
            rule="device_silent",
            cause=watch.device,
            outcome=Outcome.FINDING,
            severity=Severity.MAJOR,
            opened_at=opened_at,
            closed_at=gate.heard,
            evidence=(
                {**cite_silence(watch.device, Silence(gate.last_heard, gate.heard)), "gate": watch.gate},
                {"passed": watch.zone, "time": time.isoformat()},
            ),
            parameters={"limit_s": limit_s},
            terms_revision=terms.revision,
        )


def _unseen(case: Case) -> Iterator[tuple[datetime, Watching]]:
    """Departures and arrivals that nobody told of, with each gate that should have."""
    if not case.facts.gates:
        return
    for crossing in crossings(case):
        if not crossing.is_confirmed and crossing.time <= case.until:
            yield from ((crossing.time, gate) for gate in crossing.watchers)


def silences(carriage: Carriage) -> list[Silence]:
    """Every silence that the facts tell of, in order; the last one may still last."""
    found: dict[datetime, Silence] = {}
    since: datetime | None = None
    for milestone in carriage.milestones:
        if milestone.kind == "silent":
            since = moment(milestone.detail["last_heard"][0])
        elif milestone.kind == "heard" and since is not None:
            found[since] = Silence(since, milestone.time)
            since = None
    found |= {gap.last_heard: gap for gap in carriage.gaps}
    if carriage.last_heard is not None:
        found.setdefault(carriage.last_heard, Silence(carriage.last_heard, None))
    return [found[at] for at in sorted(found)]


def gap_windows(case: Case, limits: SilenceLimits) -> list[GapWindow]:
    """Where the gatherer must measure: what is asked for more often than the track watches for."""
    found = []
    for carriage in case.facts.carriages:
        if not _is_judged(carriage):
            continue
        usual_s = TRACK_FACTOR * carriage.expected_every_s
        if limits.factor < TRACK_FACTOR:
            shorter_s = limits.factor * carriage.expected_every_s
            found.append(GapWindow(carriage.device, carriage.begins, carriage.ends, shorter_s))
        for span in case.legs.spans:
            asked_s = span.leg.max_silence_s
            if asked_s is None or asked_s >= usual_s:
                continue
            during = overlap((span.begins, span.ends), (carriage.begins, carriage.ends))
            if during is not None:
                found.append(GapWindow(carriage.device, *during, asked_s))
    return found


def _is_judged(carriage: Carriage) -> bool:
    return carriage.role == PRIMARY and not carriage.is_seal


def _too_long(
    case: Case, carriage: Carriage, limits: SilenceLimits
) -> Iterator[tuple[Silence, Interval, int]]:
    """Silences from when they outlast their limit on, with the limit, seconds; those ahead of now, too."""
    for silence in silences(carriage):
        limit_s = _limit_s(carriage, case.legs, silence.last_heard, limits)
        due = silence.last_heard + timedelta(seconds=limit_s)
        if silence.heard is not None and due >= silence.heard:
            continue
        during = overlap((due, silence.heard), (carriage.begins, carriage.ends))
        if during is not None:
            yield silence, during, limit_s


def _limit_s(carriage: Carriage, legs: Legs, last_heard: datetime, limits: SilenceLimits) -> int:
    span = legs.at(last_heard)
    if span is not None and span.leg.max_silence_s is not None:
        return span.leg.max_silence_s
    return limits.factor * carriage.expected_every_s
