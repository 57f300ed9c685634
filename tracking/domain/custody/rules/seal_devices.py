"""The rule about seals that fall silent, and what is asked of a seal's device."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from devices.observation import SealState
from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import PRIMARY, Carriage, Silence
from tracking.domain.custody.intervals import Interval, joined, overlap
from tracking.domain.custody.legs import Span, corridor_of
from tracking.domain.custody.rules.device import TRACK_FACTOR, GapWindow, silences
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.verdicts import (
    Evidence,
    Outcome,
    Severity,
    Verdict,
    cite_silence,
)
from tracking.domain.custody.whereabouts import zones_at

RAIL: Final = "rail"


class SealSilenceLimits(Struct, frozen=True):
    """Parameters of ``seal_silent``.

    Attributes:
        silence_min: minutes that a seal may say nothing, where the leg sets no limit.
        silence_h: hours that it may on rails; longer than ``silence_min`` is information there.
        factor: how many of the intervals that its registration expects may pass in any case, where the leg
            sets no limit.
    """

    silence_min: Annotated[float, Meta(gt=0, le=525_600)] = 15
    silence_h: Annotated[float, Meta(gt=0, le=8760)] = 72
    factor: Annotated[int, Meta(ge=1, le=1000)] = 2


class _Allowance(Struct, frozen=True):
    """How long a seal may be silent: until it is worth telling, and until it is grave."""

    told_s: float
    grave_s: float


def silence_due(case: Case, limits: SealSilenceLimits) -> datetime | None:
    """When a silence that lasts is worth telling, or grave."""
    moments = []
    for carriage in _seals(case):
        if carriage.last_heard is None:
            continue
        allowance = _allowance(case, carriage, carriage.last_heard, limits)
        for seconds in (allowance.told_s, allowance.grave_s):
            due = carriage.last_heard + timedelta(seconds=seconds)
            for must in asked(case, carriage):
                during = overlap((due, None), must)
                if during is not None and during[0] > case.until:
                    moments.append(during[0])
    return min(moments, default=None)


@rule(number="C4", code="seal_silent", severity=Severity.MAJOR, limits=SealSilenceLimits, due=silence_due)
def seal_silent(case: Case, limits: SealSilenceLimits) -> Iterator[Verdict]:
    """A seal on the goods has said nothing for longer than it may (关锁失联).

    That it is silent says nothing of its state: it was last heard there and then. Opens at its last
    observation plus the leg's ``max_silence_s``, else plus ``silence_min``, or ``factor`` of the intervals
    that its registration expects if that is longer. On a corridor of mode rail it opens there as information
    and becomes major at the leg's ``max_silence_s``, else at ``silence_h``. Closes with its next word, or
    when it is opened, replaced or taken off, or no leg runs.

    Undetermined where numbers of the device are missing within the silence: it spoke, and was not heard.

    Must not fire for a seal that isn't on the goods yet, or was opened; nor while no leg runs; nor for a
    device that never spoke; nor for a backlog after downtime: time passes only as far as the watermark; nor
    for observations that come late, because they fill the gap and the finding is withdrawn. For devices
    other than seals the rule is G1.

    Args:
        case: the shipment as of the watermark; a silence that lasts has lasted until then.
        limits: ``silence_min``, minutes, default 15; ``silence_h``, hours, default 72; ``factor``, default 2.

    Evidence: the observations on both sides of the silence; the zones and the position at which it was last
    heard; the numbers that are missing.
    Source: rule C4 of our catalogue; all its times are ours.
    """
    for carriage in _seals(case):
        for silence in silences(carriage):
            yield from _silent(case, carriage, silence, limits)


def _silent(case: Case, carriage: Carriage, silence: Silence, limits: SealSilenceLimits) -> Iterator[Verdict]:
    allowance = _allowance(case, carriage, silence.last_heard, limits)
    due = silence.last_heard + timedelta(seconds=allowance.told_s)
    if silence.heard is not None and due >= silence.heard:
        return
    reached = case.until if silence.heard is None else min(silence.heard, case.until)
    is_grave = reached >= silence.last_heard + timedelta(seconds=allowance.grave_s)
    lost = [
        gap
        for gap in carriage.missing
        if gap.before > silence.last_heard and (silence.heard is None or gap.after < silence.heard)
    ]
    for must in asked(case, carriage):
        during = overlap((due, silence.heard), must)
        terms = case.facts.terms_at(during[0]) if during is not None else None
        if during is None or terms is None or during[0] > case.until:
            continue
        yield Verdict(
            rule="seal_silent",
            cause=carriage.device,
            outcome=Outcome.UNDETERMINED if lost else Outcome.FINDING,
            severity=Severity.MAJOR if is_grave and not lost else Severity.INFO,
            opened_at=during[0],
            closed_at=during[1],
            evidence=(
                cite_silence(carriage.device, silence),
                _last_seen(case, carriage, silence.last_heard),
                *({"missing": carriage.device, "first": gap.first, "last": gap.last} for gap in lost),
            ),
            parameters=msgspec.to_builtins(limits) | {"limit_s": allowance.told_s},
            terms_revision=terms.revision,
        )


def seal_gap_windows(case: Case, limits: SealSilenceLimits, shortest_s: float) -> list[GapWindow]:
    """Where the gatherer must measure the silences of seals.

    Args:
        case: the shipment.
        limits: of ``seal_silent``.
        shortest_s: seconds of silence that some other rule asks for.
    """
    legs = case.legs.running()
    found = []
    for carriage in _seals(case) if legs else ():
        allowed = [_allowed_s(span, case, carriage, limits).told_s for span in case.legs.spans]
        asked_s = int(min(shortest_s, *allowed))
        during = overlap((carriage.begins, carriage.ends), (carriage.begins, legs[-1][1]))
        if during is not None and asked_s < TRACK_FACTOR * carriage.expected_every_s:
            found.append(GapWindow(carriage.device, *during, asked_s))
    return found


def asked(case: Case, carriage: Carriage) -> list[Interval]:
    """When a seal's device must speak: on the goods and not open, or primary, while a leg runs."""
    on = [(carriage.begins, carriage.ends)] if carriage.role == PRIMARY else worn_by(case, carriage)
    both = (overlap(one, leg) for one in on for leg in case.legs.running())
    return joined(interval for interval in both if interval is not None)


def worn_by(case: Case, carriage: Carriage) -> list[Interval]:
    """The times in which a seal's device is on the goods and not known to be open.

    A device that never said a state is taken to be on for as long as it is attached.
    """
    carried: Interval = (carriage.begins, carriage.ends)
    if carriage.device not in case.seals.spoken:
        return [carried]
    shut = joined(
        interval
        for worn in case.seals.worn
        if carriage.device in worn.devices
        for interval in worn.during(SealState.LOCKED, SealState.CUT, SealState.TAMPERED)
    )
    shared = (overlap(interval, carried) for interval in shut)
    return [interval for interval in shared if interval is not None]


def _seals(case: Case) -> list[Carriage]:
    return [carriage for carriage in case.facts.carriages if carriage.is_seal]


def _allowance(case: Case, carriage: Carriage, last_heard: datetime, limits: SealSilenceLimits) -> _Allowance:
    return _allowed_s(case.legs.at(last_heard), case, carriage, limits)


def _allowed_s(span: Span | None, case: Case, carriage: Carriage, limits: SealSilenceLimits) -> _Allowance:
    leg_s = span.leg.max_silence_s if span is not None else None
    usual_s = max(limits.silence_min * 60, limits.factor * carriage.expected_every_s)
    if span is not None and _is_rail(case, span):
        grave_s = leg_s if leg_s is not None else limits.silence_h * 3600
        return _Allowance(min(usual_s, grave_s), grave_s)
    limit_s = leg_s if leg_s is not None else usual_s
    return _Allowance(limit_s, limit_s)


def _is_rail(case: Case, span: Span) -> bool:
    code = corridor_of(span)
    corridor = case.facts.area_at(code, span.begins) if code is not None else None
    return corridor is not None and corridor.properties.get("mode") == RAIL


def _last_seen(case: Case, carriage: Carriage, moment: datetime) -> Evidence:
    """Where it was when it was last heard, as far as anybody knows."""
    zones = zones_at(case.facts, moment)
    seen: dict[str, Any] = {"last_seen": moment.isoformat()}
    if zones is not None:
        seen["zones"] = sorted(zones)
    own = [carriage, *(c for c in case.facts.carriages if c.role == PRIMARY)]
    fixes = [[fix for fix in c.positions if fix.time <= moment] for c in own]
    last = next((told[-1] for told in fixes if told), None)
    if last is not None:
        seen["position"] = {
            "time": last.time.isoformat(),
            "lon": last.lon,
            "lat": last.lat,
            "accuracy_m": last.accuracy_m,
        }
    return seen
