"""B4 and B9: what the weighbridge says of a vehicle, beside its pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from tracking.domain.custody import objections
from tracking.domain.custody.case import Case
from tracking.domain.custody.complaints import passing_without, told
from tracking.domain.custody.objections import Objection
from tracking.domain.custody.passages import Passage, PassLimits
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.verdicts import Severity, Verdict
from tracking.domain.custody.weighing import EmptyLimits, WeightLimits


class GateWeightLimits(PassLimits, frozen=True):
    """Parameters of ``gate_weight_mismatch``.

    Attributes:
        tol_pct: how far the measured weight may lie from the declared one, in per cent of it.
        tol_kg_min: kilograms that are tolerated in any case.
    """

    tol_pct: Annotated[float, Meta(ge=0, le=100)] = WeightLimits().tol_pct
    tol_kg_min: Annotated[float, Meta(ge=0)] = WeightLimits().tol_kg_min


class EmptyTruckLimits(PassLimits, frozen=True):
    """Parameters of ``empty_truck_not_empty``.

    Attributes:
        tol_kg: kilograms that a vehicle may weigh above its own weight and still be empty.
    """

    tol_kg: Annotated[float, Meta(ge=0)] = EmptyLimits().tol_kg


@rule(number="B4", code="gate_weight_mismatch", severity=Severity.MAJOR, limits=GateWeightLimits)
def gate_weight_mismatch(case: Case, limits: GateWeightLimits) -> Iterator[Verdict]:
    """The weighbridge says another weight than the pass (地磅重量比对异常).

    Opens at the gate's report, where the difference is greater than ``tol_pct`` of the declared weight and
    greater than ``tol_kg_min``. Closes when the vehicle is weighed at a gate of the zone again, with the same
    pass and nothing wrong, or when an officer lets it through.

    Undetermined where the vehicle was not weighed: no weight, or 0, is no measurement.

    Must not fire at just the tolerance; where the pass declares no weight; for an empty vehicle's pass, which
    is ``empty_truck_not_empty``; nor for the weight of another vehicle, or of a second try with a used pass.

    Args:
        case: the shipment as of the watermark.
        limits: ``tol_pct``, per cent, default 3; ``tol_kg_min``, kilograms, default 200; ``min_ocr_conf`` and
            ``early_tolerance_min`` as in ``wrong_vehicle_at_gate`` and ``pass_missing_or_not_approved``, set
            alike.

    Evidence: the gate's report; the pass; the two weights.
    Source: totalWt and passCollectWt of the pass, where 0 is common and means not weighed. The tolerances are
    ours: parks commonly use 3 to 5 %, no national number was found.
    """
    weights = WeightLimits(limits.tol_pct, limits.tol_kg_min)

    def objects(passage: Passage) -> Objection | None:
        return objections.wrong_weight(passage, weights)

    passes = case.book(limits)
    yield from told(case, passes.passages, objects, passing_without(passes, objects), limits)


@rule(number="B9", code="empty_truck_not_empty", severity=Severity.CRITICAL, limits=EmptyTruckLimits)
def empty_truck_not_empty(case: Case, limits: EmptyTruckLimits) -> Iterator[Verdict]:
    """A vehicle with an empty vehicle's pass weighs as if it were loaded (空车核放单载货).

    Opens at the gate's report, where it weighs more than ``tol_kg`` above vehicle and trailer. Closes when it
    is weighed at a gate of the zone again, with the same pass and nothing wrong, or when an officer lets it
    through.

    Undetermined where it was not weighed.

    Must not fire for passes of other types; where the pass says no weight of the vehicle; nor for a vehicle
    that weighs less than declared.

    Args:
        case: the shipment as of the watermark.
        limits: ``tol_kg``, kilograms, default 300; ``min_ocr_conf`` and ``early_tolerance_min`` as in
            ``wrong_vehicle_at_gate`` and ``pass_missing_or_not_approved``, set alike.

    Evidence: the gate's report; the pass; the two weights.
    Source: pass type 6 (空车进出区), vehicleWt and vehicleFrameWt of the pass. The tolerance is ours.
    """
    empty = EmptyLimits(limits.tol_kg)

    def objects(passage: Passage) -> Objection | None:
        return objections.not_empty(passage, empty)

    passes = case.book(limits)
    yield from told(case, passes.passages, objects, passing_without(passes, objects), limits)
