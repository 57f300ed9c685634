"""The decision at a gate: open, hold or inspect, with reasons. Pure, and made of what the rules are made of.

Whoever calls it gathers an :class:`Arrival` and a :class:`GatePolicy`, both of which say what they must
hold, and acts on the :class:`Decision`: the row that is kept, and the command to the gate. Asking again about
the same report, when an officer has spoken or something late has come, may give another answer; each stands
for itself. A vehicle that waited for its paper or its weight is reported again: that is another passage.

What is certain and critical holds the barrier. What is major, and what nobody can tell yet, is inspected.
An officer's word about this very report goes before all of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from devices.observation import Direction
from tracking.domain.custody import objections
from tracking.domain.custody.gatehouse import CONTROLLED_KINDS
from tracking.domain.custody.items import Papers, named
from tracking.domain.custody.objections import Objection
from tracking.domain.custody.passages import Answer, GatePlace, Passage, PassLimits, gate_of, override
from tracking.domain.custody.passing import fold
from tracking.domain.custody.releases import is_released, word_for
from tracking.domain.custody.seals import Reading
from tracking.domain.custody.told import Document, Report
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, cite_document, cite_report
from tracking.domain.custody.weighing import EmptyLimits, WeightLimits

MOST_CITED: Final = 20
"""Goods that one reason names; a wave has thousands."""


class Consignment(Struct, frozen=True):
    """One shipment's goods on the vehicle.

    Attributes:
        shipment: its number.
        goods: URIs of what of it is on this vehicle; empty: all of it.
        releases: every ``release`` document of it, in order of (time, entry).
        needs_release: its leg asks that customs have released the goods before they leave the zone.
        expected_seals: numbers of the seals that are on the goods on this vehicle, by all that was told
            before: by the seals' own devices, by re-seal records, by other gates, or by the terms.
        known_seals: numbers of all seals on the shipment's goods, wherever those are.
    """

    shipment: str
    goods: tuple[str, ...] = ()
    releases: tuple[Document, ...] = ()
    needs_release: bool = False
    expected_seals: frozenset[str] = frozenset()
    known_seals: frozenset[str] = frozenset()


class Arrival(Struct, frozen=True):
    """A vehicle before the barrier, and all that matters of what is recorded.

    Attributes:
        report: the gate's. Its own time is the moment of the decision; nothing reads a clock.
        place: of the gate, by the areas as they are then.
        documents: every ``pass``, ``pass_state``, ``plate_confirmed`` and ``gate_override`` of the passes
            that the vehicle may use: the one that the report names, those of its plate (and of plates that
            look like it) and those of the containers that were read, for this zone, and of the shipments
            aboard. More than that does no harm.
        earlier: gates' reports that name those passes or their vehicles since the first was approved, with
            their places, so that a second use is seen. The report itself need not be among them.
        consignments: the shipments aboard; empty for an empty vehicle, and for one that nobody knows.
    """

    report: Report
    place: GatePlace
    documents: tuple[Document, ...] = ()
    earlier: tuple[tuple[Report, GatePlace], ...] = ()
    consignments: tuple[Consignment, ...] = ()


class GatePolicy(Struct, frozen=True):
    """What a gate is held to; the parameters are those of the rules, and have their defaults.

    Attributes:
        passes: when a vehicle uses a pass (``wrong_vehicle_at_gate``, ``pass_missing_or_not_approved``).
        zone_kinds: kinds of zones that are passed with a gate pass.
        weights: tolerances of ``gate_weight_mismatch``.
        empty: tolerance of ``empty_truck_not_empty``.
        severities: of findings, by the rule's code, where park or terms set another than the rule's own.
        fallback: what the gate does when no decision reaches it in time.
    """

    passes: PassLimits = PassLimits()
    zone_kinds: tuple[str, ...] = CONTROLLED_KINDS
    weights: WeightLimits = WeightLimits()
    empty: EmptyLimits = EmptyLimits()
    severities: Mapping[str, Severity] = {}
    fallback: Answer = "hold"


DEFAULT_POLICY: Final = GatePolicy()


class Reason(Struct, frozen=True):
    """One thing that made the decision what it is.

    Attributes:
        code: of the rule that says the same as a finding; ``on_hold``, ``not_released``, ``gate_override``
            and ``no_decision`` are the gate's own.
        text: for a person at the gate.
        severity: how grave; info where undetermined.
        outcome: finding, or undetermined.
        evidence: what it rests on, ready for JSON.
    """

    code: str
    text: str
    severity: Severity
    outcome: Outcome
    evidence: tuple[Evidence, ...]


class Decision(Struct, frozen=True):
    """What the barrier does.

    Attributes:
        decision: ``open``, ``hold`` or ``inspect``.
        reasons: the gravest first; empty where nothing speaks against the vehicle.
        pass_number: the pass that it used or tried; None: there is none.
        uses_pass: the pass is used by this passage: it can't be used again.
    """

    decision: Answer
    reasons: tuple[Reason, ...]
    pass_number: str | None
    uses_pass: bool


def decide(arrival: Arrival, policy: GatePolicy = DEFAULT_POLICY) -> Decision:
    """What to tell the barrier.

    Args:
        arrival: the vehicle, and what is recorded.
        policy: what the gate is held to.
    """
    passage = _passage(arrival, policy)
    word = override(passage.words)
    found = [
        *(
            _reason(objection, policy)
            for objection in _objections(passage, policy)
            if word is not None or objection.answered is None
        ),
        *_of_gate(arrival),
        *_of_seals(arrival),
        *_of_release(arrival),
    ]
    reasons = tuple(sorted(found, key=_gravity))
    number = passage.paper.number if passage.paper is not None else None
    uses_pass = passage.used_at is not None
    if word is not None:
        return Decision(word[0], (_by_officer(word[1]), *reasons), number, uses_pass)
    return Decision(_answer(reasons), reasons, number, uses_pass)


def without_decision(policy: GatePolicy, why: str) -> Decision:
    """What holds when none could be made in time; the gate's event says so."""
    reason = Reason("no_decision", why, Severity.INFO, Outcome.UNDETERMINED, ())
    return Decision(policy.fallback, (reason,), None, uses_pass=False)


def _passage(arrival: Arrival, policy: GatePolicy) -> Passage:
    """What this report is, among all that used the same passes."""
    placed = [*arrival.earlier, (arrival.report, arrival.place)]
    book = fold(arrival.documents, placed, policy.passes)
    order = arrival.report.order
    return next(p for p in book.passages if any(read.order == order for read in p.reads))


def _objections(passage: Passage, policy: GatePolicy) -> Iterator[Objection]:
    """What speaks against it, in the words of the rules."""
    asked = (
        objections.no_goods_lane(passage),
        objections.without_pass(passage, policy.zone_kinds),
        objections.wrong_vehicle(passage),
        objections.wrong_container(passage),
        objections.used_again(passage),
        objections.wrong_direction(passage),
        objections.wrong_weight(passage, policy.weights),
        objections.not_empty(passage, policy.empty),
    )
    return (objection for objection in asked if objection is not None)


def _of_gate(arrival: Arrival) -> Iterator[Reason]:
    """A gate of which nobody knows where it leads can't be one that asks for no pass."""
    if arrival.place.zone is None:
        text = f"gate {gate_of(arrival.report).gate} is drawn nowhere, or belongs to no zone"
        yield Reason(
            "gate_unknown", text, Severity.INFO, Outcome.UNDETERMINED, (cite_report(arrival.report),)
        )


def _of_seals(arrival: Arrival) -> Iterator[Reason]:
    """Seals that were read and aren't those on record; a gate that reads none says nothing."""
    read = frozenset(gate_of(arrival.report).seals)
    known = frozenset[str]().union(*(goods.known_seals for goods in arrival.consignments))
    for goods in arrival.consignments:
        met = Reading(arrival.report, read, goods.expected_seals, known | goods.expected_seals)
        if read and met.missing and met.foreign:
            text = f"seal {', '.join(sorted(met.foreign))} instead of {', '.join(sorted(met.missing))}"
            expected: Evidence = {"shipment": goods.shipment, "expected": sorted(goods.expected_seals)}
            cited = (expected, cite_report(arrival.report))
            yield Reason("seal_id_changed", text, Severity.CRITICAL, Outcome.FINDING, cited)


def _of_release(arrival: Arrival) -> Iterator[Reason]:
    """Goods that leave although customs hold them, or have not released what must be released."""
    if gate_of(arrival.report).direction is not Direction.OUT:
        return
    for goods in arrival.consignments:
        papers = Papers(goods.releases)
        words = [(item, word_for(papers, item, arrival.report.time)) for item in goods.goods or ("",)]
        held = [(item, word) for item, word in words if word is not None and not is_released(word)]
        silent = [item for item, word in words if word is None]
        if held:
            named_ = ", ".join(named(item).label for item, _ in held[:MOST_CITED] if item) or goods.shipment
            cited = tuple(cite_document(word) for word in {word.entry: word for _, word in held}.values())
            yield Reason("on_hold", f"customs hold {named_}", Severity.CRITICAL, Outcome.FINDING, cited)
        if silent and goods.needs_release:
            what = ", ".join(named(item).label for item in silent[:MOST_CITED] if item) or goods.shipment
            missing: Evidence = {"missing": "release", "shipment": goods.shipment, "goods": len(silent)}
            text = f"customs have not released {what}"
            yield Reason("not_released", text, Severity.CRITICAL, Outcome.FINDING, (missing,))


def _reason(objection: Objection, policy: GatePolicy) -> Reason:
    severity = objection.severity
    if objection.outcome is Outcome.FINDING:
        severity = policy.severities.get(objection.code, severity)
    return Reason(objection.code, objection.text, severity, objection.outcome, objection.evidence)


def _answer(reasons: tuple[Reason, ...]) -> Answer:
    if any(reason.severity is Severity.CRITICAL for reason in reasons):
        return "hold"
    is_doubtful = any(
        reason.outcome is Outcome.UNDETERMINED or reason.severity is Severity.MAJOR for reason in reasons
    )
    return "inspect" if is_doubtful else "open"


def _by_officer(word: Document) -> Reason:
    text = str(cite_document(word)["body"]["reason"])
    return Reason("gate_override", text, Severity.INFO, Outcome.FINDING, (cite_document(word),))


def _gravity(reason: Reason) -> tuple[int, bool, str]:
    return (list(Severity).index(reason.severity), reason.outcome is Outcome.UNDETERMINED, reason.code)
