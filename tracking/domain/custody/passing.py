"""Which vehicle at which gate used which pass: passes and reports of gates folded together in event time.

A report tries the pass that it names, else one that fits its vehicle, zone and direction. It uses the pass
when the pass is approved (or past its first gate) and plate and containers are those on the paper. What is
held is not used: a wrong vehicle leaves the pass approved. Where an officer's word decides (this is the
plate; let it through), the pass is used from that word on, and not before.

Papers count before reports of the same moment. Nothing depends on the order in which any of it came: a
report that comes late is tried at its own moment, and may leave a later vehicle without a pass.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from devices.observation import Gate
from tracking.domain.custody import boxes, plates
from tracking.domain.custody.documents import GateOverride, GatePass, PassMoved, PassState, PlateConfirmed
from tracking.domain.custody.passages import (
    GatePlace,
    Passage,
    PassBook,
    PassLimits,
    Refusal,
    gate_of,
    override,
)
from tracking.domain.custody.passes import DEAD, SAME_PASSAGE, Pass, document_order, told
from tracking.domain.custody.plates import Likeness
from tracking.domain.custody.told import Document, Report

OF_PASSES: Final = (GatePass, PassMoved, PlateConfirmed, GateOverride)
"""What of all documents is read here."""

AN_OFFICER_MAY_WAIVE: Final = frozenset(
    {Refusal.OTHER_VEHICLE, Refusal.DOUBTFUL_VEHICLE, Refusal.OTHER_CONTAINER}
)
"""An officer who lets a vehicle through on a pass answers for what it looks like, not for the pass."""


def fold(
    documents: Iterable[Document], reports: Iterable[tuple[Report, GatePlace]], limits: PassLimits
) -> PassBook:
    """Take papers and reports in the order of their own moments, each once, whatever order they come in."""
    folding = _Folding(limits, documents, reports)
    return folding.result()


class _Folding:
    def __init__(
        self, limits: PassLimits, documents: Iterable[Document], reports: Iterable[tuple[Report, GatePlace]]
    ) -> None:
        self.limits = limits
        self.passes: dict[str, Pass] = {}
        self.passages: dict[int, Passage] = {}
        self.last_in_lane: dict[tuple[str, str], int] = {}
        self.words: dict[tuple[str, int, int], list[Document]] = {}
        papers = []
        for document in sorted((d for d in documents if isinstance(d.body, OF_PASSES)), key=document_order):
            if isinstance(document.body, PlateConfirmed | GateOverride):
                body = document.body
                self.words.setdefault((body.device, body.run, body.seq), []).append(document)
            else:
                papers.append(document)
        self.papers = papers
        self.reports = sorted(
            {r.order: (r, place) for r, place in reports}.values(), key=lambda p: p[0].order
        )
        self.queue = [(d.time, 0, at) for at, d in enumerate(papers)]
        self.queue += [(r.time, 1, at) for at, (r, _) in enumerate(self.reports)]
        heapq.heapify(self.queue)

    def result(self) -> PassBook:
        while self.queue:
            time, rank, at = heapq.heappop(self.queue)
            if rank == 0:
                self._told(self.papers[at])
            else:
                self._tried(at, time)
        return PassBook(dict(self.passes), tuple(self.passages[at] for at in sorted(self.passages)))

    def _told(self, document: Document) -> None:
        number = document.number
        known = told(self.passes.get(number), document)
        if known is None:
            return
        self.passes[number] = known
        if known.state is PassState.APPROVED and known.changes[-1].by is document:
            self._approved_at_last(number, document.time)

    def _approved_at_last(self, number: str, time: datetime) -> None:
        """Those who came just before the approval try again."""
        tolerance = timedelta(minutes=self.limits.early_tolerance_min)
        for at, passage in self.passages.items():
            if (
                passage.paper is not None
                and passage.paper.number == number
                and passage.refusals == {Refusal.NOT_APPROVED}
                and timedelta(0) < time - passage.time <= tolerance
            ):
                heapq.heappush(self.queue, (time, 1, at))

    def _tried(self, at: int, time: datetime) -> None:
        report, place = self.reports[at]
        gate = gate_of(report)
        before = self.passages.get(at)
        if self._repeats(report, gate) if before is None else before.used_at is not None:
            return
        words = tuple(self.words.get((report.device, report.run, report.seq), ()))
        confirmed = next((w for w in reversed(words) if isinstance(w.body, PlateConfirmed)), None)
        paper = self._paper(report, place, confirmed)
        if paper is None:
            refused = frozenset({Refusal.NO_PAPER})
            doubt = Likeness.CONFUSABLE
            self.passages[at] = Passage((report,), place, None, doubt, doubt, refused, None, words)
            return
        read = self._likeness(gate, paper, None)
        likeness = self._likeness(gate, paper, confirmed)
        refusals = self._refusals(report, gate, place, paper, likeness)
        deciding = confirmed if read is not likeness and not refusals else None
        if (order := override(words)) is not None:
            is_open = order[0] == "open"
            deciding = order[1] if is_open and refusals else deciding
            refusals = refusals - AN_OFFICER_MAY_WAIVE if is_open else refusals | {Refusal.HELD}
        decided = time if deciding is None or refusals else max(time, deciding.time)
        if decided > time:
            refusals = frozenset({Refusal.DOUBTFUL_VEHICLE})
            heapq.heappush(self.queue, (decided, 1, at))
        used_at = None if refusals else time
        self.passages[at] = Passage((report,), place, paper, read, likeness, refusals, used_at, words)
        if used_at is not None:
            is_told = paper.is_confirmed_by(report)
            self.passes[paper.number] = (
                paper.confirmed_by(report) if is_told else paper.used_by(report, used_at)
            )
            self.last_in_lane[report.device, gate.lane] = at

    def _repeats(self, report: Report, gate: Gate) -> bool:
        """Whether this is the vehicle that has just used its pass in this lane, read again."""
        at = self.last_in_lane.get((report.device, gate.lane))
        if at is None:
            return False
        passage = self.passages[at]
        last = max(passage.reads[-1].time, passage.used_at or passage.time)
        is_it = (
            report.time - last <= SAME_PASSAGE
            and gate.direction == passage.gate.direction
            and plates.normal(gate.plate or "") == plates.normal(passage.gate.plate or "")
            and gate.pass_number in (None, passage.gate.pass_number)
        )
        if is_it:
            self.passages[at] = msgspec.structs.replace(passage, reads=(*passage.reads, report))
        return is_it

    def _paper(self, report: Report, place: GatePlace, confirmed: Document | None) -> Pass | None:
        """The pass that a report tries: the one it names, else the best that fits the gate."""
        gate = gate_of(report)
        named = self.passes.get(gate.pass_number or "")
        if named is not None and place.zone in (None, named.body.zone):
            return named
        ranked = [
            (rank, paper.since, paper.number, paper)
            for paper in self.passes.values()
            if paper.body.zone == place.zone and paper.body.direction is gate.direction
            if (rank := self._rank(report, paper, confirmed)) is not None
        ]
        return min(ranked, key=lambda found: found[:3])[3] if ranked else named

    def _rank(self, report: Report, paper: Pass, confirmed: Document | None) -> int | None:
        """How well a pass that isn't named fits; one that was used already fits nobody."""
        gate = gate_of(report)
        likeness = self._likeness(gate, paper, confirmed)
        against = set() if paper.is_confirmed_by(report) else _of_state(gate, paper)
        if Refusal.USED in against:
            return None
        if likeness is Likeness.SAME:
            return 3 if against else 0
        if against:
            return None
        has_box = {boxes.normal(box) for box in gate.containers} & set(
            map(boxes.normal, paper.body.containers)
        )
        return 1 if has_box else 2 if likeness is Likeness.CONFUSABLE else None

    def _likeness(self, gate: Gate, paper: Pass, confirmed: Document | None) -> Likeness:
        """What the camera says of the vehicle, or an officer, who is sure."""
        if confirmed is not None and isinstance(confirmed.body, PlateConfirmed):
            is_it = plates.normal(confirmed.body.plate) == plates.normal(paper.body.vehicle)
            return Likeness.SAME if is_it else Likeness.DIFFERENT
        return plates.compare(gate.plate, gate.plate_confidence, paper.body.vehicle, self.limits)

    def _refusals(
        self, report: Report, gate: Gate, place: GatePlace, paper: Pass, likeness: Likeness
    ) -> frozenset[Refusal]:
        found = set()
        if place.zone not in (None, paper.body.zone):
            found.add(Refusal.OTHER_ZONE)
        if paper.body.direction is not gate.direction:
            found.add(Refusal.OTHER_DIRECTION)
        if likeness is not Likeness.SAME:
            is_other = likeness is Likeness.DIFFERENT
            found.add(Refusal.OTHER_VEHICLE if is_other else Refusal.DOUBTFUL_VEHICLE)
        read = boxes.compare(gate.containers, paper.body.containers)
        if read is not None and read.strange:
            found.add(Refusal.OTHER_CONTAINER)
        if not paper.is_confirmed_by(report):
            found |= _of_state(gate, paper)
        return frozenset(found)


def _of_state(gate: Gate, paper: Pass) -> set[Refusal]:
    """What the pass's state has against its use; the second gate is another than the first."""
    if paper.state is PassState.APPLIED:
        return {Refusal.NOT_APPROVED}
    if paper.state in DEAD:
        return {Refusal.DEAD}
    if not paper.is_usable():
        return {Refusal.USED}
    last = paper.changes[-1].by
    if paper.state is not PassState.FIRST_GATE or not isinstance(last, Report):
        return set()
    first = gate_of(last)
    return {Refusal.USED} if (first.gate, first.lane) == (gate.gate, gate.lane) else set()
