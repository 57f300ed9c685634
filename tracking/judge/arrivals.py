"""A vehicle before a barrier: everything recorded that its decision is made of.

Nothing here is locked and nothing waits: whoever judges, re-folds or files papers at the same time is not in
the way. What they commit after this has read would be seen when the gate is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from msgspec import Struct

from devices.identifiers import parse_thing, pass_uri
from devices.observation import Gate, micros
from tracking.domain.custody import plates
from tracking.domain.custody.case import open_case
from tracking.domain.custody.documents import GatePass, PlateConfirmed
from tracking.domain.custody.facts import AreaBook, Facts
from tracking.domain.custody.gatehouse import place_of
from tracking.domain.custody.judge import DEFAULTS
from tracking.domain.custody.overrides import reigns
from tracking.domain.custody.passages import gate_of
from tracking.domain.custody.passing import OF_PASSES
from tracking.domain.custody.told import Aboard, Report
from tracking.domain.gates.decide import DEFAULT_POLICY, Arrival, Consignment, GatePolicy
from tracking.domain.gates.gathered import consignment, policy
from tracking.domain.gates.timing import Timing, timing
from tracking.domain.things.subject import named
from tracking.judge import decoding, said
from tracking.judge.gather import outline
from tracking.judge.said import Said
from tracking.store import documents, gates
from tracking.store.carrying import Carrying, Part
from tracking.store.database import Connection
from tracking.store.gates import AboardRow, ReportRow, ThingRow
from tracking.store.judging import ShipmentRow

BACK: Final = timedelta(days=5)
"""Papers and passages of a vehicle count so long; those of the pass that it shows, and of the shipments
aboard, whenever they were. Ours.
"""

READ: Final = frozenset({"vehicle", "container"})
"""Kinds of things that a gate reads and a pass names."""

_OWNER: Final = 0
"""No shipment has this number: in whose name papers and reports are asked for."""


class Gathered(Struct, frozen=True):
    """A vehicle before a barrier, and what the gate is held to.

    Attributes:
        arrival: what the decision is made of.
        policies: one for each set of parameters that the terms aboard bring; at least one.
        timing: how long the gate waits, and what it does then.
    """

    arrival: Arrival
    policies: tuple[GatePolicy, ...]
    timing: Timing

    @property
    def shipments(self) -> tuple[str, ...]:
        """Numbers of those aboard."""
        return tuple(goods.shipment for goods in self.arrival.consignments)


def report_of(row: ReportRow) -> Report:
    """What the gate said.

    Raises:
        Undecodable: its bytes can't be read.
    """
    key = (micros(row.event_time), row.run, row.seq)
    event = decoding.observation(row.dialect, row.datum, row.body, key, row.device)
    assert isinstance(event.fact, Gate)  # only those are asked for
    things = frozenset(one.thing.uri for one in named(event.fact))
    return Report(row.event_time, row.device, row.device_kind, row.run, row.seq, event.fact, things)


def timing_of(report: Report, areas: AreaBook) -> Timing:
    """How long this gate waits, by its area as it was then."""
    area = _places(areas).area_at(gate_of(report).gate, report.time)
    return timing(area.properties if area is not None else {})


def gather_arrival(conn: Connection, row: ReportRow, report: Report, areas: AreaBook) -> Gathered:
    """Everything that matters of what is recorded.

    Args:
        conn: within a transaction.
        row: the report, as recorded.
        report: the same, decoded.
        areas: what areas are.

    Raises:
        Undecodable: recorded bytes that can't be read.
    """
    gate = gate_of(report)
    words = documents.about_observations(conn, [(_OWNER, row.device_id, row.run, row.seq)])
    confirmed = _vehicles(
        word.body.plate for word in map(decoding.document, words) if isinstance(word.body, PlateConfirmed)
    )
    shown = pass_uri(gate.pass_number) if gate.pass_number else None
    here = sorted(report.things | confirmed)
    aboard = gates.aboard(conn, here, shown, report.time)
    shipments = _shipments(aboard)
    facts = outline(conn, shipments, areas)
    likely = _vehicles(plates.look_alikes(gate.plate) if gate.plate else ())
    spoken = _spoken(conn, report, {*here, *likely})
    books: list[Said | Facts] = [spoken, *facts.values()]
    papers = {paper.entry: paper for of in books for paper in of.documents}
    papers |= {word.entry: decoding.document(word) for word in words}
    reports = {one.order: one for of in books for one in of.reports if isinstance(one.fact, Gate)}
    places = _places(areas)
    return Gathered(
        Arrival(
            report,
            place_of(places, report),
            tuple(paper for paper in papers.values() if isinstance(paper.body, OF_PASSES)),
            tuple((one, place_of(places, one)) for one in reports.values() if one.order != report.order),
            tuple(_consignments(report, shipments, facts, aboard)),
        ),
        _policies(report, list(facts.values())),
        timing_of(report, areas),
    )


def _spoken(conn: Connection, report: Report, uris: set[str]) -> Said:
    """Papers and passages of these things, and of the vehicles on the passes that are found so."""
    found = _said_of(conn, report, uris)
    others = _vehicles(paper.body.vehicle for paper in found.documents if isinstance(paper.body, GatePass))
    return found if others <= uris else _said_of(conn, report, uris | others)


def _said_of(conn: Connection, report: Report, uris: set[str]) -> Said:
    begins = report.time - BACK
    parts = [
        Part(thing.thing_id, Aboard(thing.uri, thing.kind, thing.label, False, begins, report.time))
        for thing in gates.things_of(conn, sorted(uris))
        if thing.kind in READ or _is_shown(thing, report)
    ]
    return said.said(conn, {_OWNER: Carrying((), (), tuple(parts))}, [_OWNER], ())[_OWNER]


def _is_shown(thing: ThingRow, report: Report) -> bool:
    return thing.kind == "pass" and thing.uri in report.things


def _vehicles(numbers: Iterable[str]) -> set[str]:
    """URIs of plates."""
    return {parse_thing(number).uri for number in numbers}


def _shipments(aboard: Sequence[AboardRow]) -> list[ShipmentRow]:
    return list({row.shipment_id: ShipmentRow(*row[:4]) for row in aboard}.values())


def _consignments(
    report: Report,
    shipments: Sequence[ShipmentRow],
    facts: Mapping[int, Facts],
    aboard: Sequence[AboardRow],
) -> Iterable[Consignment]:
    goods: dict[int, list[str]] = {}
    for row in aboard:
        if row.thing is not None:
            goods.setdefault(row.shipment_id, []).append(row.thing)
    for shipment in shipments:
        known = facts[shipment.shipment_id]
        yield consignment(open_case(known, report.time), report, goods.get(shipment.shipment_id, ()))


def _policies(report: Report, facts: Sequence[Facts]) -> tuple[GatePolicy, ...]:
    """Each once; without anybody's terms the rules' own parameters."""
    found: list[GatePolicy] = []
    for known in facts:
        for reign in reigns(known, DEFAULTS):
            begins, ends = reign.during
            if begins <= report.time and (ends is None or report.time < ends):
                held = policy(reign.parameters, reign.severities)
                if held not in found:
                    found.append(held)
    return tuple(found) or (DEFAULT_POLICY,)


def _places(areas: AreaBook) -> Facts:
    """Nobody's facts but the areas: what is asked of places needs no shipment."""
    return Facts("", (), (), areas)
