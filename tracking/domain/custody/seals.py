"""Which seal is on the goods, when, and what is said of its state.

A seal comes onto the goods when its own device says that it is locked, when a re-seal is recorded, when a
gate or reader meets it and knows of no other, or because the terms name it. It stays on, whatever its state,
until a recorded re-seal replaces it: a cut seal is still the seal that the goods should wear. What is said
again is no news, so a state has one beginning, however often it is repeated and by whomever.

Gates and readers are points where numbers are compared: each of their readings is kept with the seals that
it should have met.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import zip_longest
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from devices.observation import Gate, Seal, SealState
from tracking.domain.custody.documents import SealRecord
from tracking.domain.custody.facts import SEAL, Facts
from tracking.domain.custody.intervals import Interval, joined, overlap
from tracking.domain.custody.legs import Legs, Span
from tracking.domain.custody.terms import ANY_SEAL, NO_SEAL
from tracking.domain.custody.told import Document, Report
from tracking.domain.custody.verdicts import Evidence, cite_document, cite_report

Source: TypeAlias = Report | Document

_SEAL_URN: Final = "urn:bondwatch:seal:"


class Mark(Struct, frozen=True):
    """A seal's state from a moment on, and who was the first to tell."""

    time: datetime
    state: SealState
    told: Source


class Worn(Struct, frozen=True):
    """A seal on the goods during [begins, ends).

    Attributes:
        seal: its number.
        begins: when it is first known to be on.
        ends: when another one was recorded in its place; None: never.
        things: URIs of what it is known to be on; empty: nobody said.
        devices: e-seals that speak for it themselves.
        marks: its states, in order, each other than the one before; empty: only the terms name it.
        iso_class: its class by ISO 17712, where a record tells.
    """

    seal: str
    begins: datetime
    ends: datetime | None = None
    things: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    marks: tuple[Mark, ...] = ()
    iso_class: str | None = None

    def covers(self, moment: datetime) -> bool:
        """Whether it was on at a moment."""
        return self.begins <= moment and (self.ends is None or moment < self.ends)

    def state_at(self, moment: datetime) -> SealState | None:
        """What was known of it at a moment; None: nothing."""
        return next((mark.state for mark in reversed(self.marks) if mark.time <= moment), None)

    def during(self, *states: SealState) -> list[Interval]:
        """The times in which it was on and in one of these states."""
        held: list[Interval] = []
        for mark, following in zip_longest(self.marks, self.marks[1:]):
            shared = overlap((mark.time, following.time if following else None), (self.begins, self.ends))
            if mark.state in states and shared is not None and shared[0] != shared[1]:
                held.append(shared)
        return joined(held)

    def openings(self) -> list[tuple[tuple[Mark, ...], datetime | None]]:
        """Each time that it was anything but locked: what was said then, and when it was locked again."""
        found: list[tuple[tuple[Mark, ...], datetime | None]] = []
        run: list[Mark] = []
        for mark in self.marks:
            if mark.state is not SealState.LOCKED:
                run.append(mark)
            elif run:
                found.append((tuple(run), mark.time))
                run = []
        return [*found, (tuple(run), self.ends)] if run else found


class Reading(Struct, frozen=True):
    """A gate or reader met seals.

    Attributes:
        report: what it said.
        read: numbers that it read, at least one.
        expected: numbers of the seals that it should have met.
        known: numbers of all seals that were on the goods then.
    """

    report: Report
    read: frozenset[str]
    expected: frozenset[str]
    known: frozenset[str]

    @property
    def missing(self) -> frozenset[str]:
        """What it should have met and didn't."""
        return self.expected - self.read

    @property
    def foreign(self) -> frozenset[str]:
        """What it met and isn't known to be on the goods."""
        return self.read - self.known


class Seals(Struct, frozen=True):
    """The seals of a shipment.

    Attributes:
        worn: in order of (begins, number).
        readings: in order of the reports.
        spoken: devices that have said a state of some seal for themselves, and when they first did.
    """

    worn: tuple[Worn, ...]
    readings: tuple[Reading, ...]
    spoken: Mapping[str, datetime]

    def on(self, moment: datetime) -> list[Worn]:
        """The seals that are on at a moment."""
        return [worn for worn in self.worn if worn.covers(moment)]


def worn(facts: Facts, legs: Legs) -> Seals:
    """Take the reports, records and terms in order of time. A case has it ready: ``case.seals``."""
    folding = _Folding(facts)
    for event in _events(facts, legs):
        match event:
            case Span():
                folding.begins(event)
            case Document():
                folding.records(event)
            case Report(fact=Seal()):
                folding.says(event)
            case Report(fact=Gate(seals=numbers)):
                folding.reads(event, frozenset(numbers))
    return Seals(
        tuple(sorted([*folding.on.values(), *folding.off], key=lambda w: (w.begins, w.seal))),
        tuple(folding.readings),
        folding.spoken,
    )


def cite_source(source: Source) -> Evidence:
    """A report or a record as evidence."""
    return cite_report(source) if isinstance(source, Report) else cite_document(source)


def is_word_of_seal(report: Report, facts: Facts) -> bool:
    """Whether the seal speaks for itself, and not a reader that met it."""
    return report.device_kind == SEAL or any(
        carriage.device == report.device and carriage.is_seal for carriage in facts.carriages
    )


def _events(facts: Facts, legs: Legs) -> Iterator[Span | Document | Report]:
    """What happened, each once, in order; of one moment papers before reports before the terms."""
    reports = {report.order: report for report in facts.reports if isinstance(report.fact, Seal | Gate)}
    records = {
        document.entry: document for document in facts.documents if isinstance(document.body, SealRecord)
    }
    named = [span for span in legs.spans if span.leg.seal not in {None, ANY_SEAL, NO_SEAL}]
    ordered: list[tuple[tuple[datetime, int, tuple[object, ...]], Span | Document | Report]] = [
        *(((document.time, 0, (document.entry,)), document) for document in records.values()),
        *(((report.time, 1, report.order), report) for report in reports.values()),
        *(((span.begins, 2, (span.index,)), span) for span in named),
    ]
    yield from (event for _, event in sorted(ordered, key=lambda pair: pair[0]))


class _Folding:
    """The state of the fold: the seals on, those that came off, and the readings."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.goods = frozenset(aboard.thing for aboard in facts.aboard if aboard.is_goods)
        self.on: dict[str, Worn] = {}
        self.off: list[Worn] = []
        self.readings: list[Reading] = []
        self.spoken: dict[str, datetime] = {}

    def begins(self, span: Span) -> None:
        """A leg begins whose terms name a seal: the first word of which one should be on."""
        if not self.on and span.leg.seal is not None:
            self._put_on(span.leg.seal, span.begins)

    def records(self, document: Document) -> None:
        """A seal was put on in place of another one."""
        body = document.body
        assert isinstance(body, SealRecord)
        for number in self._replaced(body, document.things):
            self.off.append(msgspec.structs.replace(self.on.pop(number), ends=document.time))
        self._put_on(body.seal, document.time, document.things, body.iso_class)
        self._mark(body.seal, Mark(document.time, SealState.LOCKED, document))

    def says(self, report: Report) -> None:
        """A seal speaks, or a reader that met it."""
        seal = report.fact
        assert isinstance(seal, Seal)
        if seal.state is SealState.LOW_BATTERY:
            return
        own = is_word_of_seal(report, self.facts)
        if own:
            self.spoken.setdefault(report.device, report.time)
        is_other = own and seal.seal not in self.on and self._speaks(report.device)
        if seal.state is SealState.LOCKED and (not own or is_other):
            self.reads(report, frozenset({seal.seal}))
        if seal.seal not in self.on and self._comes_on(report, seal, own=own):
            self._put_on(seal.seal, report.time, _things(report))
        if seal.seal in self.on:
            self._mark(seal.seal, Mark(report.time, seal.state, report))
            worn = self.on[seal.seal]
            self.on[seal.seal] = msgspec.structs.replace(
                worn,
                devices=worn.devices | ({report.device} if own else frozenset()),
                things=worn.things | _things(report),
            )

    def reads(self, report: Report, numbers: frozenset[str]) -> None:
        """A gate or a reader compares numbers; of goods whose seal nobody knows yet it is believed."""
        if not numbers:
            return
        expected = self._expected(_things(report))
        for number in sorted(numbers - self._gone() if not expected else ()):
            self._put_on(number, report.time, _things(report))
        for number in sorted(numbers & self.on.keys()):
            if not self.on[number].marks:
                self._mark(number, Mark(report.time, SealState.LOCKED, report))
        self.readings.append(Reading(report, numbers, expected, frozenset(self.on)))

    def _expected(self, things: frozenset[str]) -> frozenset[str]:
        """The seals that a reading of these things should meet."""
        near = [worn.seal for worn in self.on.values() if worn.things & things]
        if near:
            return frozenset(near)
        is_elsewhere = bool(things & self.goods)
        return frozenset(
            worn.seal for worn in self.on.values() if not (is_elsewhere and worn.things & self.goods)
        )

    def _gone(self) -> set[str]:
        return {worn.seal for worn in self.off}

    def _speaks(self, device: str) -> bool:
        return any(device in worn.devices for worn in self.on.values())

    def _comes_on(self, report: Report, seal: Seal, *, own: bool) -> bool:
        """Whether a seal that wasn't known is on the goods from this word on."""
        if seal.state is SealState.UNLOCKED or seal.seal in self._gone():
            return False
        return not self._speaks(report.device) if own else not self._expected(_things(report))

    def _replaced(self, body: SealRecord, things: frozenset[str]) -> list[str]:
        """The seals that a record takes off: the named one; else that of the same thing, or the open ones."""
        others = [worn for number, worn in sorted(self.on.items()) if number != body.seal]
        if body.replaces is not None:
            return [worn.seal for worn in others if worn.seal == body.replaces]
        same = [worn.seal for worn in others if worn.things & things]
        opened = [w.seal for w in others if w.marks and w.marks[-1].state is not SealState.LOCKED]
        return same or opened or [worn.seal for worn in others if len(others) == 1]

    def _put_on(
        self,
        number: str,
        moment: datetime,
        things: frozenset[str] = frozenset(),
        iso_class: str | None = None,
    ) -> None:
        known = self.on.get(number, Worn(number, moment))
        self.on[number] = msgspec.structs.replace(
            known, things=known.things | things, iso_class=iso_class or known.iso_class
        )

    def _mark(self, number: str, mark: Mark) -> None:
        worn = self.on[number]
        if not worn.marks or worn.marks[-1].state is not mark.state:
            self.on[number] = msgspec.structs.replace(worn, marks=(*worn.marks, mark))


def _things(report: Report) -> frozenset[str]:
    """What a report is about, but for the seals themselves."""
    return frozenset(thing for thing in report.things if not thing.startswith(_SEAL_URN))
