"""C7: signs that belong together make a suspicion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.intervals import Interval, overlap
from tracking.domain.custody.rules.device import silences
from tracking.domain.custody.rules.place import ForbiddenLimits, forbidden_zone_entry, lay_by_due
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.rules.seal_devices import asked
from tracking.domain.custody.rules.stops import StopLimits, stop_due, unauthorised_stop
from tracking.domain.custody.signs import (
    Sign,
    container_signs,
    light_signs,
    may_be_told,
    shock_signs,
    silence_signs,
    weight_signs,
)
from tracking.domain.custody.terms import MoveLeg
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, Verdict

Weight = Annotated[int, Meta(ge=0, le=100)]


class SwapLimits(Struct, frozen=True):
    """Parameters of ``swap_suspected``.

    Attributes:
        window_min: minutes before and after a stop in which a sign belongs to it.
        silence_min: minutes of a seal's silence that are a sign.
        lux: light above this is one.
        light_min_s: seconds that the light must fall in, or a door stand open.
        shock_g: a blow of this or more is one, in g.
        weight_pct: a change of weight by more than this is one, per cent.
        weight_stop: what the stop counts.
        weight_silence: what a seal's silence counts.
        weight_light: what light or an open door counts.
        weight_shock: what a blow counts.
        weight_weight: what a change of weight counts.
        weight_container: what another container's number counts.
        min_score: the sum from which on it is a suspicion.
    """

    window_min: Annotated[float, Meta(ge=0, le=1440)] = 60
    silence_min: Annotated[float, Meta(gt=0, le=1440)] = 5
    lux: Annotated[float, Meta(ge=0)] = 10
    light_min_s: Annotated[float, Meta(ge=0, le=86_400)] = 20
    shock_g: Annotated[float, Meta(gt=0)] = 5
    weight_pct: Annotated[float, Meta(ge=0, le=100)] = 3
    weight_stop: Weight = 2
    weight_silence: Weight = 1
    weight_light: Weight = 2
    weight_shock: Weight = 2
    weight_weight: Weight = 3
    weight_container: Weight = 4
    min_score: Annotated[int, Meta(ge=1)] = 4

    def weight(self, component: str) -> int:
        """What a component counts."""
        counted: int = getattr(self, f"weight_{component}")
        return counted


class _Scene(Struct, frozen=True):
    """Stops of one move that lie so close that a sign belongs to all of them.

    Attributes:
        stops: what A2 and A4 say of them, in order.
        during: from the first one's opening to the last one's end.
        move: when that leg ran.
    """

    stops: tuple[Verdict, ...]
    during: Interval
    move: Interval

    def window(self, minutes: float) -> Interval | None:
        """When a sign belongs to it, within its move."""
        margin = timedelta(minutes=minutes)
        begins, ends = self.during
        return overlap((begins - margin, None if ends is None else ends + margin), self.move)


def swap_due(case: Case, limits: SwapLimits) -> datetime | None:
    """When a stop becomes one too many, or a sign complete."""
    if not may_be_told(case):
        return None
    moments = [
        sign.time
        for scene in _scenes(case, limits)
        for sign in _signs(case, scene, limits)
        if sign.time > case.until
    ]
    dues = (stop_due(case, StopLimits()), lay_by_due(case, ForbiddenLimits()))
    return min([*moments, *(due for due in dues if due is not None)], default=None)


@rule(number="C7", code="swap_suspected", severity=Severity.CRITICAL, limits=SwapLimits, due=swap_due)
def swap_suspected(case: Case, limits: SwapLimits) -> Iterator[Verdict]:
    """Goods or box may have been swapped: they stood where they may not, and there are signs (疑似换货).

    The stop is one that A2 or A4 finds, with those rules' own defaults; stops no further apart than
    ``window_min`` are one. Signs are, within ``window_min`` of the stop and while the move runs: a seal on
    the goods that was silent for longer than ``silence_min``, and than the interval that its registration
    expects; light above ``lux`` or an open door for ``light_min_s``; a blow of ``shock_g``. And at the next
    gate, up to ``window_min`` after the move: a weight that differs by more than ``weight_pct`` from the
    weighing before the stop, else from the pass; another container's number. Each counts once:
    ``weight_stop``, ``weight_silence``, ``weight_light``, ``weight_shock``, ``weight_weight``,
    ``weight_container``.

    Opens at the moment at which the stop is a finding and the sum reaches ``min_score``; signs that come
    later only add to the evidence. With the defaults a stop and any one sign will do, except for a short
    silence of the seal, which alone is what parked seals do. Closes when no leg runs any more; one that opens
    at a gate after that stays open.

    Must not fire without a stop, whatever the signs; nor for a stop where goods may stand; nor while no move
    runs; nor for weighings of 0, which are none, nor for container numbers with a wrong check digit. It says
    nothing of the seal: whether that was opened is rule C1.

    Args:
        case: the shipment as of the watermark.
        limits: ``window_min``, default 60; ``silence_min``, default 5; ``lux``, default 10;
            ``light_min_s``, default 20; ``shock_g``, default 5; ``weight_pct``, default 3; weights 2, 1, 2,
            2, 3, 4 in the order above; ``min_score``, default 4.

    Evidence: the score, each component with its weight and its moment; what each rests on.
    Source: rule C7 of our catalogue; all numbers are ours.
    """
    for scene in _scenes(case, limits) if may_be_told(case) else ():
        stop = scene.stops[0]
        cited: tuple[Evidence, ...] = tuple(
            {"rule": told.rule, "cause": told.cause, "opened_at": told.opened_at.isoformat()}
            for told in scene.stops
        )
        complete = [sign for sign in _signs(case, scene, limits) if sign.time <= case.until or _is_told(sign)]
        first = {sign.name: sign for sign in sorted(complete, key=lambda s: (s.time, s.name), reverse=True)}
        signs = sorted([Sign("stop", stop.opened_at, cited), *first.values()], key=lambda s: (s.time, s.name))
        opened_at = _reached(signs, limits)
        if opened_at is None:
            continue
        opened_at = max(opened_at, stop.opened_at)
        terms = case.facts.terms_at(opened_at)
        assert terms is not None  # a move ran before
        running = [leg for leg in case.legs.running() if overlap(leg, (opened_at, opened_at)) is not None]
        yield Verdict(
            rule="swap_suspected",
            cause=stop.cause,
            outcome=Outcome.FINDING,
            severity=Severity.CRITICAL,
            opened_at=opened_at,
            closed_at=running[0][1] if running and running[0][1] != opened_at else None,
            evidence=(
                _score(signs, limits),
                *(piece for sign in signs for piece in sign.evidence),
            ),
            parameters=msgspec.structs.asdict(limits),
            terms_revision=terms.revision,
        )


def _scenes(case: Case, limits: SwapLimits) -> Iterator[_Scene]:
    """The stops of each move, those together that lie close."""
    verdicts = [
        verdict
        for told in (
            unauthorised_stop(case, StopLimits()),
            forbidden_zone_entry(case, ForbiddenLimits()),
        )
        for verdict in told
        if verdict.outcome is Outcome.FINDING
    ]
    verdicts.sort(key=lambda verdict: (verdict.opened_at, verdict.rule, verdict.cause))
    for _, group in groupby(case.legs.spans, key=lambda span: span.index):
        spans = list(group)
        move = (spans[0].begins, spans[-1].ends)
        if not isinstance(spans[0].leg, MoveLeg):
            continue
        near: list[Verdict] = []
        for verdict in verdicts:
            if overlap((verdict.opened_at, verdict.closed_at), move) is None:
                continue
            ends = _ends(near) if near else None
            if near and ends is not None and verdict.opened_at - ends > timedelta(minutes=limits.window_min):
                yield _Scene(tuple(near), (near[0].opened_at, ends), move)
                near = []
            near.append(verdict)
        if near:
            yield _Scene(tuple(near), (near[0].opened_at, _ends(near)), move)


def _ends(stops: list[Verdict]) -> datetime | None:
    ends = [stop.closed_at for stop in stops]
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None


def _signs(case: Case, scene: _Scene, limits: SwapLimits) -> Iterator[Sign]:
    """Every sign that belongs to a scene, also those that more time must pass for."""
    window = scene.window(limits.window_min)
    if window is not None:
        for carriage in case.facts.carriages:
            if carriage.is_seal:
                within = [s for must in asked(case, carriage) if (s := overlap(must, window)) is not None]
                longer_s = max(limits.silence_min * 60, carriage.expected_every_s)
                yield from silence_signs(carriage.device, silences(carriage), within, longer_s)
        yield from light_signs(case, window, limits.lux, limits.light_min_s)
        yield from shock_signs(case, window, limits.shock_g)
    arrived = scene.move[1]
    until = arrived + timedelta(minutes=limits.window_min) if arrived is not None else None
    yield from weight_signs(case, scene.during[0], until, limits.weight_pct)
    yield from container_signs(case, scene.during[0], until)


def _is_told(sign: Sign) -> bool:
    """A gate's word is a fact, wherever the watermark stands."""
    return sign.name in {"weight", "container", "shock"}


def _reached(signs: list[Sign], limits: SwapLimits) -> datetime | None:
    """When the sum reaches the score."""
    score = 0
    for sign in signs:
        score += limits.weight(sign.name)
        if score >= limits.min_score:
            return sign.time
    return None


def _score(signs: list[Sign], limits: SwapLimits) -> Evidence:
    return {
        "score": sum(limits.weight(sign.name) for sign in signs),
        "min_score": limits.min_score,
        "components": [
            {"component": sign.name, "weight": limits.weight(sign.name), "at": sign.time.isoformat()}
            for sign in signs
        ],
    }
