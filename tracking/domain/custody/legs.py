"""When each leg of the terms began and ended.

A leg begins and ends by what the goods did, never by a clock alone. The table says how; whatever it doesn't
list changes nothing: a truck that turns back into its origin is still on its way, and a leg that is over
stays over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Final

from msgspec import Struct

from tracking.domain.custody.course import Step, Stretch, steps
from tracking.domain.custody.facts import Facts, Milestone, TermsRevision
from tracking.domain.custody.intervals import Interval, joined
from tracking.domain.custody.terms import Leg, MoveLeg, StayLeg


class LegState(StrEnum):
    """How far a leg is."""

    AWAITED = "awaited"
    RUNNING = "running"
    OVER = "over"


class Word(StrEnum):
    """What a step means to a leg."""

    WITHIN = "within"
    """Inside one of the stay's zones."""
    AWAY = "away"
    """Known to be in none of the stay's zones."""
    DEPARTED = "departed"
    """The last of the origin's zones has just been left."""
    UNDER_WAY = "under_way"
    """On the corridor, and in neither origin nor destination."""
    ARRIVED = "arrived"
    """Inside one of the destination's zones."""


LEG_MOVES: Final = {
    (StayLeg, LegState.AWAITED, Word.WITHIN): LegState.RUNNING,
    (StayLeg, LegState.RUNNING, Word.AWAY): LegState.OVER,
    (MoveLeg, LegState.AWAITED, Word.DEPARTED): LegState.RUNNING,
    (MoveLeg, LegState.AWAITED, Word.UNDER_WAY): LegState.RUNNING,
    (MoveLeg, LegState.RUNNING, Word.ARRIVED): LegState.OVER,
}


class Span(Struct, frozen=True):
    """One leg running under one revision of the terms during [begins, ends).

    A revision that takes effect while a leg runs ends one span and begins the next, with the same index.

    Attributes:
        index: place of the leg in the terms, from 0.
        leg: the leg as that revision has it.
        revision: number of the terms' revision.
        begins: when it began to run.
        ends: when it stopped; None while it runs.
        milestones: what began it; empty when the state of things at the beginning did.
    """

    index: int
    leg: Leg
    revision: int
    begins: datetime
    ends: datetime | None
    milestones: tuple[Milestone, ...] = ()

    def covers(self, moment: datetime) -> bool:
        """Whether the leg ran at a moment."""
        return self.begins <= moment and (self.ends is None or moment < self.ends)


class Legs(Struct, frozen=True):
    """The legs as far as the facts have taken them.

    Attributes:
        spans: in order of time.
        index: the leg that is awaited or runs; the number of legs when all are over.
        state: of that leg; ``over`` when all are.
        areas: where the goods are, as far as known.
    """

    spans: tuple[Span, ...]
    index: int
    state: LegState
    areas: frozenset[str]

    def at(self, moment: datetime) -> Span | None:
        """The span that covers a moment."""
        return next((span for span in self.spans if span.covers(moment)), None)

    def running(self) -> list[Interval]:
        """The times in which some leg runs."""
        return joined((span.begins, span.ends) for span in self.spans)

    def moves(self) -> Iterator[Span]:
        """Every move with a corridor, revisions that kept the corridor joined into one span."""
        routed = [s for s in self.spans if isinstance(s.leg, MoveLeg) and s.leg.corridor is not None]
        for _, group in groupby(routed, key=lambda s: (s.index, corridor_of(s))):
            pieces = list(group)
            first = pieces[0]
            yield Span(
                first.index, first.leg, first.revision, first.begins, pieces[-1].ends, first.milestones
            )


def corridor_of(span: Span) -> str | None:
    """The corridor that a span is held to."""
    return span.leg.corridor if isinstance(span.leg, MoveLeg) else None


def fold(facts: Facts, stretches: Sequence[Stretch]) -> Legs:
    """Take the legs through the shipment's course, from the moment its first terms hold."""
    folding = _Folding()
    for step, terms in _held_steps(facts, stretches):
        folding.take(step, terms)
    return folding.result()


def _held_steps(facts: Facts, stretches: Sequence[Stretch]) -> Iterator[tuple[Step, TermsRevision]]:
    """The steps with the terms in force; a revision that takes effect is a step in which nothing moves."""
    changes = sorted({revision.valid_from for revision in facts.terms})
    areas, known = frozenset[str](), False
    found: list[Step] = []
    for step in steps(stretches):
        while changes and changes[0] <= step.time:
            change = changes.pop(0)
            if change < step.time:
                found.append(_still(change, areas, known))
        found.append(step)
        areas, known = step.areas, step.known
    found += [_still(change, areas, known) for change in changes]
    for step in found:
        terms = facts.terms_at(step.time)
        if terms is not None and (facts.closed_at is None or step.time < facts.closed_at):
            yield step, terms


def _still(time: datetime, areas: frozenset[str], known: bool) -> Step:
    return Step(time=time, areas=areas, left=frozenset(), known=known, milestones=())


def _words(leg: Leg, step: Step) -> tuple[Word, ...]:
    """What a step means to a leg, in the order in which it happens within the moment."""
    if isinstance(leg, StayLeg):
        if step.areas & set(leg.zones):
            return (Word.WITHIN,)
        return (Word.AWAY,) if step.known else ()
    origin, destination = set(leg.from_zones), set(leg.to_zones)
    words = []
    if step.left & origin and not step.areas & origin:
        words.append(Word.DEPARTED)
    if leg.corridor in step.areas and not step.areas & (origin | destination):
        words.append(Word.UNDER_WAY)
    if step.areas & destination:
        words.append(Word.ARRIVED)
    return tuple(words)


class _Folding:
    """The state of the fold: which leg, how far, and since when."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.index = 0
        self.state = LegState.AWAITED
        self.areas: frozenset[str] = frozenset()
        self.running: Span | None = None

    def take(self, step: Step, terms: TermsRevision) -> None:
        self.areas = step.areas
        self._revise(step, terms)
        legs = terms.terms.legs
        moved = True
        while moved and self.index < len(legs):
            moved = False
            leg = legs[self.index]
            for word in _words(leg, step):
                to = LEG_MOVES.get((type(leg), self.state, word))
                if to is not None:
                    self._move(to, leg, step, terms)
                    moved = True
            if self.state is LegState.OVER:
                self.index += 1
                self.state = LegState.AWAITED if self.index < len(legs) else LegState.OVER

    def result(self) -> Legs:
        spans = [*self.spans, self.running] if self.running is not None else self.spans
        return Legs(tuple(spans), self.index, self.state, self.areas)

    def _move(self, to: LegState, leg: Leg, step: Step, terms: TermsRevision) -> None:
        self.state = to
        if to is LegState.RUNNING:
            self.running = Span(self.index, leg, terms.revision, step.time, None, step.milestones)
        else:
            self._end(step.time)

    def _end(self, time: datetime) -> None:
        if self.running is not None and self.running.begins < time:
            self.spans.append(_until(self.running, time))
        self.running = None

    def _revise(self, step: Step, terms: TermsRevision) -> None:
        """Hold the running leg to new terms; terms with fewer legs end it, terms with more await the next."""
        legs = terms.terms.legs
        if self.index >= len(legs):
            self._end(step.time)
            self.state = LegState.OVER
        elif self.state is LegState.OVER:
            self.state = LegState.AWAITED
        elif self.running is not None and self.running.revision != terms.revision:
            began = self.running.milestones
            self._end(step.time)
            self.running = Span(self.index, legs[self.index], terms.revision, step.time, None, began)


def _until(span: Span, time: datetime) -> Span:
    return Span(span.index, span.leg, span.revision, span.begins, time, span.milestones)
