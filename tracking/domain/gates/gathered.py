"""What a decision is made of, taken from a shipment's case and from the rules' parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.documents import Release
from tracking.domain.custody.passages import Answer, PassLimits, gate_of
from tracking.domain.custody.rules.gates import MissingLimits
from tracking.domain.custody.rules.weights import EmptyTruckLimits, GateWeightLimits
from tracking.domain.custody.terms import zone_fields
from tracking.domain.custody.told import Report
from tracking.domain.custody.verdicts import Severity
from tracking.domain.custody.weighing import EmptyLimits, WeightLimits
from tracking.domain.gates.decide import Consignment, GatePolicy


def consignment(case: Case, report: Report, goods: Iterable[str] = ()) -> Consignment:
    """A shipment aboard, from its case; the case's facts should have the gate's report.

    Args:
        case: of the shipment.
        report: of the gate.
        goods: URIs of what of it is on this vehicle; none: all of it.
    """
    met = next((reading for reading in case.seals.readings if reading.report.order == report.order), None)
    on = frozenset(worn.seal for worn in case.seals.on(report.time))
    return Consignment(
        shipment=case.facts.shipment,
        goods=tuple(sorted(goods)),
        releases=tuple(d for d in case.facts.documents if isinstance(d.body, Release)),
        needs_release=needs_release(case, report),
        expected_seals=met.expected if met is not None else on,
        known_seals=met.known if met is not None else on,
    )


def needs_release(case: Case, report: Report) -> bool:
    """Whether the leg that runs or the move that leads out of the gate's zone asks for release."""
    terms = case.facts.terms_at(report.time)
    if terms is None:
        return False
    gate = case.facts.area_at(gate_of(report).gate, report.time)
    zone = gate.parent if gate is not None else None
    span = case.legs.at(report.time)
    if span is not None and span.leg.needs_release:
        return True
    coming = terms.terms.legs[case.legs.index : case.legs.index + 2]
    return any(leg.needs_release and zone in zone_fields(leg)[0][1] for leg in coming)


def policy(
    parameters: Mapping[str, Struct],
    severities: Mapping[str, Severity] | None = None,
    fallback: Answer = "hold",
) -> GatePolicy:
    """What a gate is held to, by the rules' parameters, as park and terms set them.

    Args:
        parameters: limits by the rule's code, all of them.
        severities: of findings, where another than the rule's own is set.
        fallback: what the gate does without a decision.
    """
    missing = parameters["pass_missing_or_not_approved"]
    vehicle = parameters["wrong_vehicle_at_gate"]
    weight = parameters["gate_weight_mismatch"]
    empty = parameters["empty_truck_not_empty"]
    assert isinstance(missing, MissingLimits)
    assert isinstance(vehicle, PassLimits)
    assert isinstance(weight, GateWeightLimits)
    assert isinstance(empty, EmptyTruckLimits)
    return GatePolicy(
        passes=PassLimits(vehicle.min_ocr_conf, missing.early_tolerance_min),
        zone_kinds=tuple(missing.zone_kinds),
        weights=WeightLimits(weight.tol_pct, weight.tol_kg_min),
        empty=EmptyLimits(empty.tol_kg),
        severities=dict(severities or {}),
        fallback=fallback,
    )
